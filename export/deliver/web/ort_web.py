"""onnxruntime-web, the runtime of the page: one version, fetched once, and every byte of it checked."""

import base64
import hashlib
import io
import os
import tarfile
import urllib.error
import urllib.request
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import constants

from export.errors import WebRuntimeError
from zoo.files import write_together
from zoo.native import cache_folder

ORT_WEB_VERSION = "1.30.0"
REGISTRY = "https://registry.npmjs.org"
# The `dist.integrity` that the registry publishes for this version.
INTEGRITY = "sha512-q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="
# SHA-256 of what the page needs of it: for each backend the interface, the glue of the WebAssembly module, and that.
FILES = {
    "ort.wasm.min.mjs": "219e6a1fc8a9938268d18efca3c91d310bd2f4a59bbd13744df5b2b7fc6cee3b",
    "ort-wasm-simd-threaded.mjs": "e13f7f94fc51b4ca72b12faeb1ee95f4ace6dfbc8939bc718aabdc0a27c4299b",
    "ort-wasm-simd-threaded.wasm": "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2",
    "ort.webgpu.min.mjs": "3dffff71811bc13a3a3d9591c57ca5ee5735b8f5f3eaf789510b02bb040ae3a0",
    "ort-wasm-simd-threaded.asyncify.mjs": "3d1c85995364bb643302fc6fd877a0c3ba5ae72401815e0f24828a53d9191e28",
    "ort-wasm-simd-threaded.asyncify.wasm": "39f9f0894d478800487ed9f7dbe92618498db320cf55c8e3d89adff8dce658da",
}
TIMEOUT_S = 60
# npm reads the first; where variables have no case, that is the second.
_REGISTRY_VARIABLES = ("npm_config_registry", "NPM_CONFIG_REGISTRY")
# The package has 34 MB; nothing larger is read into memory.
_LARGEST = 100_000_000


class OrtWebCacheWarning(UserWarning):
    """The copy of onnxruntime-web in the cache is not what was put there; it is fetched again."""


@dataclass(frozen=True)
class OrtWeb:
    """The files of onnxruntime-web that a page needs, each checked against its digest.

    Attributes:
        files: content by name, the names being those of the package.
        version: of the package.
    """

    files: Mapping[str, bytes]
    version: str = ORT_WEB_VERSION


def find_ort_web(path: str | Path | None = None) -> OrtWeb:
    """The pinned version of onnxruntime-web: from `path`, from the cache, or from the npm registry.

    The registry is https://registry.npmjs.org, or what npm's own variable `npm_config_registry` names. What it sends
    is kept in the cache (`SALU_ZOO_CACHE`, or `salu-zoo` in `XDG_CACHE_HOME` or ~/.cache). With `HF_HUB_OFFLINE=1`
    nothing is fetched.

    Args:
        path: the package as `npm pack` writes it (.tgz), or its folder; None looks into the cache and then fetches.

    Raises:
        WebRuntimeError: there is nothing at `path`, it is another version, or the package cannot be fetched; each with
            how to get it on a machine without a network.
    """
    if path is not None:
        return _local(Path(path))
    folder = cache_folder().parent / f"onnxruntime-web-{ORT_WEB_VERSION}"
    if folder.is_dir():
        try:
            return OrtWeb(_checked(_folder_files(folder), str(folder)))
        except WebRuntimeError as error:
            warnings.warn(f"{error} It is fetched again.", OrtWebCacheWarning, stacklevel=2)
    found = OrtWeb(_unpacked(_fetched(), "the package fetched"))
    write_together({folder / name: _writer(content) for name, content in found.files.items()})
    return found


def _local(path: Path) -> OrtWeb:
    if path.is_dir():
        inner = next((p for p in (path / "dist", path / "package" / "dist") if p.is_dir()), path)
        return OrtWeb(_checked(_folder_files(inner), str(path)))
    try:
        content = path.read_bytes()
    except OSError as error:
        raise WebRuntimeError(f"Cannot read onnxruntime-web from {path}: {error.strerror}. {_how()}") from error
    return OrtWeb(_unpacked(content, str(path)))


def _folder_files(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in FILES if (folder / name).is_file()}


def _checked(files: dict[str, bytes], place: str) -> dict[str, bytes]:
    """The files, all there and each with the digest it must have."""
    missing = [name for name in FILES if name not in files]
    other = [name for name, content in files.items() if hashlib.sha256(content).hexdigest() != FILES[name]]
    if missing or other:
        problem = f"lacks {', '.join(missing)}" if missing else f"has another content in {', '.join(other)}"
        raise WebRuntimeError(f"{place} is not onnxruntime-web {ORT_WEB_VERSION}: it {problem}. {_how()}")
    return files


def _unpacked(package: bytes, place: str) -> dict[str, bytes]:
    """The files of a package as npm ships it.

    The digest of the whole is compared first, so nothing but the published bytes is ever unpacked.
    """
    found = "sha512-" + base64.b64encode(hashlib.sha512(package).digest()).decode()
    if found != INTEGRITY:
        raise WebRuntimeError(
            f"{place} is not onnxruntime-web {ORT_WEB_VERSION} as the registry publishes it: its integrity is {found}, "
            f"expected {INTEGRITY}. {_how()}"
        )
    files: dict[str, bytes] = {}
    with tarfile.open(fileobj=io.BytesIO(package), mode="r:gz") as archive:
        for name in FILES:
            member = archive.extractfile(f"package/dist/{name}")
            if member is not None:
                files[name] = member.read()
    return _checked(files, place)


def _fetched() -> bytes:
    registry = next((os.environ[name] for name in _REGISTRY_VARIABLES if os.environ.get(name)), REGISTRY)
    url = f"{registry.rstrip('/')}/onnxruntime-web/-/onnxruntime-web-{ORT_WEB_VERSION}.tgz"
    if constants.HF_HUB_OFFLINE:
        raise WebRuntimeError(f"onnxruntime-web is not in the cache, and HF_HUB_OFFLINE forbids to fetch it. {_how()}")
    if not url.startswith(("https://", "http://")):
        raise WebRuntimeError(f"npm_config_registry is {registry!r}, which is no http address. {_how()}")
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer:
            return bytes(answer.read(_LARGEST))
    except (OSError, urllib.error.URLError, ValueError) as error:
        raise WebRuntimeError(f"onnxruntime-web cannot be fetched from {url}: {error}. {_how()}") from error


def _how() -> str:
    return (
        f"Where there is a network, `npm pack onnxruntime-web@{ORT_WEB_VERSION}` writes the package; name that file or "
        "its unpacked folder: zoo page FILE --output FOLDER --ort-web PACKAGE."
    )


def _writer(content: bytes) -> Callable[[Path], int]:
    return lambda file: file.write_bytes(content)
