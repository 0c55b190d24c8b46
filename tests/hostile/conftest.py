"""Servers on loopback that answer whatever a test wants, and a Hub that they stand for."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

Answer = Callable[[BaseHTTPRequestHandler], None]
TOKEN = "hf_secretsecretsecret"


class Server:
    """`heard` is every request: method, path and headers."""

    def __init__(self, answer: Answer) -> None:
        self.heard: list[tuple[str, str, dict[str, str]]] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                server.heard.append((self.command, self.path, dict(self.headers)))
                self.close_connection = True
                try:
                    answer(self)
                except OSError:
                    return  # who asked has gone

            do_HEAD = do_POST = do_GET  # noqa: N815 the names http.server calls

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def reply(handler: BaseHTTPRequestHandler, status: int, headers: dict[str, str], body: bytes = b"") -> None:
    handler.send_response(status)
    for name, value in {"Content-Length": str(len(body)), **headers}.items():
        handler.send_header(name, value)
    handler.end_headers()
    if handler.command != "HEAD":
        handler.wfile.write(body)


@pytest.fixture
def serve() -> Iterator[Callable[[Answer], Server]]:
    """Starts servers."""
    with ExitStack() as stack:

        def start(answer: Answer) -> Server:
            server = Server(answer)
            stack.callback(server.close)
            return server

        yield start


@pytest.fixture
def endpoint(
    serve: Callable[[Answer], Server], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[Answer], Server]]:
    """Starts a server that huggingface_hub takes for the Hub, with a token, and a cache in `tmp_path`/cache/hub."""
    from huggingface_hub import close_session, constants

    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    values: dict[str, Any] = {"HF_HUB_OFFLINE": False, "HF_HUB_CACHE": str(tmp_path / "cache" / "hub")}
    for name, value in values.items():
        monkeypatch.setattr(constants, name, value)

    def start(answer: Answer) -> Server:
        server = serve(answer)
        monkeypatch.setattr(constants, "ENDPOINT", server.url)
        template = server.url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        close_session()
        return server

    yield start
    close_session()
