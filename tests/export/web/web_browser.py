"""A headless Chromium and a file server on loopback, for tests of what the page does."""

import functools
import http.server
import json
import os
import queue
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# A graphics processor in software, for machines that have none.
GPU_FLAGS = ("--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader")
ISOLATED = {"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp"}


def find_browser() -> str:
    """The browser's program; skips the test where there is none."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip(f"needs a browser: none of {', '.join(NAMES)} is installed")
    return found


class _Handler(http.server.SimpleHTTPRequestHandler):
    """The server behind `python -m http.server`, which also takes the results."""

    def __init__(self, *args: Any, results: "queue.Queue[bytes]", headers: Mapping[str, str], **kwargs: Any) -> None:
        self.results, self.more = results, headers
        super().__init__(*args, **kwargs)

    def do_POST(self) -> None:
        self.results.put(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(204)
        self.end_headers()

    def end_headers(self) -> None:
        for name, value in self.more.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def _served(folder: Path, headers: Mapping[str, str]) -> "Iterator[tuple[int, queue.Queue[bytes]]]":
    results: queue.Queue[bytes] = queue.Queue()
    handler = functools.partial(_Handler, directory=folder, results=results, headers=headers)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server.server_port, results
        finally:
            server.shutdown()
            thread.join()


def run_steps(
    root: Path, steps: list[dict[str, Any]], headers: Mapping[str, str] | None = None, timeout_s: float = 240
) -> dict[str, Any]:
    """Let a browser do steps (see driver.js) with the files below `root`, and return what it found by their names."""
    browser = find_browser()
    for name in ("driver.html", "driver.js"):
        shutil.copy(HERE / name, root / name)
    # A process of the browser may still write to its profile while it is being ended.
    own = tempfile.TemporaryDirectory(prefix="salu_zoo_web_", ignore_cleanup_errors=True)
    with _served(root, headers or {}) as (port, results), own as home:
        (root / "steps.json").write_text(json.dumps(steps).replace("{port}", str(port)), "utf-8")
        flags = ["--headless=new", "--no-first-run", "--disable-dev-shm-usage", f"--user-data-dir={home}/profile"]
        if os.geteuid() == 0:
            flags.append("--no-sandbox")  # which Chromium refuses to use as root
        command = [browser, *flags, *GPU_FLAGS, f"http://127.0.0.1:{port}/driver.html"]
        with (
            (Path(home) / "log").open("wb") as log,
            subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True) as process,
        ):
            try:
                return dict(json.loads(results.get(timeout=timeout_s)))
            except queue.Empty:
                said = (Path(home) / "log").read_text("utf-8", "replace")[-2000:]
                pytest.fail(f"the browser gave no answer within {timeout_s} s; it said: {said}")
            finally:
                os.killpg(process.pid, signal.SIGKILL)


def value_of(results: Mapping[str, Any], name: str) -> Any:
    """What a step found; fails the test with the step's own error if it had one."""
    result = results[name]
    assert "error" not in result, f"{name}: {result['error']}"
    return result["value"]
