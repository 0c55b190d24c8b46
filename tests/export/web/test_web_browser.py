"""The page in a headless browser: pixels, logits, what it shows, and what it says when something is wrong."""

import base64
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps
from tiny_model import LABELS
from web_browser import ISOLATED, run_steps, value_of
from web_images import pictures, preprocesses

from export import export
from export.deliver.web import write_page
from export.deliver.web.web_tolerances import MAX_REL
from export.runtime.predictor import load_predictor


def floats(text: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), np.float32)


def max_rel(found, expected) -> float:
    return np.abs(found - expected).max() / np.abs(expected).max()


def check_logits(answers: dict, images: list[Path], file: Path, backend: str) -> None:
    """Each image: Python's tensor to the bit, ONNX Runtime's logits within the table's limit, and its first class."""
    predictor = load_predictor(file, threads=1)
    assert len(answers["found"]) == len(images)
    for answer, path in zip(answers["found"], images, strict=True):
        with Image.open(path) as image:
            tensor = predictor.preprocess(image)
        np.testing.assert_array_equal(floats(answer["tensor"]), tensor.numpy().ravel(), err_msg=path.name)
        expected = predictor(tensor[None])[0].numpy()
        found = np.array(answer["logits"], np.float32)
        assert max_rel(found, expected) <= MAX_REL[backend], path.name
        assert found.argmax() == expected.argmax(), path.name
        assert answer["runs"] >= 1
        assert answer["median_ms"] >= 0  # a browser's clock ticks in tenths of a millisecond


def test_tensors_equal_python_to_the_bit(visited):
    made = iter(value_of(visited, "tensors"))
    for name, image in pictures().items():
        for preprocess in preprocesses():
            expected = preprocess(image).numpy().ravel()
            np.testing.assert_array_equal(floats(next(made)), expected, err_msg=f"{name} {preprocess}")
    next(made)  # the JPEG, below
    assert next(made, None) is None


def test_a_photo_is_turned_upright(visited, page):
    preprocess = preprocesses()[0]
    found = floats(value_of(visited, "tensors")[-1])
    with Image.open(page.parent / "turned.jpg") as image:
        lying, upright = preprocess(image), preprocess(ImageOps.exif_transpose(image))
    # Two JPEG decoders may differ by a level or two of 255, each of which is 0.02 after the division by std.
    assert np.abs(found - upright.numpy().ravel()).max() < 0.1
    assert np.abs(found - lying.numpy().ravel()).max() > 0.5


@pytest.mark.parametrize("backend", ["wasm", "webgpu"])
def test_logits_equal_onnxruntime(visited, page, web_export, backend):
    answers = value_of(visited, backend)
    if answers.get("missing"):
        pytest.skip("this browser offers no adapter for WebGPU, not even SwiftShader")
    images = [page / f"samples/{i}.png" for i in (0, 1, 4)] + [page.parent / "wide.png", page.parent / "tall.png"]
    # Fewer by WebGPU: SwiftShader takes its time.
    check_logits(answers, images if backend == "wasm" else images[-2:], web_export.path, backend)
    assert answers["loaded"]["threads"] == 1
    check = answers["loaded"]["check"]
    assert check["passed"]
    assert check["rel"] <= check["allowed"] == MAX_REL[backend]


def test_a_visit(visited, page, web_export):
    seen = value_of(visited, "use")
    assert seen["before"]["h1"] == "Tiny"
    assert "not among those salu-zoo publishes" in seen["before"]["notice"]
    assert seen["before"]["empty"]
    assert "Licence\nnot stated" in seen["before"]["model"].replace("\t", "\n")
    _check_bars(seen["sample"], page / "samples/0.png", web_export.path)
    assert "median of" in seen["sample"]["latency"]
    assert "WebAssembly runs the model on the processor, one thread" in seen["sample"]["backend-now"]
    assert "WebGPU is not used" in seen["sample"]["backend-why"]
    assert "passed" in seen["sample"]["run-facts"]
    assert seen["wide"] <= 320, "the page is wider than a small phone"


