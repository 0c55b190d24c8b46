"""Triton's interpreter, so that the kernels run on the CPU; and memory that shows when it is used unwritten."""

import importlib
import sys
from collections.abc import Iterator

import pytest
import torch

# What is loaded anew, since `triton.jit` decides when it decorates whether its function is interpreted.
LOADED = [f"zoo.kernels.triton.{name}" for name in ("unit_kernels", "pointwise_kernels", "fles_kernels")]
LAUNCHES = [f"zoo.kernels.triton.{name}" for name in ("launch_pointwise", "launch_gate", "launch_mean")]


def forget() -> None:
    for name in (*LOADED, *LAUNCHES):
        sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def interpreted() -> Iterator[None]:
    """CPU tensors go to Triton's interpreter within this module, and the kernels are as they were after it."""
    # First without the variable: Triton's own functions must stay what a compiler takes.
    importlib.import_module("triton.language")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRITON_INTERPRET", "1")
        forget()
        yield
    forget()


@pytest.fixture
def filled_memory() -> Iterator[None]:
    """`torch.empty` gives NaN, so that an element that no kernel wrote, or one read outside, is seen."""
    torch.use_deterministic_algorithms(True)
    try:
        assert torch.utils.deterministic.fill_uninitialized_memory
        assert bool(torch.empty(3).isnan().all())
        yield
    finally:
        torch.use_deterministic_algorithms(False)
