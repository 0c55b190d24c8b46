"""A Hub on loopback: enough of its HTTP protocol that an unchanged huggingface_hub uploads to it and downloads from it.

Plain standard library. Repositories live in memory; large files are served by a second server with an address of its
own, as the Hub's storage is, so that a token sent there would be seen. `HubServer.faults` makes chosen requests fail.
"""

import json
import re
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from .hub_server_faults import Fault, Faults
from .hub_server_repos import Repo, User

OWNER = "hf_owner"
READER = "hf_reader"
STRANGER = "hf_stranger"


@dataclass
class Request:
    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes

    @property
    def token(self) -> str | None:
        kind, _, token = self.headers.get("authorization", "").partition(" ")
        return token if kind == "Bearer" else None

    def json(self):
        return json.loads(self.body)


@dataclass
class Reply:
    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)

    @classmethod
    def json(cls, value, status: int = 200, **headers: str) -> "Reply":
        return cls(json.dumps(value).encode(), status, {"Content-Type": "application/json", **headers})

    @classmethod
    def error(cls, status: int, message: str, code: str | None = None) -> "Reply":
        named = {"X-Error-Code": code} if code else {}
        return cls.json({"error": message}, status, **named, **{"X-Error-Message": message})


@dataclass
class Seen:
    """One request that was answered: what it asked and how many bytes of content went out."""

    where: str
    method: str
    path: str
    range: str | None
    token: str | None
    status: int = 0
    sent: int = 0


class Refusal(Exception):  # noqa: N818 an answer, not a failure of the server
    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


Route = tuple[str, re.Pattern[str], Callable[..., Reply]]


class HubServer:
    """Use as a context manager. `url` is the endpoint, `seen` everything that was asked so far.

    Args:
        part_size: upload large files in parts of so many bytes; None for one piece.
    """

    def __init__(self, part_size: int | None = None) -> None:
        from . import hub_server_download, hub_server_upload

        self.part_size = part_size
        self.repos: dict[str, Repo] = {}
        self.large: dict[str, bytes] = {}
        self.parts: dict[tuple[str, int], bytes] = {}
        self.users = {
            OWNER: User("ada", frozenset({"ada", "org"})),
            READER: User("ben", frozenset({"ben", "org"}), may_write=False),
            STRANGER: User("eve", frozenset({"eve"})),
        }
        self.faults = Faults()
        self.seen: list[Seen] = []
        self.lock = threading.Lock()
        hub = [*hub_server_download.ROUTES, *hub_server_upload.ROUTES]
        self._servers = [_listen(self, "hub", hub), _listen(self, "storage", hub_server_download.STORAGE_ROUTES)]
        self.url, self.storage_url = (f"http://127.0.0.1:{server.server_port}" for server in self._servers)

    def __enter__(self) -> "HubServer":
        for server in self._servers:
            threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()

    def asked(self, pattern: str, method: str | None = None) -> list[Seen]:
        """Requests whose path matches, in order."""
        with self.lock:
            return [s for s in self.seen if re.search(pattern, s.path) and method in (None, s.method)]


def _listen(hub: HubServer, where: str, routes: list[Route]) -> ThreadingHTTPServer:
    class Handler(_Handler):
        pass

    Handler.hub, Handler.where, Handler.routes = hub, where, routes
    return _Server(("127.0.0.1", 0), Handler)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address) -> None:
        """A client that goes away in the middle is part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: HubServer
    where: str
    routes: list[Route]

    def do_GET(self) -> None:
        request = self._read()
        seen = Seen(self.where, request.method, request.path, request.headers.get("range"), request.token)
        with self.hub.lock:
            self.hub.seen.append(seen)
        fault = self.hub.faults.take(request.method, request.path)
        if fault and fault.before:
            fault.before()
        time.sleep(fault.wait_s if fault else 0)
        if fault and fault.no_range:
            request.headers.pop("range", None)
        if fault and fault.status:
            reply = Reply.error(fault.status, fault.message, fault.code)
        else:
            reply = self._answer(request)
        seen.status = reply.status
        if fault and fault.lost:
            self._hang_up()
        else:
            self._send(request, reply, fault, seen)

    do_HEAD = do_POST = do_PUT = do_GET  # noqa: N815 the names http.server calls

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self, request: Request) -> Reply:
        for method, pattern, function in self.routes:
            found = pattern.fullmatch(request.path)
            if found and request.method in method.split("|"):
                try:
                    with self.hub.lock:
                        return function(self.hub, request, **found.groupdict())
                except Refusal as refusal:
                    return refusal.reply
        return Reply.error(404, f"Cannot {request.method} {request.path}")

    def _read(self) -> Request:
        headers = {key.lower(): value for key, value in self.headers.items()}
        body = self.rfile.read(int(headers.get("content-length", 0)))
        if headers.get("transfer-encoding") == "chunked":
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        address = urlsplit(self.path)
        return Request(self.command, address.path, parse_qs(address.query), headers, body)

    def _send(self, request: Request, reply: Reply, fault: Fault | None, seen: Seen) -> None:
        """One answer a connection: nothing is left open when a test ends."""
        body = fault.damage(reply.body) if fault else reply.body
        self.send_response(reply.status)
        for key, value in {"Content-Length": str(len(body)), **reply.headers, "Connection": "close"}.items():
            self.send_header(key, value)
        self.end_headers()
        self.close_connection = True
        if request.method == "HEAD":
            return
        stop = len(body) if fault is None or fault.cut_after is None else fault.cut_after
        step = fault.piece if fault and fault.piece else max(1, len(body))
        for start in range(0, stop, step):
            piece = body[start : min(stop, start + step)]
            self.wfile.write(piece)
            self.wfile.flush()
            seen.sent += len(piece)
            time.sleep(fault.pause_s if fault else 0)
        if fault and fault.reset:
            self._hang_up()

    def _hang_up(self) -> None:
        """Close the connection so that the other side sees it reset."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
