"""One page of a small model, and one visit of a browser to it."""

import io
import os
import shutil
from pathlib import Path

import onnx
import pytest
from tiny_model import tiny
from web_browser import find_browser, run_steps
from web_images import pictures, preprocesses

from export import export
from export.deliver.web import find_ort_web, write_page
from export.deliver.web.record import tall_first
from export.digest import seal
from export.errors import WebRuntimeError

# Read while tests are collected: later a fixture may have put an empty cache in place of the user's.
_CACHE = os.environ.get("SALU_ZOO_CACHE")


@pytest.fixture(scope="session")
def ort_web():
    """onnxruntime-web, from the user's cache or the registry."""
    try:
        with pytest.MonkeyPatch.context() as patch:
            if _CACHE is None:
                patch.delenv("SALU_ZOO_CACHE", raising=False)
            else:
                patch.setenv("SALU_ZOO_CACHE", _CACHE)
            return find_ort_web()
    except WebRuntimeError as error:
        pytest.skip(f"needs onnxruntime-web: {error}")


@pytest.fixture(scope="session")
def web_export(spec, tmp_path_factory):
    """`tiny()` for target `web`."""
    return export(tiny(), tmp_path_factory.mktemp("web") / "tiny.onnx", target="web", input_spec=spec, threads=1)


@pytest.fixture(scope="session")
def page(web_export, ort_web, tmp_path_factory):
    """The page of `web_export`."""
    folder = tmp_path_factory.mktemp("site") / "page"
    write_page(web_export.path, folder, ort_web=ort_web)
    return folder


@pytest.fixture(scope="session")
def visited(page, web_export, ort_web):
    """What a browser finds on the page, and on copies of it with one thing broken each."""
    find_browser()
    root = page.parent
    for name, image in pictures().items():
        image.save(root / name)
    (root / "turned.jpg").write_bytes(_turned())
    _broken(page, root / "cut", "model.onnx", lambda content: content[:-100])
    _broken(page, root / "changed", "model.onnx", lambda content: content[:-1] + bytes([content[-1] ^ 1]))
    _broken(page, root / "nothing", "model.json", None)
    _broken(page, root / "noworker", "worker.js", None)
    configs = [p.to_dict() | {"tall_first": tall_first()} for p in preprocesses()]
    cases = [{"image": f"/{name}", "config": config} for name in pictures() for config in configs]
    cases.append({"image": "/turned.jpg", "config": configs[0]})
    shown = [f"/page/samples/{i}.png" for i in (0, 1, 4)] + ["/wide.png", "/tall.png"]
    write_page(_cpu_only(web_export.path, root / "det.onnx"), root / "det", ort_web=ort_web)
    broken = [{"name": n, "kind": "open", "page": f"/{n}/"} for n in ("cut", "changed", "nothing", "noworker")]
    return run_steps(
        root,
        [
            {"name": "tensors", "kind": "tensors", "cases": cases},
            {"name": "wasm", "kind": "logits", "page": "/page/", "backend": "wasm", "images": shown},
            {"name": "webgpu", "kind": "logits", "page": "/page/", "backend": "webgpu", "images": shown[-2:]},
            {"name": "use", "kind": "use", "page": "/page/", "own": "/wide.png", "gpu": True},
            {"name": "outside", "kind": "outside", "page": "/page/", "url": "http://localhost:{port}/steps.json"},
            {"name": "fallback", "kind": "fallback", "page": "/det/"},
            *broken,
        ],
    )


def _broken(page: Path, copy: Path, name: str, change) -> None:
    """The page again, its files linked, with one of them changed or left out."""
    shutil.copytree(page, copy, copy_function=lambda source, target: Path(target).symlink_to(source))
    (copy / name).unlink()
    if change is not None:
        (copy / name).write_bytes(change((page / name).read_bytes()))


def _cpu_only(file: Path, copy: Path) -> Path:
    """A file with the record of `file` whose one operator, the determinant, WebGPU does not have."""
    model = onnx.load(file)
    del model.graph.node[:], model.graph.initializer[:], model.graph.value_info[:]
    model.graph.node.append(onnx.helper.make_node("Det", ["image"], ["logits"]))
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_value = 3
    seal(model)
    onnx.save(model, copy)
    return copy


def _turned() -> bytes:
    """A JPEG that says it lies on its side."""
    image = pictures()["wide.png"].resize((60, 40)).convert("RGB")
    exif = image.getexif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=95, exif=exif)
    return buffer.getvalue()
