import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from fresh_memory import fresh_memory
from torch import nn

from zoo.activations import SALU, SWALU, kernel, salu_swalu
from zoo.benchmarks import training_memory
from zoo.benchmarks.step import StepSetting
from zoo.benchmarks.training_memory import MeasuredModel, StepMemory, _peak_of, saved_bytes, step_memory
from zoo.errors import BenchmarkError

X = torch.randn(2, 4, 3, 3, generator=torch.Generator().manual_seed(0), requires_grad=True)
SIZE = 2 * 4 * 3 * 3 * 4
MIB = 2**20


def plain(module):
    def forward():
        with kernel("plain"):
            return module(X)

    return forward


def held(module):
    return [*module.parameters(), *module.buffers()]


def test_batchnorm_and_relu_keep_two_tensors_and_the_statistics():
    network = nn.Sequential(nn.BatchNorm2d(4), nn.ReLU())
    statistics = 2 * 4 * 4  # the batch's means and deviations
    assert saved_bytes(lambda: network(X), held(network)) == 2 * SIZE + statistics
    assert saved_bytes(lambda: network(X), [X, *held(network)]) == SIZE + statistics


def test_salu_and_swalu_keep_two_tensors_and_their_pair_one():
    network = nn.Sequential(SALU(), SWALU())
    assert saved_bytes(plain(network), held(network)) == 2 * SIZE
    assert saved_bytes(plain(network)) == 2 * SIZE + 4 * 4, "the four scalars, if they are not among the held"
    scalars = [*network.parameters()]
    assert saved_bytes(plain(lambda x: salu_swalu(x, *scalars)), scalars) == SIZE


def test_a_storage_is_counted_once_and_whole():
    assert saved_bytes(lambda: X * X) == SIZE
    assert saved_bytes(lambda: (X.sin() + X.cos()).sum()) == SIZE
    assert saved_bytes(lambda: X[:1].sin()) == SIZE, "a view keeps all of what it looks at"
    assert saved_bytes(lambda: X.exp().exp()) == 2 * SIZE, "each keeps its own output"


def test_nothing_is_kept_without_a_gradient():
    with torch.no_grad():
        assert saved_bytes(lambda: X.exp()) == 0


def test_tensors_of_the_forward_pass_do_not_share_an_address():
    """Were the graph not held, the second tensor would take the first one's place, and be missed."""
    assert saved_bytes(lambda: [(X * k).exp() for k in range(1, 6)]) == 5 * SIZE


@pytest.mark.skipif(sys.platform != "linux", reason="resident memory is read from /proc")
def test_the_peak_is_what_is_needed_for_a_while():
    def work():
        with fresh_memory(64 * MIB):
            pass

    cpu = torch.device("cpu")
    assert 63 * MIB < _peak_of(work, cpu) < 80 * MIB
    assert _peak_of(lambda: None, cpu) < 16 * MIB, "the peak before does not count"


SUBJECT = MeasuredModel(
    model="salunet_c18_cifar",
    changes={},
    setting=StepSetting(batch_size=4, size=8),
    device="cpu",
    which="plain",
    compiled=False,
    threads=1,
)


@pytest.mark.skipif(sys.platform != "linux", reason="resident memory is read from /proc")
@pytest.mark.slow
def test_a_step_in_a_process_of_its_own():
    found = step_memory(SUBJECT)
    assert isinstance(found, StepMemory)
    # 11.2 M weights: their gradients are at the peak, and what is saved is far less at this size.
    assert 40e6 < found.peak_bytes < 200e6
    assert 0.1e6 < found.saved_bytes < 5e6


def test_a_process_that_fails_says_why(monkeypatch):
    failed = subprocess.CompletedProcess([], 1, "", "Traceback ...\nMemoryError: no room\n")
    monkeypatch.setattr(training_memory, "run_fresh", lambda *arguments, environment: failed)
    message = r"salunet_c18_cifar \(batchnorm, relu\) failed: MemoryError: no room. .*smaller --batch-size"
    with pytest.raises(BenchmarkError, match=message):
        step_memory(replace(SUBJECT, changes={"norm": "batchnorm", "act": "relu"}))


@pytest.mark.slow
def test_a_fused_pair_keeps_one_tensor_too():
    scalars = [*nn.Sequential(SALU(), SWALU()).parameters()]

    def forward():
        with kernel("fused"):
            return salu_swalu(X, *scalars)

    assert saved_bytes(forward, scalars) == SIZE


@pytest.mark.gpu
def test_on_a_gpu_the_allocator_is_asked():
    device = torch.device("cuda", 0)
    assert _peak_of(lambda: torch.ones(64 * MIB, dtype=torch.uint8, device=device), device) == 64 * MIB
