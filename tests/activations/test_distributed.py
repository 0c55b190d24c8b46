"""What shares the training among processes: DistributedDataParallel with and without PowerSGD, FSDP of both kinds.

Each must give a, b, FleS and every other parameter the gradients that one process has.
"""

import os
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.distributed.algorithms.ddp_comm_hooks.powerSGD_hook import PowerSGDState, powerSGD_hook
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FullyShardedDataParallel, fully_shard
from torch.nn.parallel import DistributedDataParallel

from zoo.activations import GALU, SALU, SWALU, Derf, DyT, FleS, activation_parameters, project_parameters
from zoo.activations.rivals.star_relu import StarReLU


def network() -> nn.Sequential:
    torch.manual_seed(0)
    ours = SALU(4), SWALU(), FleS(4), DyT(4), Derf(4), StarReLU()
    return nn.Sequential(nn.Linear(3, 4), *ours, nn.Linear(4, 2), GALU())


def batch() -> Tensor:
    return torch.linspace(-2, 2, 4 * 3).view(4, 3)


def train(model: nn.Module, rank: int = 0, world: int = 1) -> nn.Module:
    model(batch().chunk(world)[rank]).square().mean().backward()
    return model


def plain() -> dict[str, Tensor]:
    return {name: p.grad for name, p in train(network()).named_parameters()}


def by_ddp(rank: int, world: int) -> dict[str, Tensor]:
    model = train(DistributedDataParallel(network()), rank, world)
    assert list(activation_parameters(model)) == [f"module.{name}" for name in activation_parameters(network())]
    return {name: p.grad for name, p in model.module.named_parameters()}


def by_power_sgd(rank: int, world: int) -> dict[str, Tensor]:
    """What it compresses is an approximation; scalars and vectors are not compressed, so theirs are exact."""
    model = DistributedDataParallel(network())
    model.register_comm_hook(PowerSGDState(None, start_powerSGD_iter=2), powerSGD_hook)
    for _ in range(4):
        model.zero_grad()
        train(model, rank, world)
    return {name: p.grad for name, p in model.module.named_parameters() if p.ndim == 1}


def by_fsdp(rank: int, world: int) -> dict[str, Tensor]:
    model = FullyShardedDataParallel(network(), device_id=torch.device("cpu"), use_orig_params=True)
    train(model, rank, world)
    with FullyShardedDataParallel.summon_full_params(model, with_grads=True):
        return {name.removeprefix("_fsdp_wrapped_module."): p.grad.clone() for name, p in model.named_parameters()}


def by_fully_shard(rank: int, world: int) -> dict[str, Tensor]:
    model, mesh = network(), init_device_mesh("cpu", (world,))
    for layer in model:
        fully_shard(layer, mesh=mesh)
    train(fully_shard(model, mesh=mesh), rank, world)
    grads = {name: p.grad.full_tensor() for name, p in model.named_parameters()}
    torch.optim.SGD(model.parameters(), 1e9).step()
    project_parameters(model)
    assert all(p.full_tensor().ge(1e-6).all() for p in activation_parameters(model).values())
    return grads


WAYS = {"ddp": by_ddp, "power_sgd": by_power_sgd, "fsdp": by_fsdp, "fully_shard": by_fully_shard}


def work(rank: int, folder: str, world: int) -> None:
    dist.init_process_group("gloo", f"file://{folder}/meeting", rank=rank, world_size=world)
    for name, way in WAYS.items():
        save_file(way(rank, world), Path(folder) / f"{name}{rank}.safetensors")
    dist.barrier()
    # Threads of gloo that free PowerSGD's callbacks while the group is taken down have ended whole processes.
    os._exit(0)


@pytest.mark.parametrize("world", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_gradients_are_those_of_one_process(world: int, tmp_path: Path) -> None:
    torch.multiprocessing.spawn(work, (str(tmp_path), world), nprocs=world)
    expected = plain()
    for way in WAYS:
        for rank in range(world):
            found = load_file(tmp_path / f"{way}{rank}.safetensors")
            names = {name for name, grad in expected.items() if way != "power_sgd" or grad.ndim == 1}
            assert found.keys() == names
            torch.testing.assert_close(found, {name: expected[name] for name in found}, msg=lambda m: f"{way}: {m}")  # noqa: B023
