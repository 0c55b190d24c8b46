"""The target `gpu_cuda`: four precisions, each lowered, checked and, without a GPU, simulated and called so."""

import dataclasses

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto
from tiny_model import SIZE, Tiny
from tiny_model import tiny as naive

from export import ParityError, ProviderError, export, load_predictor, open_session, validate
from export.digest import seal
from export.parity.parity_report import ParityReport
from export.parity.tolerances import TOLERANCES
from export.runtime import engine as engine_module
from export.runtime import providers as providers_module
from export.runtime.engine import engine_here, engine_of
from export.runtime.providers import CPU, CUDA
from export.targets import get_target
from zoo.activations import SALU, SWALU, FleS

TARGET = get_target("gpu_cuda")
IMAGES = torch.from_numpy(np.random.default_rng(0).normal(size=(3, *SIZE)).astype(np.float32))
REASON = "not run on CUDA: no such provider or device here; simulated on the CPU"


def tiny() -> Tiny:
    """The usual small network with SALU and a gate of this package."""
    model = naive()
    model.norm1, model.norm2 = torch.nn.Sequential(SALU(), SWALU()), SALU()
    with torch.no_grad():
        model.norm1[0].a.fill_(1.7)
        model.norm2.b.fill_(0.6)
    return model


@pytest.fixture(autouse=True)
def no_cuda(monkeypatch, request):
    """Also where there is a GPU these are tests of what happens without."""
    if "gpu" not in request.keywords:
        monkeypatch.setattr(engine_module, "_not_starting", lambda providers: "" if providers == (CPU,) else CUDA)


@pytest.fixture(scope="session")
def files(spec, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine_module, "_not_starting", lambda providers: "" if providers == (CPU,) else CUDA)
        folder = tmp_path_factory.mktemp("cuda")
        return {
            precision: export(
                tiny(), folder / f"{precision}.onnx", target="gpu_cuda", precision=precision, input_spec=spec, threads=1
            )
            for precision in TARGET.precisions
        }


@pytest.mark.parametrize("precision", TARGET.precisions)
def test_it_passes_and_says_that_it_was_not_run(files, spec, precision):
    result = files[precision]
    assert (result.precision, result.parity.precision) == (precision, precision)
    assert result.parity.passed
    assert result.parity.not_run == REASON
    assert REASON in result.parity.summary()
    assert ParityReport.load(result.parity_path).not_run == REASON
    proto = onnx.load(result.path)
    record = {p.key: p.value for p in proto.metadata_props}
    assert record["salu_zoo.not_run"] == REASON
    onnx.checker.check_model(proto, full_check=True)
    again = validate(result.path, tiny(), input_spec=spec, threads=1)
    assert again.passed
    assert again.not_run == REASON


def test_each_precision_is_less_exact_than_the_one_before(files):
    errors = {precision: files[precision].parity.worst("max_rel", "images") for precision in TARGET.precisions}
    assert errors["float32"] < 1e-5 < errors["tf32"] < errors["bfloat16"]
    assert 5e-5 < errors["float16"] < errors["bfloat16"]


@pytest.mark.parametrize(("precision", "kind"), [("float16", TensorProto.FLOAT16), ("bfloat16", TensorProto.BFLOAT16)])
def test_weights_are_narrow_and_ends_are_wide(files, precision, kind):
    graph = onnx.load(files[precision].path).graph
    assert {w.data_type for w in graph.initializer if w.name.startswith(("stem", "conv"))} == {kind}
    ends = [value.type.tensor_type.elem_type for value in (*graph.input, *graph.output)]
    assert ends == [TensorProto.FLOAT, TensorProto.FLOAT]
    assert files[precision].size_bytes < files["float32"].size_bytes


def test_tf32_is_the_float32_graph(files):
    def plain(precision):
        proto = onnx.load(files[precision].path)
        return [(n.op_type, n.name) for n in proto.graph.node], [w.raw_data for w in proto.graph.initializer]

    assert plain("tf32") == plain("float32")


@pytest.mark.parametrize(("precision", "tf32"), [("float32", "0"), ("tf32", "1"), ("float16", "0"), ("bfloat16", "0")])
def test_options_of_the_provider(precision, tf32):
    assert engine_of(TARGET, precision).providers == ((CUDA, {"use_tf32": tf32}), (CPU, {}))


def test_without_cuda_a_file_is_refused_unless_the_cpu_is_asked_for(files):
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    with pytest.raises(ProviderError, match="CUDAExecutionProvider"):
        load_predictor(files["float16"].path)
    predictor = load_predictor(files["float16"].path, device="cpu", threads=1)
    assert predictor.describe()["providers"] == [CPU]
    assert predictor.metadata.not_run == REASON
    with torch.inference_mode():
        expected = tiny().eval()(IMAGES)
    torch.testing.assert_close(predictor(IMAGES), expected, rtol=0, atol=5e-3 * float(expected.abs().max()))
    with pytest.raises(ProviderError, match="bfloat16, for which ONNX Runtime's CPU provider has no convolutions"):
        load_predictor(files["bfloat16"].path, device="cpu")


def test_engine_here_is_the_target_itself_where_it_starts(monkeypatch):
    monkeypatch.setattr(engine_module, "_not_starting", lambda providers: "")
    assert engine_here(TARGET, "float16") == engine_of(TARGET, "float16")
    assert engine_here(TARGET, "float16").not_run == ""


