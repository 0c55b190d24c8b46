"""DistributedDataParallel averages the gradients of a and b, and of FleS, like any other."""

from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from zoo.activations import GALU, SALU, SWALU, FleS, activation_parameters

WORLD = 2


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), SALU(4), SWALU(), FleS(4), nn.Linear(4, 2), GALU())


def batch() -> torch.Tensor:
    return torch.linspace(-2, 2, 4 * 3).view(4, 3)


def work(rank: int, folder: str) -> None:
    dist.init_process_group("gloo", f"file://{folder}/meeting", rank=rank, world_size=WORLD)
    model = DistributedDataParallel(network())
    model(batch().chunk(WORLD)[rank]).square().mean().backward()
    grads = {str(i): p.grad for i, p in enumerate(model.parameters())}
    save_file(grads, Path(folder) / f"{rank}.safetensors")
    dist.destroy_process_group()


def test_one_process_group_of_one(tmp_path: Path) -> None:
    plain, model = network(), network()
    dist.init_process_group("gloo", f"file://{tmp_path}/meeting", rank=0, world_size=1)
    try:
        parallel = DistributedDataParallel(model)
        for net in (plain, parallel):
            net(batch()).square().mean().backward()
        assert list(activation_parameters(parallel)) == [f"module.{name}" for name in activation_parameters(plain)]
    finally:
        dist.destroy_process_group()
    torch.testing.assert_close([p.grad for p in model.parameters()], [p.grad for p in plain.parameters()])


@pytest.mark.slow
def test_two_processes_equal_one(tmp_path: Path) -> None:
    torch.multiprocessing.spawn(work, (str(tmp_path),), nprocs=WORLD)
    model = network()
    model(batch()).square().mean().backward()
    expected = [p.grad for p in model.parameters()]
    for rank in range(WORLD):
        found = load_file(tmp_path / f"{rank}.safetensors")
        torch.testing.assert_close([found[str(i)] for i in range(len(found))], expected)
