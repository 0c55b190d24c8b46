"""Which convolution or linear layer an input comes from, as it is, and by nothing else used."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd
from torch.overrides import TorchFunctionMode
from torch.utils.weak import WeakTensorKeyDictionary

from zoo.conversion.layout import call_name, tensors

AFFINE = (nn.Linear, _ConvNd)
"""The modules that take a scale and a shift of their outputs into their weights."""
_FUNCTIONS = {"linear", *(f"conv{kind}{d}d" for kind in ("", "_transpose") for d in (1, 2, 3))}


@dataclass
class Producer:
    """Layer that made a tensor.

    Args:
        module: the layer.
        uses: how many functions that give tensors have taken the tensor so far.
    """

    module: nn.Module
    uses: int = 0


class ProducerWatch(TorchFunctionMode):
    """While it is entered, remembers for each output of a convolution or linear layer who made it and how it is used.

    Args:
        stack: (path, module) of the modules that run, the innermost last.
    """

    def __init__(self, stack: Sequence[tuple[str, nn.Module]]) -> None:
        super().__init__()
        self._stack = stack
        self._origins: Any = WeakTensorKeyDictionary()

    def origin_of(self, x: Tensor) -> Producer | None:
        """The origin of a tensor; None where it is not itself the output of such a layer."""
        origin: Producer | None = self._origins.get(x)
        return origin

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        given = kwargs or {}
        result = func(*args, **given)
        outputs = list(tensors(result))
        for x in tensors((args, given)) if outputs else ():
            origin = self.origin_of(x)
            if origin is not None:
                origin.uses += 1
        if self._stack and call_name(func) in _FUNCTIONS and isinstance(self._stack[-1][1], AFFINE):
            self._origins[outputs[0]] = Producer(self._stack[-1][1])
        return result
