import json
from itertools import cycle

import pytest
import torch

from zoo.benchmarks import kernels
from zoo.benchmarks.kernels import bench_kernels
from zoo.errors import ConfigurationError, UnknownNameError

SIDES = ["copy", "clone", "fused", "compiled", "eager", "batchnorm_relu", "batchnorm_relu_compiled"]
TINY = {"device": "cpu", "size": "4096", "runs": 2, "warmup": 1}


@pytest.fixture
def seconds(monkeypatch):
    """Each side takes one millisecond more than the side before it; copying takes one."""

    def stopwatch(device):
        given = cycle(0.001 * (place + 1) for place in range(len(SIDES)))

        def run(work):
            work()
            return next(given)

        return run

    monkeypatch.setattr(kernels, "on_device", stopwatch)


def test_bytes_bandwidth_and_ratio(chosen, compiled, seconds):
    result = bench_kernels(operators=["salu_add_swalu"], dtypes=["bfloat16"], **TINY)
    forward, both = result.rows[:7], result.rows[7:]
    assert [row.side for row in forward] == [row.side for row in both] == SIDES
    size = 4096 * 2
    assert [row.bytes_moved for row in forward] == [size * n for n in (2, 2, 3, 3, 3, 4, 4)]
    assert [row.bytes_moved for row in both] == [size * n for n in (2, 2, 8, 8, 8, 11, 11)]
    assert forward[0].bytes_per_s == pytest.approx(2 * size / 0.001)
    assert [row.copy_fraction for row in forward] == pytest.approx([1, 1 / 2, 1 / 2, 3 / 8, 3 / 10, 1 / 3, 2 / 7])
    assert both[2].copy_fraction == pytest.approx(8 / 2 / 3)
    assert [row.ratio and round(row.ratio.median, 6) for row in forward] == [
        None,
        None,
        1,
        1.333333,
        1.666667,
        2,
        2.333333,
    ]
    assert all(row.shape == (1, 64, 8, 8) and row.dtype == "bfloat16" for row in result.rows)
    assert {row.times.median_ms for row in result.rows if row.side == "eager"} == {5.0}


def test_each_side_uses_its_implementation(chosen, compiled):
    bench_kernels(operators=["salu"], steps=["forward"], **TINY | {"runs": 1, "warmup": 0})
    check, turn = chosen[:3], chosen[3:]
    assert check == ["plain", "plain", "fused"], "float64, then both in float32"
    assert turn == ["fused", "plain", "plain", "plain", "plain"]
    assert [type(module).__name__ for module, _ in compiled] == ["Learned", "NormRelu"]
    assert all(options == {"dynamic": False, "fullgraph": True} for _, options in compiled)


@pytest.mark.parametrize("step", ["forward", "backward", "both"])
def test_autograd_works_where_it_is_timed(chosen, compiled, monkeypatch, step):
    timed = []

    def stopwatch(work):
        before = len(chosen)
        timed.append((work(), len(chosen) - before))
        return 1.0

    monkeypatch.setattr(kernels, "on_device", lambda device: stopwatch)
    bench_kernels(operators=["salu_add_salu_swalu"], steps=[step], compiled=False, **TINY | {"runs": 1, "warmup": 0})
    sides = timed[2:]
    assert len(sides) == 3
    for result, forwards in sides:
        assert forwards == (0 if step == "backward" else 1), "the forward pass before a backward pass is not timed"
        if step == "forward":
            assert not result.requires_grad
    if step != "forward":
        assert [len(result) for result, _ in sides] == [8, 8, 6], "two inputs; six scalars, or two weights and biases"


def test_layout_and_dtype_reach_the_tensors(chosen, compiled):
    result = bench_kernels(operators=["swalu", "fles"], dtypes=["float32", "float16"], layout="channels_last", **TINY)
    assert result.layout == "channels_last"
    assert {(row.operator, row.dtype) for row in result.rows} == {
        (name, dtype) for name in ("swalu", "fles") for dtype in ("float32", "float16")
    }
    case = kernels.make_case(
        kernels.OPERATORS.get("swalu"), 4096, "float16", torch.device("cpu"), "channels_last", False
    )
    assert case.tensors[0].is_contiguous(memory_format=torch.channels_last)
    assert case.grad.is_contiguous(memory_format=torch.channels_last)
    assert case.tensors[0].dtype == torch.float16


def test_threads_hold_for_the_times_only(chosen):
    before = torch.get_num_threads()
    result = bench_kernels(operators=["salu"], steps=["forward"], compiled=False, threads=before + 1, **TINY)
    assert result.machine.threads == before + 1
    assert torch.get_num_threads() == before


def test_the_result_goes_through_json(chosen):
    result = bench_kernels(operators=["galu"], compiled=False, **TINY)
    stored = json.loads(json.dumps(result.to_dict()))
    assert stored["rows"][2]["side"] == "fused"
    assert stored["rows"][2]["times"]["median_ms"] == result.rows[2].times.median_ms > 0
    assert stored["machine"]["versions"]["torch"]
    assert (stored["runs"], stored["warmup"], stored["layout"]) == (2, 1, "contiguous")
    assert [row["side"] for row in stored["rows"]] == ["copy", "clone", "fused", "eager", "batchnorm_relu"] * 2


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"dtypes": ["float46"]}, "dtype='float46' .*Nearest: float"),
        ({"layout": "channel_last"}, "layout='channel_last' .*Nearest: channels_last"),
        ({"steps": ["backwards"]}, "step='backwards' .*Nearest: backward"),
        ({"size": "large"}, "size='large' is no size"),
        ({"device": "meta"}, "device 'meta'"),
    ],
)
def test_wrong_arguments_are_named(given, message):
    with pytest.raises(ConfigurationError, match=message):
        bench_kernels(**{"operators": ["salu"], **TINY, **given})


def test_an_unknown_operator_is_named():
    with pytest.raises(UnknownNameError, match="Unknown operator 'saluu'"):
        bench_kernels(operators=["saluu"], **TINY)


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
def test_a_gpu_that_is_not_here_is_no_cpu():
    with pytest.raises(ConfigurationError, match="found 0 usable CUDA devices"):
        bench_kernels(operators=["salu"], **TINY | {"device": "cuda"})


@pytest.mark.slow
@pytest.mark.parametrize("name", kernels.OPERATORS)
def test_the_real_kernels_and_compilers_run(name):
    result = bench_kernels(operators=[name], steps=["forward", "backward", "both"], **TINY)
    assert [row.side for row in result.rows] == SIDES * 3
    assert all(row.bytes_per_s > 0 for row in result.rows)


@pytest.mark.gpu
@pytest.mark.parametrize("layout", ["contiguous", "channels_last"])
def test_on_a_gpu(layout):
    result = bench_kernels(device="cuda", size="1MiB", layout=layout, runs=3, warmup=1)
    assert len(result.rows) == len(kernels.OPERATORS) * 2 * len(SIDES)
    assert {row.dtype for row in result.rows} == {"bfloat16"}
    assert result.machine.hardware == torch.cuda.get_device_name()
