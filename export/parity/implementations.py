"""The sides that are compared: PyTorch in float32 and float64, and the exported file."""

import copy
from typing import Any

import onnx
import torch
from torch import Tensor, nn

from export.inputs.input_spec import Feeds
from export.inputs.shared import Shared
from export.parity.given import Means, Ran, by_module, run_torch
from export.passes.name_nodes import is_mean
from export.runtime.engine import Engine
from export.runtime.session import run_session


class Sides:
    """A model and its exported file, to be run on the same batches.

    A float32 file is opened twice: as it will run, and with the means of FleS as further outputs, which must not change
    a bit of its logits. PyTorch then computes with those means. In other precisions rounding moves more than single
    elements over zero, and PyTorch keeps its own.

    `wide` is the model in float64, or None; then `without` says why.

    Args:
        model: as `Source.model`.
        file: the serialised ONNX file.
        engine: what runs it.
        first: a batch to try float64 on.
        threads: of the runtime's sessions.
        arranged: see `open_session`.
        shared: keeps what PyTorch computes for other files of the model.
    """

    def __init__(
        self,
        model: nn.Module,
        file: bytes,
        engine: Engine,
        first: Feeds,
        *,
        threads: int | None = None,
        arranged: bool = True,
        shared: Shared | None = None,
    ) -> None:
        self.model, self.shared, self._repeats = model, shared or Shared(), engine.repeats
        self.session = engine.open(file, threads=threads, spin=False, arranged=arranged)
        made = [name for node in onnx.load_from_string(file).graph.node for name in node.output]
        self._names = [name for name in made if is_mean(name)] if engine.precision == "float32" else []
        self._shown = engine.open_shown(file, self._names, threads, arranged) if self._names else None
        self.wide, self.without = _in_float64(model, first)

    def torch(self, feeds: Feeds, given: Means) -> Ran:
        """PyTorch in float32; with its own means where none are given."""
        return self.shared.kept("float32", _all(feeds, given), lambda: run_torch(self.model, feeds, given))

    def exact(self, feeds: Feeds, means: Means) -> Tensor | None:
        """PyTorch's logits in float64 with the means of its float32, if the model runs in it."""
        wide = self.wide
        if wide is None:
            return None
        return self.shared.kept(
            "float64", _all(feeds, means), lambda: run_torch(wide, widen(feeds), means, checked=False).logits
        )

    def runtime(self, feeds: Feeds) -> Ran:
        """The file, with the means it computes with."""
        given = {name: value.numpy() for name, value in feeds.items()}
        logits = run_session(self.session, given)[0]
        if self._shown is None:
            return Ran(torch.from_numpy(logits), {})
        again, *means = run_session(self._shown, given)
        values = dict(zip(self._names, map(torch.from_numpy, means), strict=True))
        same = not self._repeats or logits.tobytes() == again.tobytes()
        return Ran(torch.from_numpy(logits), by_module(self.model, values), same=same)


def _all(feeds: Feeds, means: Means) -> Feeds:
    """Everything a run depends on, by name."""
    return feeds | {f"{path} {i}": t for path, found in means.items() for i, t in enumerate(found)}


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
