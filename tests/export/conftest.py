"""One export of a small model, shared by all tests."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from PIL import Image
from tiny_model import LABELS, SIZE, own_activations, tiny
from tiny_text_model import text_model

from export import ExportResult, InputSpec, export
from zoo.data.preprocess import Preprocess


@pytest.fixture(scope="session")
def preprocess() -> Preprocess:
    return Preprocess(SIZE, "bicubic", 1.0, "center", (0.5, 0.4, 0.3), (0.2, 0.25, 0.3))


@pytest.fixture(scope="session")
def spec(preprocess) -> InputSpec:
    return InputSpec(*SIZE, preprocess=preprocess, labels=LABELS)


@pytest.fixture(scope="session")
def exported(spec, tmp_path_factory) -> ExportResult:
    """`tiny()` in training mode, exported once."""
    return export(tiny().train(), tmp_path_factory.mktemp("tiny") / "tiny.onnx", input_spec=spec, threads=1)


@pytest.fixture(scope="session")
def copy_of(exported, tmp_path_factory):
    """A copy of the exported file and its report in a folder of its own, to damage at will."""

    def make() -> Path:
        folder = tmp_path_factory.mktemp("copy")
        for file in (exported.path, exported.parity_path):
            (folder / file.name).write_bytes(file.read_bytes())
        return folder / exported.path.name

    return make


@pytest.fixture(scope="session")
def text_given():
    """`text_model()` in training mode, to be exported."""
    return text_model().train()


@pytest.fixture(scope="session")
def text_exported(text_given, tmp_path_factory) -> ExportResult:
    """`text_given`, exported once."""
    return export(text_given, tmp_path_factory.mktemp("text") / "text.onnx", threads=1)


@pytest.fixture(scope="session")
def cache(compiled_cache, tmp_path_factory):
    """Everything compiled and arranged goes into a folder of the tests."""
    folder = tmp_path_factory.mktemp("cache")
    shutil.copytree(compiled_cache, folder, dirs_exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SALU_ZOO_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="session")
def with_operators(cache, spec, tmp_path_factory) -> ExportResult:
    """A file with operators of our own."""
    file = tmp_path_factory.mktemp("operators") / "own.onnx"
    return export(own_activations(), file, target="edge_cpu", input_spec=spec, threads=1)


@pytest.fixture(scope="session")
def picture(tmp_path_factory) -> Path:
    """Noise of another size than the model takes, as PNG."""
    pixels = torch.randint(0, 256, (29, 41, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    file = tmp_path_factory.mktemp("picture") / "noise.png"
    Image.fromarray(pixels.numpy()).save(file)
    return file


@pytest.fixture
def tiny_by_name(monkeypatch, preprocess):
    """Let `create_model` give `tiny()` for the name tiny.test."""

    def create_model(name, pretrained=None, **_):
        assert name == "tiny.test"
        model = tiny()
        cfg = {"architecture": "tiny", "tag": "test", "label_names": LABELS} | preprocess.to_dict()
        model.pretrained_cfg = cfg
        return model

    monkeypatch.setattr("zoo.names.open_model", lambda *a, **k: SimpleNamespace(model=create_model(*a, **k)))
