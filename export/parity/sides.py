"""The sides that are compared: PyTorch in float32 and float64, and the exported file."""

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from export.inputs import Feeds
from export.runtime.session import Session, run_session
from export.shared import Shared


class Sides:
    """A model and its exported file, to be run on the same batches.

    `wide` is the model in float64, or None; then `without` says why.

    Args:
        model: as `Source.model`.
        session: on the file.
        first: a batch to try float64 on.
        shared: keeps PyTorch's logits for other files of the model; None computes them each time.
    """

    def __init__(self, model: nn.Module, session: Session, first: Feeds, shared: Shared | None = None) -> None:
        self.model, self.session, self.shared = model, session, shared
        self.wide, self.without = _in_float64(model, first)

    def torch(self, feeds: Feeds) -> Tensor:
        """PyTorch's logits in float32."""
        return self._kept("float32", feeds, lambda: run_torch(self.model, feeds))

    def runtime(self, feeds: Feeds) -> Tensor:
        """The file's logits."""
        return torch.from_numpy(run_session(self.session, {name: value.numpy() for name, value in feeds.items()})[0])

    def exact(self, feeds: Feeds) -> Tensor | None:
        """PyTorch's logits in float64, if the model runs in it."""
        wide = self.wide
        return None if wide is None else self._kept("float64", feeds, lambda: run_torch(wide, widen(feeds)))

    def _kept(self, kind: str, feeds: Feeds, run: Callable[[], Tensor]) -> Tensor:
        return run() if self.shared is None else self.shared.logits(kind, feeds, run)


def run_torch(model: nn.Module, feeds: Feeds) -> Tensor:
    """A model's logits of a batch, without gradients and in full precision."""
    with torch.inference_mode(), _full_precision():
        logits: Tensor = model(*feeds.values())
    return logits


def largest_inside(model: nn.Module, feeds: Feeds) -> float:
    """The largest magnitude that a batch has or any module returns for it, in PyTorch; infinite where one is NaN."""
    found = [float(value.abs().max()) for value in feeds.values()]

    def see(_module: nn.Module, _inputs: Any, output: Any) -> None:
        if isinstance(output, Tensor) and output.is_floating_point() and output.numel():
            found.append(float(output.abs().nan_to_num(nan=torch.inf, posinf=torch.inf).max()))

    handles = [module.register_forward_hook(see) for module in model.modules()]
    try:
        run_torch(model, feeds)
    finally:
        for handle in handles:
            handle.remove()
    return max(found)


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
