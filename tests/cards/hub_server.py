"""A Hub on loopback: enough of its HTTP protocol that an unchanged huggingface_hub uploads to it and downloads from it.

Plain standard library; repositories live in memory. `HubServer.fail` spoils chosen answers.
"""

import base64
import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha1, sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

OWNER, STRANGER = "hf_owner", "hf_stranger"  # tokens: of who may write to `org`, and of who may not
ROUTE = r"(?:/api/models)?/([^/]+/[^/]+?)(?:\.git)?(?:/(\w+)(?:/([^/]+)(?:/(.+))?)?)?"


@dataclass
class Reply:
    """An answer; without a status the connection is closed before a word of it."""

    body: bytes = b""
    status: int | None = 200
    headers: dict[str, str] = field(default_factory=dict)


Answer = Callable[[], Reply]


def refuse(status: int, message: str = "not today", code: str | None = None) -> Callable[[Answer], Reply]:
    """Do nothing, and answer with an error and the Hub's own code of it."""
    headers = {"X-Error-Message": message, **({"X-Error-Code": code} if code else {})}
    return lambda answer: Reply(json.dumps({"error": message}).encode(), status, headers)


def lose(answer: Answer) -> Reply:
    """Do what was asked, and hang up."""
    answer()
    return Reply(status=None)


