"""A folder in an environment that pip has just made: onnxruntime, numpy and Pillow, nothing else of ours."""

import json
import os
import subprocess
import sys
import venv

import numpy as np
import pytest
from PIL import Image

from export import load_predictor

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """The interpreter of that environment."""
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder, with_pip=True)
    interpreter = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    install = [interpreter, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    install += ["onnxruntime", "numpy", "pillow"]
    done = subprocess.run(install, capture_output=True, text=True, timeout=600)
    if done.returncode:
        pytest.skip(f"pip installs nothing here: {done.stderr[-300:]}")
    return interpreter


def run(python, *arguments, **environment):
    plain = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    command = [str(python), *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=120, env=plain | environment, cwd=python.parent
    )


def test_nothing_else_is_installed(python):
    names = "torch", "zoo", "export", "onnx", "timm", "typer"
    code = f"import importlib.util; print([n for n in {names!r} if importlib.util.find_spec(n)])"
    assert run(python, "-c", code).stdout.strip() == "[]"


@pytest.mark.parametrize("kind", ["bundled", "own_bundled"])
def test_the_zoos_own_numbers(kind, python, picture, request):
    folder = request.getfixturevalue(kind)
    done = run(python, folder / "run.py", picture, "--threads", 1, "--json")
    assert done.returncode == 0, done.stderr
    predictor = load_predictor(folder / "model.onnx", threads=1)
    with Image.open(picture) as image:
        expected = predictor(predictor.preprocess(image)[None])[0].numpy()
    found = np.float32(json.loads(done.stdout)["logits"])
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6 * abs(expected).max())


def test_module_of_the_package(python, bundled, picture, repository):
    done = run(python, "-m", "export.runtime", bundled, picture, PYTHONPATH=str(repository))
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 4


def test_what_needs_more_says_so(python, text_bundled):
    done = run(python, text_bundled / "run.py", "a text")
    assert (done.returncode, done.stdout) == (1, "")
    assert "pip install tokenizers" in done.stderr
