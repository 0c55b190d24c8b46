"""What a folder's programs answer, where there is no torch, no zoo, no export: the zoo's own numbers."""

import json
import subprocess
import sys

import numpy as np
import pytest
from delivered import AT_THE_EDGE, BLOCK, retargeted, run_program
from PIL import Image

from export import load_predictor
from export.deliver.bundle import write_bundle
from export.deliver.bundle.bundle_engines import HINTS
from export.runtime import openvino_session
from export.runtime.engine import engine_here
from export.targets import TARGETS, list_targets

TEXT = "a good film , not dull"


def answer(program, *arguments, **options):
    done = run_program(program, *arguments, "--json", **options)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def expected_logits(file, picture):
    predictor = load_predictor(file, threads=1)
    with Image.open(picture) as image:
        return predictor(predictor.preprocess(image)[None])[0]


def test_image(bundled, exported, picture):
    found = answer(bundled / "run.py", picture, "--threads", 1)
    logits = expected_logits(exported.path, picture)
    np.testing.assert_array_equal(np.float32(found["logits"]), logits.numpy())
    shares = logits.double().softmax(0)
    order = shares.argsort(descending=True).tolist()
    labels = load_predictor(exported.path).labels
    assert [(row["class"], row["label"]) for row in found["best"]] == [(i, labels[i]) for i in order]
    assert [row["probability"] for row in found["best"]] == pytest.approx(shares[order].tolist(), abs=1e-12)


def test_text_and_pair(text_bundled, text_exported):
    predictor = load_predictor(text_exported.path, threads=1)
    for given in ((TEXT,), (TEXT, "it is a bad one"), ("word " * 300,)):
        found = answer(text_bundled / "run.py", *given, "--threads", 1)
        batch = predictor.preprocess.encode([given if len(given) == 2 else given[0]])
        np.testing.assert_array_equal(np.float32(found["logits"]), predictor(batch)[0].numpy())


def test_prints_the_best_classes(bundled, picture):
    done = run_program(bundled / "run.py", picture, "--top", 2)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 2
    assert "%" in done.stdout


def test_installed_package_runs_a_folder_without_torch(bundled, picture):
    """`python -m export.runtime`: of this project only what needs no torch may load."""
    absent = tuple(name for name in AT_THE_EDGE if name not in ("zoo", "export"))
    start = BLOCK.format(names=set(absent)) + "import runpy; runpy.run_module('export.runtime', run_name='__main__')"
    command = [sys.executable, "-c", start, str(bundled), str(picture), "--threads", "1", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == answer(bundled / "run.py", picture, "--threads", 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nowhere.png",), "Cannot read nowhere.png"),
        (("a.png", "b.png"), "Give the path of one image; got 2"),
    ],
)
def test_refusals(bundled, arguments, message):
    done = run_program(bundled / "run.py", *arguments)
    assert done.returncode == 1
    assert message in done.stderr
    assert not done.stdout


def test_text_refusals(text_bundled):
    assert "got 3" in run_program(text_bundled / "run.py", "a", "b", "c").stderr
    done = run_program(text_bundled / "run.py", TEXT, block=(*AT_THE_EDGE, "tokenizers"))
    assert (done.returncode, done.stderr.strip()) == (
        1,
        "A text model needs the library of its tokenizer: pip install tokenizers.",
    )


def test_an_image_needs_pillow_and_a_text_does_not(bundled, text_bundled, picture):
    done = run_program(bundled / "run.py", picture, block=(*AT_THE_EDGE, "PIL"))
    assert (done.returncode, done.stderr.strip()) == (1, "A model for images needs Pillow: pip install pillow.")
    assert run_program(text_bundled / "run.py", TEXT, block=(*AT_THE_EDGE, "PIL")).returncode == 0


def test_not_a_folder(tmp_path):
    command = [sys.executable, "-m", "export.runtime", str(tmp_path), "x.png"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "is not a folder that `zoo export --bundle` wrote" in done.stderr


@pytest.mark.parametrize("name", list_targets())
def test_every_target_has_a_client_for_its_own_engine(name, exported, picture, tmp_path):
    """One whose engine is here runs; another says what is missing, and runs nowhere else instead."""
    target = TARGETS.get(name)
    if target.runtime not in ("onnxruntime", "openvino"):
        pytest.skip(f"a file for {name} runs in {target.runtime}, which is no Python program")
    folder = write_bundle(retargeted(exported.path, tmp_path, name, target.precisions[0]), tmp_path / "bundle")
    results = {program: run_program(folder / program, picture) for program in ("client.py", "run.py")}
    if starts_here(target):
        expected = int(expected_logits(exported.path, picture).argmax())
        assert [done.returncode for done in results.values()] == [0, 0], results
        assert f"'class': {expected}," in results["client.py"].stdout.splitlines()[0]
    else:
        assert [(done.returncode, done.stdout) for done in results.values()] == [(1, "")] * 2
        engine = "OpenVINO" if target.runtime == "openvino" else target.providers[0]
        assert engine in results["run.py"].stderr.splitlines()[-1]
        assert "pip install" in results["run.py"].stderr.splitlines()[-1]


def starts_here(target):
    if target.runtime == "openvino":
        return openvino_session.installed()
    return bool(target.elsewhere) or not engine_here(target, target.precisions[0]).not_run


def test_each_precision_reaches_its_engine(exported, tmp_path):
    found = {}
    for name, precision in (("gpu_cuda", "float32"), ("gpu_cuda", "tf32"), ("gpu_tensorrt", "float16")):
        file = retargeted(exported.path, tmp_path / name / precision, name, precision)
        folder = write_bundle(file, tmp_path / name / precision / "bundle")
        found[name, precision] = json.loads((folder / "bundle.json").read_text("utf-8"))["engine"]["providers"][0]
        assert str(tuple(found[name, precision])).replace("'", '"') in (folder / "client.py").read_text("utf-8")
    assert found == {
        ("gpu_cuda", "float32"): ["CUDAExecutionProvider", {"use_tf32": "0"}],
        ("gpu_cuda", "tf32"): ["CUDAExecutionProvider", {"use_tf32": "1"}],
        ("gpu_tensorrt", "float16"): ["TensorrtExecutionProvider", {"trt_fp16_enable": "1"}],
    }


def test_openvino_is_told_the_precision():
    assert openvino_session._HINTS == HINTS
