"""No kernel is compiled where only the measuring is tested: "fused" is the definition there, and noted."""

from contextlib import contextmanager

import pytest
import torch

from zoo.activations import kernel


@pytest.fixture
def chosen(monkeypatch):
    """The implementations chosen by the sides, in order."""
    found = []

    @contextmanager
    def noted(which):
        found.append(which)
        with kernel("plain"):
            yield

    for module in ("kernel_case", "parity"):
        monkeypatch.setattr(f"zoo.benchmarks.{module}.kernel", noted)
    return found


@pytest.fixture
def compiled(monkeypatch):
    """The modules given to torch.compile, which leaves them as they are."""
    found = []

    def leave(module, **options):
        found.append((module, options))
        return module

    monkeypatch.setattr(torch, "compile", leave)
    return found
