"""Where onnxruntime-web comes from, with a small package in its place and a registry on loopback."""

import base64
import hashlib
import http.server
import io
import tarfile
import threading

import pytest

from export.deliver.web import find_ort_web, ort_web
from export.errors import WebRuntimeError
from zoo.errors import OutputError

FILES = {"ort.wasm.min.mjs": b"export default 1;", "ort-wasm-simd-threaded.wasm": b"\0asm"}


def packed(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in {"package.json": b"{}", **{f"dist/{name}": c for name, c in files.items()}}.items():
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


PACKAGE = packed(FILES)


def integrity(content: bytes) -> str:
    return "sha512-" + base64.b64encode(hashlib.sha512(content).digest()).decode()


@pytest.fixture
def pinned(monkeypatch, tmp_path):
    """The small package is the version wanted, nothing is in the cache, and no registry can be reached."""
    monkeypatch.setattr(ort_web, "FILES", {name: hashlib.sha256(c).hexdigest() for name, c in FILES.items()})
    monkeypatch.setattr(ort_web, "INTEGRITY", integrity(PACKAGE))
    monkeypatch.setattr(ort_web.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("SALU_ZOO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9")
    return tmp_path


@pytest.fixture
def registry(pinned, monkeypatch):
    """A registry that serves what the test puts there, and remembers what was asked."""
    served, asked = {"content": PACKAGE}, []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(200 if served["content"] else 404)
            self.end_headers()
            self.wfile.write(served["content"])

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        monkeypatch.setenv("npm_config_registry", f"http://127.0.0.1:{server.server_port}/npm/")
        yield served, asked
        server.shutdown()
        thread.join()


def test_fetched_once_then_cached(registry):
    _, asked = registry
    assert find_ort_web().files == FILES
    assert find_ort_web().files == FILES
    assert asked == [f"/npm/onnxruntime-web/-/onnxruntime-web-{ort_web.ORT_WEB_VERSION}.tgz"]


def test_a_damaged_cache_is_fetched_again_and_said(registry, pinned):
    find_ort_web()
    (file,) = (pinned / "cache").rglob("*.wasm")
    file.write_bytes(b"damaged")
    with pytest.warns(ort_web.OrtWebCacheWarning, match=r"another content in .*wasm"):
        assert find_ort_web().files == FILES
    assert file.read_bytes() == FILES[file.name]


@pytest.mark.parametrize("content", [PACKAGE[:-5], packed({**FILES, "ort.wasm.min.mjs": b"evil"}), b"<html>"])
def test_other_bytes_from_the_registry_are_refused_and_not_kept(registry, pinned, content):
    registry[0]["content"] = content
    with pytest.raises(WebRuntimeError, match=r"is not onnxruntime-web .* as the registry publishes it"):
        find_ort_web()
    assert not list((pinned / "cache").rglob("*.*js"))


def test_a_registry_without_it(registry):
    registry[0]["content"] = b""
    with pytest.raises(WebRuntimeError, match=r"404.*npm pack onnxruntime-web@"):
        find_ort_web()


def test_no_registry_and_no_network(pinned, monkeypatch):
    with pytest.raises(WebRuntimeError, match=r"cannot be fetched from http://127.0.0.1:9/.*--ort-web"):
        find_ort_web()
    monkeypatch.setenv("npm_config_registry", "file:///tmp")
    with pytest.raises(WebRuntimeError, match="no http address"):
        find_ort_web()


def test_offline_nothing_is_asked(registry, monkeypatch):
    monkeypatch.setattr(ort_web.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(WebRuntimeError, match="HF_HUB_OFFLINE forbids"):
        find_ort_web()
    assert registry[1] == []


def test_a_copy_on_this_machine(pinned):
    (pinned / "ort.tgz").write_bytes(PACKAGE)
    assert find_ort_web(pinned / "ort.tgz").files == FILES
    with tarfile.open(pinned / "ort.tgz") as archive:
        for member in filter(tarfile.TarInfo.isfile, archive):  # Python 3.11.2 has no filters to extract with
            place = pinned / "unpacked" / member.name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(archive.extractfile(member).read())
    for folder in ("unpacked", "unpacked/package", "unpacked/package/dist"):
        assert find_ort_web(pinned / folder).files == FILES
    assert not (pinned / "cache").exists()


def test_a_copy_that_is_none(pinned):
    with pytest.raises(WebRuntimeError, match=r"Cannot read .*nowhere"):
        find_ort_web(pinned / "nowhere")
    with pytest.raises(WebRuntimeError, match=r"it lacks ort\.wasm"):
        find_ort_web(pinned)
    (pinned / "ort.tgz").write_bytes(PACKAGE[:100])
    with pytest.raises(WebRuntimeError, match="expected sha512-"):
        find_ort_web(pinned / "ort.tgz")


def test_a_cache_that_cannot_be_written(registry, pinned):
    (pinned / "cache").write_text("a file", "utf-8")
    with pytest.raises(OutputError, match="Cannot write"):
        find_ort_web()
