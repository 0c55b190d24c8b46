"""More than 2³¹ elements, without their memory: files with holes hold the tensors, and only a few programs run."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from zoo.kernels.custom_ops import operator

pytestmark = pytest.mark.usefixtures("interpreted")

BEYOND = 2**31 + 1000


@pytest.fixture
def vast(tmp_path: Path) -> Callable[[str], Tensor]:
    """Makes float16 tensors of `BEYOND` elements that are 0 and take no room until they are written."""

    def make(name: str) -> Tensor:
        return torch.from_file(str(tmp_path / name), shared=True, size=BEYOND, dtype=torch.float16)

    return make


def run_only(program: int, monkeypatch) -> None:
    """Let every program that the interpreter starts take itself for number `program`."""
    from triton.language import int32
    from triton.runtime.interpreter import TensorHandle, interpreter_builder

    handle = TensorHandle(np.array([program], dtype=np.int32), int32)
    monkeypatch.setattr(interpreter_builder, "create_get_program_id", lambda axis: handle)


def test_the_last_elements_of_a_flat_tensor(vast, monkeypatch) -> None:
    from zoo.kernels.triton import tiles
    from zoo.kernels.triton.pointwise_kernels import backward_kernel, forward_kernel

    x, y, grad, dx = (vast(name) for name in ("x", "y", "grad", "dx"))
    x[-5:], grad[-5:] = torch.arange(-2, 3).half(), 2.0
    tile = tiles.flat(BEYOND)
    last = tile.programs(BEYOND) - 1
    assert last * tile.block * tile.steps > 2**31 - tile.block * tile.steps
    run_only(last, monkeypatch)
    a = b = torch.tensor(1.0)
    numbers = BEYOND, tile.steps, 1, 1, 1, 0, 0, 0, 0
    flags = {"STABILISE": True, "SKIP": 0, "GATE": 0, "STRIDED": False, "WIDE": True, "BLOCK": tile.block}
    forward_kernel[(1,)](x, None, y, a, b, *[None] * 4, *numbers, **flags)
    sums = torch.zeros(2, last + 1)
    backward_kernel[(1,)](grad, x, None, dx, None, sums, a, b, *[None] * 4, *numbers, GATE_ROW=0, SUMS=False, **flags)
    wide = torch.arange(-2.0, 3)
    torch.testing.assert_close(y[-5:], (wide / (1 + wide**2).sqrt()).half())
    torch.testing.assert_close(dx[-5:], (2 / (1 + wide**2) ** 1.5).half())
    assert y[:1000].eq(0).all()


@pytest.mark.parametrize("name", ["salu", "fles"])
def test_strides_beyond_32_bits(name: str, vast) -> None:
    """The steps fit into 32 bits; that to the third row does not."""
    x = vast("x").as_strided((3, 3), (2**30, 2))
    x.copy_(torch.tensor([[1.0, -2.0, 3.0], [-4.0, 5.0, -6.0], [7.0, 8.0, 9.0]]))
    parameters = torch.tensor(1.0), torch.tensor(0.5)
    got = operator(name)(x, *parameters)
    torch.testing.assert_close(got, operator(name)(x.contiguous(), *parameters), rtol=0, atol=0)


def test_elements_beyond_32_bits_of_a_strided_tensor(vast, monkeypatch) -> None:
    """The number of an element is split into indices in 64 bits; the rows here are one and the same."""
    from zoo.kernels.triton import tiles
    from zoo.kernels.triton.pointwise_kernels import forward_kernel

    columns = 2**30
    x, y = vast("x"), vast("y")
    x[:3] = torch.tensor([1.0, 2.0, 3.0]).half()
    tile = tiles.flat(BEYOND)
    run_only(2 * columns // (tile.block * tile.steps), monkeypatch)
    numbers = BEYOND, tile.steps, 1, 1, columns, 0, 0, 0, 1
    flags = {"STABILISE": True, "SKIP": 0, "GATE": 0, "STRIDED": True, "WIDE": True, "BLOCK": tile.block}
    forward_kernel[(1,)](x, None, y, torch.tensor(1.0), torch.tensor(1.0), *[None] * 4, *numbers, **flags)
    wide = torch.tensor([1.0, 2.0, 3.0, 0.0])
    torch.testing.assert_close(y[2 * columns : 2 * columns + 4], (wide / (1 + wide**2).sqrt()).half())