def cut(answer: Answer) -> Reply:
    """Stop in the middle of the promised bytes."""
    reply = answer()
    return Reply(reply.body[: len(reply.body) // 2], 200, {"Content-Length": str(len(reply.body)), **reply.headers})


def shorten(answer: Answer) -> Reply:
    """Send fewer bytes than the file has, and say so."""
    return Reply(answer().body[:-10])


def corrupt(answer: Answer) -> Reply:
    """Send other bytes, as many."""
    body = answer().body
    return Reply(body[:-4] + bytes(byte ^ 255 for byte in body[-4:]))


def etag(content: bytes) -> str:
    """What the Hub calls a file: sha256 of a large one, which has zeros here, git's own hash of others."""
    return sha256(content).hexdigest() if b"\0" in content else sha1(b"blob %d\0" % len(content) + content).hexdigest()


@dataclass
class Repo:
    private: bool = False
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    titles: list[str] = field(default_factory=list)
    refs: dict[str, str] = field(default_factory=dict)

    def commit(self, files: dict[str, bytes], title: str = "by hand") -> str:
        """Put `files`, all there are from now on, on main."""
        made = sha1(f"{len(self.commits)} {title}".encode()).hexdigest()
        self.commits[made], self.refs["main"] = files, made
        self.titles.append(title)
        return made

    @property
    def files(self) -> dict[str, bytes]:
        return self.commits[self.refs["main"]]


class HubServer:
    """Use as a context manager. `url` is the endpoint, `seen` everything that was asked so far."""

    def __init__(self) -> None:
        self.repos: dict[str, Repo] = {}
        self.storage: dict[str, bytes] = {}
        self.seen: list[str] = []
        self.failures: list[list] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": self}))
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> "HubServer":
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def put(self, name: str, folder: Path, private: bool = False) -> Repo:
        """A card's folder as a repository with the tag v1.0."""
        repo = self.repos[name] = Repo(private)
        repo.refs["v1.0"] = repo.commit({path.name: path.read_bytes() for path in folder.iterdir()})
        return repo

    def fail(self, pattern: str, change: Callable[[Answer], Reply], times: int = 99) -> None:
        """Change the next answers to a `METHOD path` in which the pattern is found."""
        self.failures.append([pattern, change, times])

    def answer(self, method: str, path: str, token: str | None, body: bytes) -> Reply:
        asked = f"{method} {path}"
        self.seen.append(asked)
        for failure in self.failures:
            if re.search(failure[0], asked) and failure[2]:
                failure[2] -= 1
                return failure[1](lambda: self._answer(method, path, token, body))
        return self._answer(method, path, token, body)

    def _answer(self, method: str, path: str, token: str | None, body: bytes) -> Reply:
        if token not in (None, OWNER, STRANGER):
            return refuse(401, "Invalid credentials in Authorization header")(Reply)
        if method != "GET" and method != "HEAD" and token != OWNER and not path.startswith("/storage/"):
            return refuse(403, 'You don\'t have the rights to write to the namespace "org"')(Reply)
        if path == "/api/repos/create":
            wanted = json.loads(body)
            name = f"{wanted['organization']}/{wanted['name']}"
            repo = self.repos[name] = Repo(wanted.get("visibility") == "private" or bool(wanted.get("private")))
            repo.commit({".gitattributes": b"*.safetensors filter=lfs"}, "initial commit")
            return _json({"url": f"{self.url}/{name}"})
        if path.startswith("/storage/"):
            self.storage[path.removeprefix("/storage/")] = body
            return Reply()
        if path == "/api/validate-yaml":
            return _json({"errors": [], "warnings": []})
        name, action, revision, file = re.fullmatch(ROUTE, path).groups()
        repo = self.repos.get(name)
        if repo is None or (repo.private and token != OWNER):
            return refuse(404 if token else 401, "Repository not found", "RepoNotFound")(Reply)
        revision = repo.refs.get(unquote(revision or "main"), revision)
        if action != "info" and revision not in repo.commits:
            return refuse(404, f"Invalid rev id: {revision}", "RevisionNotFound")(Reply)
        return getattr(self, f"_{action or 'revision'}")(repo, revision, file, body)

    def _revision(self, repo: Repo, commit: str, path: None, body: bytes) -> Reply:
        rows = [{"rfilename": name, "blobId": etag(content)} for name, content in repo.commits[commit].items()]
        for row in rows:
            if len(row["blobId"]) == 64:
                row["lfs"] = {"sha256": row["blobId"], "size": 0, "pointerSize": 130}
        return _json({"id": "org/any", "sha": commit, "private": repo.private, "tags": [], "siblings": rows})

    def _resolve(self, repo: Repo, commit: str, path: str, body: bytes) -> Reply:
        content = repo.commits[commit].get(path)
        if content is None:
            return refuse(404, "Entry not found", "EntryNotFound")(Reply)
        return Reply(content, headers={"X-Repo-Commit": commit, "ETag": f'"{etag(content)}"'})

    def _preupload(self, repo: Repo, commit: str, path: None, body: bytes) -> Reply:
        files = json.loads(body)["files"]
        for file in files:
            large = b"\0" in base64.b64decode(file.pop("sample"))
            file.update(uploadMode="lfs" if large else "regular", shouldIgnore=False)
        return _json({"files": files})

    def _info(self, repo: Repo, commit: str, path: str, body: bytes) -> Reply:
        """Where large files go."""
        wanted = json.loads(body)["objects"]
        for file in wanted:
            if file["oid"] not in self.storage:
                file["actions"] = {"upload": {"href": f"{self.url}/storage/{file['oid']}"}}
        return _json({"transfer": "basic", "objects": wanted})

    def _commit(self, repo: Repo, commit: str, path: None, body: bytes) -> Reply:
        head, *changes = [json.loads(line) for line in body.splitlines()]
        if head["value"].get("parentCommit", commit) != commit:
            return refuse(412, "A commit has happened since. Please refresh and try again.")(Reply)
        files = dict(repo.files)
        for change in changes:
            value, kind = change["value"], change["key"]
            if kind == "deletedFile":
                del files[value["path"]]
            else:
                large = kind == "lfsFile"
                files[value["path"]] = self.storage[value["oid"]] if large else base64.b64decode(value["content"])
        made = repo.commit(files, head["value"]["summary"])
        return _json({"success": True, "commitOid": made, "commitUrl": f"{self.url}/org/pets/commit/{made}"})

    def _tag(self, repo: Repo, commit: str, path: None, body: bytes) -> Reply:
        repo.refs[json.loads(body)["tag"]] = commit
        return _json({})


def _json(value: object) -> Reply:
    return Reply(json.dumps(value).encode())


class _Handler(BaseHTTPRequestHandler):
    hub: HubServer

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        token = self.headers.get("Authorization", "").removeprefix("Bearer ") or None
        reply = self.hub.answer(self.command, urlsplit(self.path).path, token, body)
        if reply.status is None:
            return
        self.send_response(reply.status)
        for key, value in {"Content-Length": str(len(reply.body)), **reply.headers}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body)

    do_HEAD = do_POST = do_PUT = do_GET  # noqa: N815 the names http.server calls

    def log_message(self, *_: object) -> None:
        pass
