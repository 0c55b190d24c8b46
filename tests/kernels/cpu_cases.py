"""What the tests of the CPU's kernels share: each instruction set this processor has, and calls without autograd."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from torch import Tensor

from zoo.errors import NativeError
from zoo.kernels import cpu
from zoo.kernels.cpu import compiled
from zoo.native import find_compiler
from zoo.numerics.operators import DEFINITIONS


def _reason_to_skip() -> str | None:
    """Why this machine can have no kernels; a compiler that refuses our sources is a failure."""
    if compiled.vectors() is None:
        return "no vectors for this processor"
    try:
        find_compiler(compiled.sources(compiled.vectors()))
    except NativeError as error:
        return str(error)
    return None


needs_kernels = pytest.mark.skipif(_reason_to_skip() is not None, reason=str(_reason_to_skip()))
INSTRUCTIONS = {"AVX512": ["AVX512", "AVX2"]}.get(str(compiled.vectors()), [str(compiled.vectors())])
"""The widest first; a processor with AVX-512 runs the code for AVX2 as well."""

# A float32 chain of about 15 roundings, among them estimates of roots refined to an ulp: 16 · 2⁻²³, and room for the
# cancellation that a bound by magnitudes does not show.
CHAIN = 2.0**-18
# Below float32's normal range only absolute accuracy is left; the largest factor there, S = 1e5, is below 2²⁰.
SUBNORMAL = 2.0**-106
# One more rounding, to the dtype of the result, and half a unit of its own subnormals.
ROUNDING = {torch.float32: 0.0, torch.float16: 2.0**-11, torch.bfloat16: 2.0**-8}
SMALLEST = {torch.float32: 0.0, torch.float16: 2.0**-25, torch.bfloat16: 2.0**-134}
# Of |v·x|: the sigmoid is 0 where it would be below 2⁻¹²⁷, and so below float32's normal range.
SIGMOID_TAIL = 2.0**-126


@contextmanager
def instructions(which: str) -> Iterator[None]:
    """The kernels for one instruction set."""
    with pytest.MonkeyPatch.context() as patch:
        found = compiled.load(which)
        for module in (cpu.pointwise, cpu.channelwise):
            patch.setattr(module, "kernels", lambda: found)
        yield


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """So many threads for torch, and so for the kernels."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def within(got: Tensor, want: Tensor, room: Tensor) -> None:
    """Assert that `got` is `want` up to `room` and one rounding to its dtype; infinite and NaN at the same places."""
    exact = want.to(got.dtype)
    wild = ~exact.isfinite()
    assert torch.equal(got.isnan(), exact.isnan())
    assert torch.equal(got[wild].nan_to_num(), exact[wild].nan_to_num())
    allowed = room + ROUNDING[got.dtype] * want.abs() + SMALLEST[got.dtype] + SUBNORMAL
    error = (got.double() - want).abs()[~wild]
    worst = (error / allowed[~wild]).max() if error.numel() else torch.zeros(())
    assert bool((error <= allowed[~wild]).all()), f"off by {error.max():.3g}, {worst:.3g} of what is allowed"


def gradients(name: str, grad: Tensor, inputs: list[Tensor]) -> list[Tensor]:
    """All of them, from the definition's closed forms in float64."""
    wide = [t.double() for t in inputs]
    return [
        (grad.double() * slope).sum_to_size(t.shape)
        for t, slope in zip(inputs, DEFINITIONS[name].gradients(*wide), strict=True)
    ]
