import time

import pytest
import torch

from zoo.benchmarks.turns import alternate, always, host_seconds, on_device, synchronised

from .clock import FakeStopwatch


def test_every_side_runs_once_before_any_runs_again():
    done = []

    def side(name):
        def prepare():
            done.append(f"prepare {name}")
            return lambda: done.append(f"run {name}")

        return prepare

    times = alternate([side("a"), side("b")], 2, 1, FakeStopwatch([9, 8, 1, 2, 3, 4]), lambda: done.append("turn"))
    assert done == ["prepare a", "run a", "prepare b", "run b", "turn"] * 3
    assert times == [[1, 3], [2, 4]], "the warm-up's 9 and 8 are not kept"


def test_what_prepares_is_not_timed(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])

    def passes(seconds):
        now[0] += seconds

    def prepared():
        passes(100)
        return lambda: passes(2)

    assert alternate([prepared, always(lambda: passes(3))], 2, 0) == [[2, 2], [3, 3]]


def test_on_a_cpu_all_stopwatches_are_the_hosts_clock():
    cpu = torch.device("cpu")
    assert synchronised(cpu) is on_device(cpu) is host_seconds
    assert host_seconds(lambda: time.sleep(0.01)) >= 0.01


@pytest.mark.gpu
def test_on_a_gpu_the_work_is_finished_when_the_clock_stops():
    device = torch.device("cuda", 0)
    large = torch.ones(4096, 4096, device=device)
    for stopwatch in (synchronised(device), on_device(device)):
        stopwatch(lambda: large @ large)
        one, eight = (min(stopwatch(lambda n=n: [large @ large for _ in range(n)]) for _ in range(3)) for n in (1, 8))
        assert 5 * one < eight
