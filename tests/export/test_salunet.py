"""The zoo's own models through the whole export."""

import numpy as np
import pytest
import torch

from export import export, load_predictor
from export.parity.probes import IMAGES, seeded_images
from zoo.models import MODELS, build_model

BASE = "salunet_c18_cifar"


def build(name):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return build_model(name).eval()


@pytest.fixture(scope="session")
def salunet(tmp_path_factory):
    """The CIFAR SaluNet-C-18 with random weights, and its export."""
    model = build(BASE)
    return model, export(model, tmp_path_factory.mktemp("salunet") / "model.onnx", threads=1)


def test_parity(salunet):
    report = salunet[1].parity
    assert [r.found.n for r in report.results if r.kind == IMAGES] == [1, 3, 8, 8]
    assert report.worst("max_rel") <= 1e-5
    assert report.top1_agreement == 1.0
    assert report.worst("new_nans") == report.worst("undefined") == 0


def test_graph_has_nothing_but_plain_arithmetic(salunet):
    allowed = {"Conv", "Gemm", "ReduceMean", "Reshape", "Add", "Mul", "Div", "Clip", "Max", "Sqrt", "Reciprocal"}
    assert set(salunet[1].nodes) <= allowed
    assert salunet[1].nodes["Conv"] == 20


def test_same_answers_as_torch_on_64_images(salunet):
    model, result = salunet
    predictor = load_predictor(result.path, threads=1)
    images = seeded_images(predictor.preprocess, 64, seed=5)
    with torch.inference_mode():
        expected = model(images)
    logits = torch.cat([predictor(part) for part in images.split(24)])
    torch.testing.assert_close(logits, expected, rtol=0, atol=1e-5 * float(expected.abs().max()))
    labels = torch.from_numpy(np.random.default_rng(0).integers(0, 10, 64))
    right = [(table.argmax(1) == labels).tolist() for table in (expected, logits)]
    assert right[0] == right[1]
    assert predictor.metadata.model == BASE


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in MODELS.names() if name != BASE])
def test_every_model_exports(name, tmp_path):
    result = export(build(name), tmp_path / "model.onnx")
    assert result.parity.worst("max_rel", IMAGES) <= 1e-5
    assert result.parity.top1_agreement == 1.0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("norm", "act"),
    [("batchnorm", "relu"), ("batchnorm", "swalu"), ("salu", "relu"), ("salu", "galu"), ("dyt", "gelu")],
)
def test_baselines_and_gates_export(norm, act, tmp_path):
    model = build_model(BASE, norm=norm, act=act)
    assert export(model, tmp_path / "model.onnx").parity.passed
