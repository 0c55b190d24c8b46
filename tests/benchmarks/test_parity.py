from contextlib import contextmanager

import pytest
import torch
from torch import nn

from zoo.benchmarks import parity
from zoo.benchmarks.parity import check_kernel
from zoo.errors import KernelMismatchError


class Scaled(nn.Module):
    """x·w, with a "kernel" that the test changes."""

    def __init__(self, kernel):
        super().__init__()
        self.w, self.kernel, self.used = nn.Parameter(torch.tensor(2.0)), kernel, False

    def forward(self, x):
        return self.kernel(x, self.w) if self.used else x * self.w


@pytest.fixture
def scaled(monkeypatch):
    def build(kernel):
        module = Scaled(kernel)

        @contextmanager
        def choose(which):
            module.used = which == "fused"
            yield
            module.used = False

        monkeypatch.setattr(parity, "kernel", choose)
        return module

    return build


class WrongBackward(torch.autograd.Function):
    """Right forward; the gradient of the weight is off by one in a hundred."""

    @staticmethod
    def forward(ctx, x, w):
        ctx.save_for_backward(x, w)
        return x * w

    @staticmethod
    def backward(ctx, grad):
        x, w = ctx.saved_tensors
        return grad * w, 1.01 * (grad * x).sum()


X = torch.linspace(-1, 2, 1000).reshape(10, 100)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_rounding_passes(scaled, dtype):
    check_kernel("scaled", scaled(lambda x, w: (x.double() * w).to(x.dtype)), [X.to(dtype)])


@pytest.mark.parametrize(
    ("kernel", "what"),
    [
        (lambda x, w: x * w * 1.001, "output"),
        (lambda x, w: x.detach() * w + (x - x.detach()) * 1.9, "gradient of input 0"),
        (WrongBackward.apply, "gradient of w"),
        (lambda x, w: x * w / torch.where(x == X.max(), 0.0, 1.0), "output"),
    ],
    ids=["value", "input gradient", "parameter gradient", "infinite"],
)
def test_a_wrong_kernel_is_refused_by_name(scaled, kernel, what):
    with pytest.raises(KernelMismatchError, match=f"scaled: the fused kernel's {what} is .* mend the kernel"):
        check_kernel("scaled", scaled(kernel), [X])


def test_nan_is_no_match(scaled):
    with pytest.raises(KernelMismatchError, match="output is nan"):
        check_kernel("scaled", scaled(lambda x, w: x * w * torch.nan), [X])