def test_a_broken_image_is_named_and_the_next_one_works(visited, page, web_export):
    seen = value_of(visited, "use")
    assert "not an image" in seen["broken"]["error"]
    assert seen["broken"]["bars"] == []
    assert seen["dropped"]["error"] == ""
    _check_bars(seen["dropped"], page.parent / "wide.png", web_export.path)


def test_the_other_backend_can_be_chosen(visited, page, web_export):
    seen = value_of(visited, "use")
    if seen["other"] is None:
        pytest.skip("this browser offers no adapter for WebGPU, not even SwiftShader")
    assert "WebGPU runs every operator" in seen["other"]["backend-now"]
    assert seen["other"]["backend-why"] == ""
    assert seen["other"]["bars"] == seen["dropped"]["bars"]


def test_webgpu_runs_all_or_says_why_not(visited):
    seen = value_of(visited, "fallback")
    if seen is None:
        pytest.skip("this browser offers no adapter for WebGPU, not even SwiftShader")
    assert seen["chosen"] == "wasm"
    assert "WebAssembly runs" in seen["backend-now"]
    assert "WebGPU is not used: it failed to run this model here" in seen["backend-why"]
    assert "fallback" in seen["backend-why"], "the reason is that operators would have to run on the processor"


def test_nothing_comes_from_or_goes_elsewhere(visited):
    urls = value_of(visited, "use")["urls"]
    assert any(url.endswith("model.json") for url in urls)
    assert all(url.startswith(("http://127.0.0.1:", "blob:", "data:")) for url in urls), urls
    assert value_of(visited, "outside") == {"here": "sent", "page": "refused"}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("cut", "model.onnx should have"),
        ("changed", "model.onnx is not the file this page was made with"),
        ("nothing", "does not have model.json (status 404)"),
        ("noworker", "worker.js cannot be started"),
    ],
)
def test_a_broken_page_says_what_is_wrong(visited, name, words):
    seen = value_of(visited, name)
    assert words in seen["error"]
    assert "Copy the folder again" in seen["error"]
    assert seen["bars"] == []


def _check_bars(seen: dict, image: Path, file: Path) -> None:
    predictor = load_predictor(file, threads=1)
    with Image.open(image) as opened:
        shares = predictor(predictor.preprocess(opened)[None])[0].softmax(0).numpy()
    order = (-shares).argsort(kind="stable")
    assert [bar["name"] for bar in seen["bars"]] == [LABELS[i] for i in order]
    for bar, index in zip(seen["bars"], order, strict=True):
        assert float(bar["share"].removesuffix(" %")) == pytest.approx(100 * shares[index], abs=0.06)
        assert float(bar["width"].removesuffix("%")) == pytest.approx(100 * shares[index], abs=0.01)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["salunet_c18_cifar.cifar10", "fles_poolformer_cifar.cifar10", "salunet_t_cifar"])
def test_models_of_the_zoo(name, ort_web, tmp_path):
    """The shipped images, by WebAssembly in several threads and by WebGPU where there is an adapter."""
    file = export(name, tmp_path / "model.onnx", target="web", pretrained="." in name).path
    page = tmp_path / "page"
    write_page(file, page, ort_web=ort_web)
    images = sorted((page / "samples").iterdir())
    urls = [f"/page/samples/{path.name}" for path in images]
    steps = [{"name": b, "kind": "logits", "page": "/page/", "backend": b, "images": urls} for b in MAX_REL]
    results = run_steps(tmp_path, steps, headers=ISOLATED, timeout_s=900)
    wasm, webgpu = value_of(results, "wasm"), value_of(results, "webgpu")
    assert wasm["loaded"]["threads"] > 1
    check_logits(wasm, images, file, "wasm")
    if not webgpu.get("missing"):
        check_logits(webgpu, images, file, "webgpu")
