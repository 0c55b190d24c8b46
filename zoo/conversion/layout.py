"""Following the channel axis through a forward pass.

A linear layer leaves its channels on the last axis, a convolution on axis 1; what comes after either keeps, moves or
loses that axis. Where it is lost, the next such layer may tell where it expects the channels. torch's function modes
see every call on the way, so no layer has to be known by its class.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils.weak import WeakTensorKeyDictionary

_LAST, _FIRST = -1, 1
_PRODUCERS = {
    **dict.fromkeys(("linear", "bilinear", "addmm", "embedding", "multi_head_attention_forward"), _LAST),
    **{f"conv{kind}{d}d": _FIRST for kind in ("", "_transpose") for d in (1, 2, 3)},
    **dict.fromkeys(("batch_norm", "group_norm", "instance_norm"), _FIRST),
}
_CONSUMERS = {name: axis for name, axis in _PRODUCERS.items() if name not in ("addmm", "embedding", "bilinear")}
_MOVERS = {"permute", "transpose", "swapaxes", "swapdims", "movedim", "moveaxis", "t", "T", "mT"}
_RESHAPERS = {"reshape", "view", "flatten", "unflatten", "squeeze", "unsqueeze", "getitem", "select", "unbind"}
_LOSERS = {"bmm", "baddbmm", "einsum", "scaled_dot_product_attention", "stack", "tensordot"}


class ChannelTracker(TorchFunctionMode):
    """While it is entered, remembers on which axis the channels of each tensor lie."""

    def __init__(self) -> None:
        super().__init__()
        self._axes: Any = WeakTensorKeyDictionary()
        self._asked: Any = WeakTensorKeyDictionary()

    def ask(self, x: Tensor, answer: Callable[[int], None]) -> None:
        """Have `answer` called with the channel axis of x, counted from the front, if a later layer shows it."""
        self._asked[x] = answer

    def axis_of(self, x: Tensor) -> int | None:
        """The channel axis of a tensor, counted from the front; None where it was not found."""
        axis: int | None = self._axes.get(x)
        return axis

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        given = kwargs or {}
        result = func(*args, **given)
        outputs = list(tensors(result))
        inputs = list(tensors((args, given))) if outputs else []
        sources = [(x, axis) for x in inputs if (axis := self.axis_of(x)) is not None]
        for output in outputs:
            axis = _axis_after(func, args, given, sources, output)
            if axis is not None:
                self._axes[output] = axis
            else:
                self._axes.pop(output, None)
            self._pass_on(call_name(func), inputs, output)
        return result

    def _pass_on(self, name: str, inputs: Sequence[Tensor], output: Tensor) -> None:
        """Answer a question about an input, or ask it about an output that has the same axes."""
        if name in _CONSUMERS:
            answer = self._asked.pop(inputs[0], None)
            axis = _CONSUMERS[name] % inputs[0].ndim
            if answer is not None and axis < inputs[0].ndim:
                answer(axis)
        elif name not in _MOVERS | _RESHAPERS | _LOSERS:
            asked = [(x, answer) for x in inputs if (answer := self._asked.get(x)) is not None]
            same = [answer for x, answer in asked if x.shape == output.shape]
            if same:
                self._asked[output] = same[0]


def tensors(value: Any) -> Iterator[Tensor]:
    """Every tensor in nested sequences and dictionaries."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        yield from tensors(list(value.values()))
    elif isinstance(value, tuple | list):
        for item in value:
            yield from tensors(item)


def call_name(func: Callable[..., Any]) -> str:
    """A function's name without the marks of methods, properties and in-place forms: `relu` for `Tensor.relu_`."""
    if getattr(func, "__name__", "") == "__get__":
        func = getattr(func, "__self__", func)
    return getattr(func, "__name__", "").strip("_")


def _axis_after(
    func: Callable[..., Any],
    args: Sequence[Any],
    kwargs: dict[str, Any],
    sources: list[tuple[Tensor, int]],
    output: Tensor,
) -> int | None:
    name = call_name(func)
    if name in _PRODUCERS or (name == "matmul" and args[1].ndim == 2):
        axis = _PRODUCERS.get(name, _LAST)
        return axis % output.ndim if -output.ndim <= axis < output.ndim else None
    if not sources:
        # A norm over one axis is over the channels; it says nothing new about an input whose axis is known.
        normed = name in ("layer_norm", "rms_norm") and len(kwargs.get("normalized_shape", args[1:2] and args[1])) == 1
        return output.ndim - 1 if normed else None
    if name in _LOSERS or name == "matmul":
        return None
    x, axis = next((pair for pair in sources if pair[0].ndim == output.ndim), sources[0])
    if name in _MOVERS:
        return _moved(func, args, kwargs, x, axis)
    if name in _RESHAPERS or output.ndim < x.ndim:
        return _by_size(x.shape, axis, output.shape)
    return axis + output.ndim - x.ndim  # as broadcasting aligns shapes


def _moved(func: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any], x: Tensor, axis: int) -> int | None:
    """Return the new place of `axis` after a permutation: shown on an empty tensor whose sizes are all different."""
    if not args or args[0] is not x:
        return None
    marked = torch.empty([2 + i for i in range(x.ndim)], device="meta")
    return list(func(marked, *args[1:], **kwargs).shape).index(2 + axis)


def _by_size(before: Sequence[int], axis: int, after: Sequence[int]) -> int | None:
    """The axis after reshaping, if everything before it or everything behind it kept its size."""
    found = set()
    if list(after[: axis + 1]) == list(before[: axis + 1]):
        found.add(axis)
    tail = len(before) - axis
    if tail <= len(after) and list(after[-tail:]) == list(before[axis:]):
        found.add(len(after) - tail)
    return found.pop() if len(found) == 1 else None
