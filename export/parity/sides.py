"""The sides that are compared: PyTorch in float32 and float64, and the exported file."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from export.inputs import Feeds
from export.runtime.session import Session, run_session


class Sides:
    """A model and its exported file, to be run on the same batches.

    `wide` is the model in float64, or None; then `without` says why.

    Args:
        model: as `Source.model`.
        session: on the file.
        first: a batch to try float64 on.
    """

    def __init__(self, model: nn.Module, session: Session, first: Feeds) -> None:
        self.model, self.session = model, session
        self.wide, self.without = _in_float64(model, first)

    def torch(self, feeds: Feeds) -> Tensor:
        """PyTorch's logits in float32."""
        return run_torch(self.model, feeds)

    def runtime(self, feeds: Feeds) -> Tensor:
        """The file's logits."""
        return torch.from_numpy(run_session(self.session, {name: value.numpy() for name, value in feeds.items()})[0])

    def exact(self, feeds: Feeds) -> Tensor | None:
        """PyTorch's logits in float64, if the model runs in it."""
        return None if self.wide is None else run_torch(self.wide, widen(feeds))


def run_torch(model: nn.Module, feeds: Feeds) -> Tensor:
    """A model's logits of a batch, without gradients and in full precision."""
    with torch.inference_mode(), _full_precision():
        logits: Tensor = model(*feeds.values())
    return logits


def widen(feeds: Feeds) -> Feeds:
    """Numbers in float64; token numbers stay what they are."""
    return {name: value.double() if value.is_floating_point() else value for name, value in feeds.items()}


def _in_float64(model: nn.Module, first: Feeds) -> tuple[nn.Module | None, str]:
    """A float64 copy that runs, or None and why not: a module may have float32 written into its forward."""
    wide = copy.deepcopy(model).double()
    try:
        run_torch(wide, widen(first))
    except RuntimeError as error:
        return None, f"the model does not run in float64: {str(error).splitlines()[0]}"
    return wide, ""


@contextmanager
def _full_precision() -> Iterator[None]:
    """PyTorch may be set to round the inputs of float32 matrix products to TF32 or bfloat16; not for a reference."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