def test_two_wheels_are_to_be_mended_not_simulated(monkeypatch):
    monkeypatch.undo()
    wheels = {"onnxruntime": "1.31.1", "onnxruntime-gpu": "1.31.1"}
    for module in (engine_module, providers_module):
        monkeypatch.setattr(module, "runtime_distributions", lambda: wheels)
    engine_module._not_starting.cache_clear()
    with pytest.raises(ProviderError, match="installed together"):
        engine_here(TARGET, "float32")


class Times(torch.nn.Module):
    def forward(self, x):
        return x * 1e4


class Loud(torch.nn.Module):
    """Comes near the end of float16's range and back."""

    def __init__(self):
        super().__init__()
        self.inner, self.loud = tiny(), Times()

    def forward(self, x):
        return self.inner.head(self.loud(self.inner.stem(x)).mean((2, 3)) / 1e4)


def test_range_is_listed_before_converting(spec, tmp_path):
    result = export(Loud(), tmp_path / "x.onnx", target="gpu_cuda", precision="float16", input_spec=spec, threads=1)
    assert result.parity.near_limit
    node, size = result.parity.near_limit[0].rsplit(" ", 1)
    assert (node, 16376 <= float(size) < 65504) == ("loud/Mul", True), (node, size)
    assert ParityReport.load(result.parity_path).near_limit == result.parity.near_limit


def test_a_naive_square_is_refused(spec, tmp_path):
    """x / sqrt(1 + x²) in a module of one's own squares x, which float16 does not hold from 256 on."""
    with pytest.raises(ParityError, match=r"1e4: relative difference"):
        export(naive(), tmp_path / "x.onnx", target="gpu_cuda", precision="float16", input_spec=spec, threads=1)


class Overflowing(torch.nn.Module):
    """In float16 the difference of two infinities."""

    def __init__(self):
        super().__init__()
        self.inner = tiny()

    def forward(self, x):
        big = self.inner.stem(x) * 1e6
        return self.inner.head((big - big * 1.5).mean((2, 3)) * 1e-6)


def test_nan_fails_and_nothing_is_written(spec, tmp_path):
    with pytest.raises(ParityError, match="NaN where PyTorch has none"):
        export(Overflowing(), tmp_path / "x.onnx", target="gpu_cuda", precision="float16", input_spec=spec, threads=1)
    assert not list(tmp_path.iterdir())
    assert export(
        Overflowing(), tmp_path / "x.onnx", target="gpu_cuda", precision="bfloat16", input_spec=spec, threads=1
    ).parity.passed


def test_a_wrong_weight_fails_in_every_precision(files, spec, tmp_path):
    for precision, result in files.items():
        proto = onnx.load(result.path)
        weight = next(w for w in proto.graph.initializer if w.name.startswith("stem.weight"))
        values = onnx.numpy_helper.to_array(weight)
        weight.CopyFrom(onnx.numpy_helper.from_array((values * 1.5).astype(values.dtype), weight.name))
        seal(proto)
        onnx.save(proto, tmp_path / f"{precision}.onnx")
        report = validate(tmp_path / f"{precision}.onnx", tiny(), input_spec=spec, threads=1)
        assert not report.passed, precision
        assert report.first_difference.startswith("node "), report.first_difference


def test_statistics_of_fles_stay_wide(spec, tmp_path):
    model = naive()
    model.norm1, model.norm2 = FleS(8, 1), SALU()
    with torch.no_grad():
        for parameter in model.norm1.parameters():
            parameter.add_(0.1)
    result = export(model, tmp_path / "x.onnx", target="gpu_cuda", precision="float16", input_spec=spec, threads=1)
    graph = onnx.load(result.path).graph
    kinds = {value.name: value.type.tensor_type.elem_type for value in graph.value_info}
    act = [node for node in graph.node if node.name.rpartition("/")[0] == "norm1"]
    wide = {node.op_type for node in act if kinds[node.output[0]] == TensorProto.FLOAT}
    assert {"ReduceSum", "Div", "Softplus", "Gemm"} <= wide
    gate = [node for node in act if node.op_type == "Sigmoid" and kinds[node.output[0]] == TensorProto.FLOAT16]
    assert gate
    assert result.parity.passed


def test_tolerances_of_the_precisions():
    for name in ("tf32", "float16", "bfloat16"):
        rows = {kind: row for (precision, kind), row in TOLERANCES.items() if precision == name}
        assert set(rows) == {"images", "texts", "padding", "extreme"}
        assert all(row.reason for row in rows.values())
        assert rows["images"].most < 1
    assert TOLERANCES["float16", "extreme"].largest == 65504


@pytest.mark.gpu
@pytest.mark.parametrize("precision", TARGET.precisions)
def test_it_runs_on_a_gpu(spec, tmp_path, precision):
    result = export(tiny(), tmp_path / "x.onnx", target="gpu_cuda", precision=precision, input_spec=spec)
    assert result.parity.not_run == ""
    assert result.parity.providers[0] == CUDA
    session = open_session(result.path, list(engine_of(TARGET, precision).providers))
    assert session.run(None, {"image": IMAGES.numpy()})[0].dtype == np.float32


def test_old_reports_load(files, tmp_path):
    import json

    stored = json.loads(files["float32"].parity_path.read_text())
    for name in ("engine", "not_run", "near_limit"):
        stored.pop(name)
    (tmp_path / "old.json").write_text(json.dumps(stored))
    old = ParityReport.load(tmp_path / "old.json")
    assert (old.engine, old.not_run, old.near_limit) == ("", "", ())
    assert dataclasses.asdict(old)["model"] == files["float32"].model
