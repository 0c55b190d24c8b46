"""The estimate of energy and carbon: the formula it states, and nothing where time or device are unknown."""

import pytest

from zoo.pretrained.energy import estimate


def test_the_formula():
    found = estimate({"seconds": 7200, "device": "cpu (x86_64 AVX512, 9 threads)", "threads": 4, "processes": 2})
    assert (found["watts"], found["hours"], found["kind"]) == (96.0, 2.0, "estimate")
    assert found["kwh"] == pytest.approx(2 * 96 * 1.67 / 1000, rel=2e-3)
    assert found["co2_g"] == pytest.approx(2 * 96 * 1.67 / 1000 * 475, rel=1e-2)


@pytest.mark.parametrize(
    ("device", "processes", "watts"),
    [
        ("cuda (NVIDIA H100 80GB HBM3)", 1, 700.0),
        ("cuda (NVIDIA H100 PCIe)", 2, 700.0),
        ("cuda (NVIDIA H200)", 1, 700.0),
        ("cuda (NVIDIA A100-SXM4-80GB)", 4, 1600.0),
        ("2-core x86-64 CPU, bfloat16 autocast", 1, 24.0),
        ("cpu (aarch64 NEON, 3 threads)", None, 36.0),
    ],
)
def test_power_of_a_device(device, processes, watts):
    assert estimate({"seconds": 60, "device": device, "processes": processes})["watts"] == watts


@pytest.mark.parametrize(
    "training",
    [
        {"seconds": 60, "device": "cuda (a card nobody knows)"},
        {"seconds": 60, "device": "cpu"},
        {"seconds": 60},
        {"device": "cpu (x86_64, 1 threads)"},
        {"seconds": 0, "device": "cpu (x86_64, 1 threads)"},
        {},
    ],
)
def test_nothing_is_said_of_what_is_not_known(training):
    assert estimate(training) is None
