"""What is read from the Hub: information, listings, files, and the storage of large files."""

import re
from urllib.parse import unquote

from .hub_server import HubServer, Refusal, Reply, Request, Route
from .hub_server_repos import Commit, File, Repo, User

NAME = r"(?P<name>[^/]+/[^/]+)"
API = f"/api/models/{NAME}"


def user_of(hub: HubServer, request: Request) -> User | None:
    """Who asks; a token nobody has is refused, as the Hub does it."""
    if request.token is not None and request.token not in hub.users:
        raise Refusal(Reply.error(401, "Invalid credentials in Authorization header"))
    return hub.users.get(request.token or "")


def repo_of(hub: HubServer, request: Request, name: str) -> Repo:
    """A repository that the asker may see; one that is hidden looks like one that is missing."""
    user, repo = user_of(hub, request), hub.repos.get(name)
    visible = repo is not None and (not repo.private or (user and name.split("/")[0] in user.namespaces))
    if repo is None or not visible:
        message = "Repository not found" if user else "Invalid username or password."
        raise Refusal(Reply.error(404 if user else 401, message, "RepoNotFound"))
    return repo


def commit_of(repo: Repo, revision: str) -> Commit:
    found = repo.find(unquote(revision))
    if found is None:
        raise Refusal(Reply.error(404, f"Invalid rev id: {unquote(revision)}", "RevisionNotFound"))
    return found


def info(hub: HubServer, request: Request, name: str, revision: str = "main") -> Reply:
    repo = repo_of(hub, request, name)
    commit = commit_of(repo, revision)
    files = [{"rfilename": path} for path in sorted(commit.files)]
    return Reply.json({"id": name, "sha": commit.id, "private": repo.private, "siblings": files, "tags": []})


def tree(hub: HubServer, request: Request, name: str, revision: str) -> Reply:
    commit = commit_of(repo_of(hub, request, name), revision)
    return Reply.json([_row(path, file) for path, file in sorted(commit.files.items())])


def _row(path: str, file: File) -> dict:
    row = {"type": "file", "path": path, "oid": file.blob_id, "size": len(file.content)}
    large = {"oid": file.sha256, "size": len(file.content), "pointerSize": len(file.pointer)}
    return row | ({"lfs": large} if file.lfs else {})


def refs(hub: HubServer, request: Request, name: str) -> Reply:
    repo = repo_of(hub, request, name)
    branches, tags = (
        [{"name": key, "ref": f"refs/{kind}/{key}", "targetCommit": value} for key, value in found.items()]
        for kind, found in (("heads", repo.branches), ("tags", repo.tags))
    )
    return Reply.json({"branches": branches, "tags": tags, "converts": []})


def resolve(hub: HubServer, request: Request, name: str, revision: str, path: str) -> Reply:
    """A file's facts; its content lies at another address: on this host for small ones, in the storage for large."""
    commit = commit_of(repo_of(hub, request, name), revision)
    file = commit.files.get(unquote(path))
    if file is None:
        missing = Reply.error(404, "Entry not found", "EntryNotFound")
        missing.headers["X-Repo-Commit"] = commit.id
        return missing
    facts = {"X-Repo-Commit": commit.id, "ETag": f'"{file.etag}"'}
    if file.lfs:
        place = f"{hub.storage_url}/{file.sha256}?signature=once"
        facts |= {"X-Linked-Etag": f'"{file.sha256}"', "X-Linked-Size": str(len(file.content)), "Location": place}
        return Reply(status=302, headers=facts)
    return Reply(status=307, headers=facts | {"Location": f"/api/resolve-cache/models/{name}/{commit.id}/{path}"})


def small(hub: HubServer, request: Request, name: str, revision: str, path: str) -> Reply:
    commit = commit_of(repo_of(hub, request, name), revision)
    file = commit.files[unquote(path)]
    return _content(request, file.content, {"X-Repo-Commit": commit.id, "ETag": f'"{file.etag}"'})


def large(hub: HubServer, request: Request, oid: str) -> Reply:
    """The storage knows signatures, not tokens; the real one refuses a request that carries both."""
    if request.token is not None:
        return Reply.error(400, "Only one auth mechanism allowed")
    if request.query.get("signature") != ["once"]:
        return Reply.error(403, "Access denied")
    return _content(request, hub.large[oid], {"ETag": f'"{oid}"'}) if oid in hub.large else Reply.error(404, "No key")


def _content(request: Request, content: bytes, headers: dict[str, str]) -> Reply:
    wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("range", ""))
    if not wanted:
        return Reply(content, headers=headers | {"Accept-Ranges": "bytes"})
    start, stop = int(wanted[1]), min(int(wanted[2] or len(content)) + 1, len(content))
    if start >= len(content):
        return Reply(b"", 416, headers | {"Content-Range": f"bytes */{len(content)}"})
    return Reply(content[start:stop], 206, headers | {"Content-Range": f"bytes {start}-{stop - 1}/{len(content)}"})


ROUTES: list[Route] = [
    ("GET", re.compile(API), info),
    ("GET", re.compile(f"{API}/revision/(?P<revision>[^/]+)"), info),
    ("GET", re.compile(f"{API}/tree/(?P<revision>[^/]+)"), tree),
    ("GET", re.compile(f"{API}/refs"), refs),
    ("GET|HEAD", re.compile(f"/api/resolve-cache/models/{NAME}/(?P<revision>[^/]+)/(?P<path>.+)"), small),
    ("GET|HEAD", re.compile(f"/{NAME}/resolve/(?P<revision>[^/]+)/(?P<path>.+)"), resolve),
]
STORAGE_ROUTES: list[Route] = [("GET|HEAD", re.compile("/(?P<oid>[0-9a-f]{64})"), large)]
