"""What the tools of onnx and ONNX Runtime make of our files, and which phones run them whole."""

import re
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from edge_models import SPEC, maps_of_fles, residual
from made import STANDARD, make, traced_once
from onnxruntime import quantization
from tiny_text_model import text_model

from export.digest import load_to_change
from export.errors import ChangedFileError
from export.runtime.session import open_session


@pytest.fixture(scope="module")
def images():
    return traced_once(residual(), SPEC)


@pytest.fixture(scope="module")
def texts():
    return traced_once(text_model())


@pytest.mark.parametrize(("target", "precision"), [*STANDARD, ("edge_cpu", "float32")])
def test_stored_weights_describe_themselves(images, target, precision):
    graph = make(images, target, precision).graph
    described = {value.name for value in graph.value_info}
    assert described
    assert not described & {weight.name for weight in graph.initializer}


@pytest.mark.parametrize(("target", "precision"), STANDARD)
@pytest.mark.parametrize("kind", ["images", pytest.param("texts", marks=pytest.mark.slow)])
def test_onnx_accepts_them_strictly(kind, target, precision, request):
    proto = make(request.getfixturevalue(kind), target, precision)
    onnx.checker.check_model(proto, full_check=True)
    inferred = onnx.shape_inference.infer_shapes(proto, check_type=True, strict_mode=True, data_prop=True)
    assert len(inferred.graph.value_info) >= len(proto.graph.value_info)


class Few(quantization.CalibrationDataReader):
    """Two batches for calibration."""

    def __init__(self, session):
        random, self.left = np.random.default_rng(0), []
        for _ in range(2):
            self.left.append({
                given.name: random.normal(size=(2, *given.shape[1:])).astype(np.float32)
                if given.type == "tensor(float)"
                else np.ones((2, 5), np.int64)
                for given in session.get_inputs()
            })  # fmt: skip

    def get_next(self):
        return self.left.pop() if self.left else None


def opened(path):
    """A session on what a tool made; that it is no longer what was exported has to be said first."""
    with pytest.raises(ChangedFileError, match=r"If the change was meant.* take the property salu_zoo\.digest out"):
        open_session(path, threads=1)
    model = load_to_change(path.read_bytes())
    return open_session(model.SerializeToString(), threads=1)


def quantised(proto, folder, read):
    """The file by the dynamic and by the static quantiser."""
    onnx.save(proto, folder / "given.onnx")
    static, dynamic = folder / "static.onnx", folder / "dynamic.onnx"
    quantization.quantize_dynamic(folder / "given.onnx", dynamic)
    quantization.quantize_static(folder / "given.onnx", static, read)
    return dynamic, static


@pytest.mark.parametrize("kind", ["images", "texts"])
def test_onnxruntime_quantises_them(kind, request, tmp_path):
    proto = make(request.getfixturevalue(kind), "portable")
    session = open_session(proto.SerializeToString(), threads=1)
    feeds = Few(session).get_next()
    expected = session.run(None, feeds)[0]
    for path in quantised(proto, tmp_path, Few(session)):
        assert any("Linear" in node.op_type or "Integer" in node.op_type for node in onnx.load(path).graph.node)
        found = opened(path).run(None, feeds)[0]
        assert np.isfinite(found).all()
        if kind == "images":  # the texts are one token over and over, of which the static ranges mean little
            assert 0 < np.abs(found - expected).max() < 0.2 * np.abs(expected).max()


def test_a_float16_file_is_calibrated_as_well(images, tmp_path):
    proto = make(images, "gpu_cuda", "float16")
    session = open_session(proto.SerializeToString(), threads=1)
    _, static = quantised(proto, tmp_path, Few(session))
    assert opened(static).run(None, Few(session).get_next())[0].shape == (2, 10)


LISTS = Path(onnxruntime.__file__).parent / "tools/mobile_helpers"
COMPARISONS = {"Equal", "Greater", "GreaterOrEqual", "IsInf", "IsNaN", "Less", "LessOrEqual", "Not", "Where"}
"""Operators that ncnn has not."""


def listed(name: str) -> set[str]:
    return set(re.findall(r"\|ai\.onnx[:.](\w+)", (LISTS / name).read_text()))


@pytest.mark.parametrize("make_model", [residual, maps_of_fles])
def test_phones_run_every_operator(make_model):
    used = {node.op_type for node in make(traced_once(make_model(), SPEC), "portable").graph.node}
    assert not used - listed("coreml_supported_mlprogram_ops.md")
    assert not used & COMPARISONS
