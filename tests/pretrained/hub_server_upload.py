"""What is written to the Hub: repositories, large files by the LFS protocol, commits, tags."""

import base64
import json
import re
from hashlib import sha256

from .hub_server import HubServer, Refusal, Reply, Request, Route
from .hub_server_download import API, NAME, commit_of, repo_of, user_of
from .hub_server_repos import File, Repo

MAX_SMALL = 10_000_000
OID = "(?P<oid>[0-9a-f]{64})"


def _check_write(hub: HubServer, request: Request, namespace: str) -> None:
    user = user_of(hub, request)
    if user is None:
        raise Refusal(Reply.error(401, "Invalid username or password."))
    if namespace not in user.namespaces or not user.may_write:
        message = f'You don\'t have the rights to write to the namespace "{namespace}"'
        raise Refusal(Reply.error(403, message))


def _writable(hub: HubServer, request: Request, name: str) -> Repo:
    repo = repo_of(hub, request, name)
    _check_write(hub, request, name.split("/")[0])
    return repo


def create(hub: HubServer, request: Request) -> Reply:
    wanted = request.json()
    namespace = wanted.get("organization") or getattr(user_of(hub, request), "name", "")
    _check_write(hub, request, namespace)
    name = f"{namespace}/{wanted['name']}"
    url = f"{hub.url}/{name}"
    if name in hub.repos:
        return Reply.json({"error": "You already created this model repo", "url": url}, 409)
    private = wanted.get("visibility") == "private" or bool(wanted.get("private"))
    hub.repos[name] = Repo(name, private)
    return Reply.json({"url": url, "name": name})


def validate(hub: HubServer, request: Request) -> Reply:
    """The Hub's check of a card's metadata; here only that there is a block of it with a licence."""
    content = request.json()["content"]
    block = re.match(r"---\n(.*?)\n---\n", content, re.DOTALL)
    if not block or "license:" not in block[1]:
        return Reply.json({"errors": [{"message": '"license" is missing'}], "warnings": []}, 400)
    return Reply.json({"errors": [], "warnings": []})


def preupload(hub: HubServer, request: Request, name: str, revision: str) -> Reply:
    """Which files go by LFS: those that are large or not text, judged by a sample."""
    commit = commit_of(_writable(hub, request, name), revision)
    rows = []
    for wanted in request.json()["files"]:
        is_large = wanted["size"] > MAX_SMALL or b"\0" in base64.b64decode(wanted["sample"])
        row = {"path": wanted["path"], "uploadMode": "lfs" if is_large else "regular", "shouldIgnore": False}
        there = commit.files.get(wanted["path"])
        rows.append(row | ({"oid": there.etag} if there else {}))
    return Reply.json({"files": rows})


def batch(hub: HubServer, request: Request, name: str) -> Reply:
    _writable(hub, request, name)
    rows = []
    for wanted in request.json()["objects"]:
        oid, size = wanted["oid"], wanted["size"]
        row = {"oid": oid, "size": size}
        if oid not in hub.large:
            verify = {"href": f"{hub.url}/{name}.git/info/lfs/verify"}
            row["actions"] = {"upload": _upload_action(hub, oid, size), "verify": verify}
        rows.append(row)
    return Reply.json({"transfer": "basic", "objects": rows})


def _upload_action(hub: HubServer, oid: str, size: int) -> dict:
    if hub.part_size is None or size <= hub.part_size:
        return {"href": f"{hub.url}/storage/{oid}"}
    count = -(-size // hub.part_size)
    parts = {str(part): f"{hub.url}/storage/{oid}/{part}" for part in range(1, count + 1)}
    return {"href": f"{hub.url}/storage/{oid}/complete", "header": {"chunk_size": str(hub.part_size), **parts}}


def put(hub: HubServer, request: Request, oid: str) -> Reply:
    if sha256(request.body).hexdigest() != oid:
        return Reply.error(400, "The content does not have the announced hash")
    hub.large[oid] = request.body
    return Reply()


def put_part(hub: HubServer, request: Request, oid: str, part: str) -> Reply:
    hub.parts[oid, int(part)] = request.body
    return Reply(headers={"ETag": sha256(request.body).hexdigest()})


def complete(hub: HubServer, request: Request, oid: str) -> Reply:
    bodies = [hub.parts.pop((oid, part["partNumber"])) for part in request.json()["parts"]]
    request.body = b"".join(bodies)
    return put(hub, request, oid)


def verify(hub: HubServer, request: Request, name: str) -> Reply:
    _writable(hub, request, name)
    wanted = request.json()
    there = hub.large.get(wanted["oid"])
    return Reply.json({}) if there is not None and len(there) == wanted["size"] else Reply.error(404, "Not uploaded")


def commit(hub: HubServer, request: Request, name: str, revision: str) -> Reply:
    repo = _writable(hub, request, name)
    head, *changes = [json.loads(line) for line in request.body.splitlines()]
    parent = head["value"].get("parentCommit")
    if parent is not None and parent != repo.branches[revision]:
        return Reply.error(412, "A commit has happened since. Please refresh and try again.")
    files = dict(commit_of(repo, revision).files)
    for change in changes:
        value = change["value"]
        if change["key"] == "file":
            files[value["path"]] = File(base64.b64decode(value["content"]))
        elif change["key"] == "lfsFile":
            if value["oid"] not in hub.large:
                return Reply.error(400, f"LFS pointer to a file that does not exist: {value['path']}")
            files[value["path"]] = File(hub.large[value["oid"]], lfs=True)
        elif change["key"] == "deletedFile":
            del files[value["path"]]
    made = repo.commit(files, head["value"]["summary"], revision)
    return Reply.json({"success": True, "commitOid": made.id, "commitUrl": f"{hub.url}/{name}/commit/{made.id}"})


def tag(hub: HubServer, request: Request, name: str, revision: str) -> Reply:
    repo = _writable(hub, request, name)
    wanted = request.json()["tag"]
    if wanted in repo.tags:
        return Reply.error(409, f"Tag reference exists already: {wanted}")
    repo.tags[wanted] = commit_of(repo, revision).id
    return Reply.json({})


ROUTES: list[Route] = [
    ("POST", re.compile("/api/repos/create"), create),
    ("POST", re.compile("/api/validate-yaml"), validate),
    ("POST", re.compile(f"{API}/preupload/(?P<revision>[^/]+)"), preupload),
    ("POST", re.compile(rf"/{NAME}\.git/info/lfs/objects/batch"), batch),
    ("PUT", re.compile(f"/storage/{OID}"), put),
    ("PUT", re.compile(rf"/storage/{OID}/(?P<part>\d+)"), put_part),
    ("POST", re.compile(f"/storage/{OID}/complete"), complete),
    ("POST", re.compile(rf"/{NAME}\.git/info/lfs/verify"), verify),
    ("POST", re.compile(f"{API}/commit/(?P<revision>[^/]+)"), commit),
    ("POST", re.compile(f"{API}/tag/(?P<revision>[^/]+)"), tag),
]
