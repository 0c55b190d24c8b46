"""Devices are what was asked for or an error; processes are counted only where several were started."""

from types import SimpleNamespace

import accelerate
import pytest
import torch

from zoo.devices import Processes, choose_device, is_main_process, join_processes, leave_processes
from zoo.errors import ConfigurationError

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _alone(monkeypatch):
    for name in ("WORLD_SIZE", "RANK", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def gpus(monkeypatch):
    """A machine with this many GPUs, as far as the choice of a device can tell."""

    def set_number(number):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: number > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: number)

    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    return set_number


@pytest.fixture
def started(monkeypatch):
    """Pretend that a launcher started this process, and that Accelerate found a state."""

    def start(count, rank, device="cpu", found=None):
        for name, value in (("WORLD_SIZE", count), ("RANK", rank), ("LOCAL_RANK", rank)):
            monkeypatch.setenv(name, str(value))
        state = SimpleNamespace(device=torch.device(device), num_processes=found or count, process_index=rank)
        monkeypatch.setattr(accelerate, "PartialState", lambda cpu: state)

    return start


def test_shares_cover_everything_once():
    for items, count in ((10, 3), (2, 4), (0, 2), (7, 1)):
        shares = [Processes(rank, count).share(range(items)) for rank in range(count)]
        assert sorted(i for share in shares for i in share) == list(range(items))


def test_alone_without_a_launcher(monkeypatch):
    monkeypatch.setenv("RANK", "3")
    alone = join_processes(CPU)
    assert (alone.rank, alone.count, alone.main, alone.gather("x")) == (0, 1, True, ["x"])
    assert is_main_process()
    leave_processes()


def test_the_best_device_is_taken_if_none_is_asked_for(gpus, monkeypatch):
    gpus(1)
    assert choose_device(None) == torch.device("cuda", 0)
    gpus(0)
    assert choose_device(None) == CPU
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert choose_device(None) == choose_device("mps") == torch.device("mps")
    assert choose_device("cpu") == CPU


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("npu2", "Unknown device 'npu2'; choose cpu, cuda, cuda:N or mps"),
        ("meta", "Cannot compute on device 'meta'"),
        ("mps", "found no Apple GPU"),
        ("mps:1", "Cannot compute on device 'mps:1'"),
        ("cuda:2", "Asked for device 'cuda:2', found 2 usable CUDA devices"),
    ],
)
def test_no_device_is_replaced_by_another(gpus, asked, message):
    gpus(2)
    with pytest.raises(ConfigurationError, match=message):
        choose_device(asked)
    gpus(0)
    with pytest.raises(ConfigurationError, match="found 0 usable"):
        choose_device("cuda")


def test_each_process_takes_the_gpu_of_its_rank(gpus, started, monkeypatch):
    gpus(2)
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert choose_device("cuda") == torch.device("cuda", 0)
    started(2, 1, "cuda:1")
    assert choose_device("cuda") == choose_device("cuda:1") == torch.device("cuda", 1)
    with pytest.raises(ConfigurationError, match="local rank 1: each process takes the GPU of its own"):
        choose_device("cuda:0")
    started(3, 2, "cuda:0")
    with pytest.raises(ConfigurationError, match=r"found 2 usable CUDA devices.*start fewer processes"):
        choose_device("cuda")


def test_processes_join(started):
    started(4, 2)
    assert join_processes(CPU) == Processes(2, 4)
    assert not is_main_process()
    started(4, 0)
    assert is_main_process()


def test_another_device_or_number_than_accelerate_found(started):
    started(2, 0, "cuda:0")
    with pytest.raises(ConfigurationError, match="Asked for device cpu, but Accelerate is set up for cuda:0"):
        join_processes(CPU)
    started(2, 0, found=1)
    with pytest.raises(ConfigurationError, match="WORLD_SIZE says 2 processes, found 1 on cpu"):
        join_processes(CPU)


@pytest.mark.gpu
def test_cuda_device():
    assert choose_device("cuda") == torch.device("cuda", 0)
