"""One pass of an example through a model: what each site sees, and which activations are called as functions.

Nothing of the model is different afterwards: it runs in eval mode and without gradients, and training flags, buffers,
hooks and the state of the random number generators are put back.
"""

import copy
import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from zoo.conversion.layout import ChannelTracker, call_name, tensors
from zoo.conversion.origin import Producer, ProducerWatch
from zoo.conversion.replaceable import FUNCTIONS, NORM_FUNCTIONS, activation_kind, norm_kind, resembled_kind
from zoo.conversion.slots import Slot
from zoo.errors import ConfigurationError


@dataclass
class RecordedCall:
    """Input of one call of a site.

    Args:
        shape: of its input.
        axis: of the channels in it, counted from the front; None where the probe could not tell.
        dtype: of its input.
        device: of its input.
        span: its smallest and largest value; None where they are not finite, or on the meta device.
        origin: the convolution or linear layer whose output it is; None where something else made it.
    """

    shape: tuple[int, ...]
    axis: int | None
    dtype: torch.dtype
    device: torch.device
    span: tuple[float, float] | None
    origin: Producer | None


@dataclass
class Trace:
    """Record of a pass.

    Args:
        outputs: every tensor the model returned, in order.
        calls: slot -> its calls, in order.
        functions: (path of the calling module, name of the function, its kind) -> how often.
    """

    outputs: list[Tensor] = field(default_factory=list)
    calls: dict[Slot, list[RecordedCall]] = field(default_factory=lambda: defaultdict(list))
    functions: dict[tuple[str, str, str], int] = field(default_factory=lambda: defaultdict(int))


def run_probe(model: nn.Module, example: Any, slots: Sequence[Slot]) -> Trace:
    """Run `example` through `model` and watch the modules in `slots`.

    Args:
        model: in any state; see the module docstring.
        example: a tensor, a tuple of positional arguments, or a dictionary of keyword arguments.
        slots: what to watch. Where one module fills several slots, each is watched by itself.

    Raises:
        ConfigurationError: the model does not run on the example.
    """
    trace, tracker = Trace(), ChannelTracker()
    stack: list[tuple[str, nn.Module]] = []
    origins = ProducerWatch(stack)
    with ExitStack() as cleanup:
        cleanup.enter_context(_undisturbed(model))
        cleanup.enter_context(_one_each(slots))
        for path, module in model.named_modules():
            _follow(cleanup, path, module, stack)
        for slot in slots:
            _record(cleanup, slot.parent.get_submodule(slot.name), trace.calls[slot], tracker, origins)
        for context in (torch.no_grad(), tracker, origins, _FunctionWatch(trace, stack)):
            cleanup.enter_context(context)
        try:
            trace.outputs = [x.clone() for x in tensors(_call(model, example)) if x.is_floating_point()]
        except Exception as error:
            raise ConfigurationError(
                f"{type(model).__name__} does not run on the example ({describe(example)}): "
                f"{type(error).__name__}: {' '.join(str(error).split())[:400]}. Pass example=..., a tensor, a tuple or "
                "a dict of arguments that the model takes."
            ) from error
    return trace


def describe(example: Any) -> str:
    """The shapes in an example, for messages."""
    return ", ".join(f"{tuple(x.shape)} {x.dtype}".replace("torch.", "") for x in tensors(example)) or "no tensor"


def _call(model: nn.Module, example: Any) -> Any:
    if isinstance(example, dict):
        result = model(**example)
    else:
        result = model(*example) if isinstance(example, tuple | list) else model(example)
    return dict(result) if hasattr(result, "keys") else result


def _follow(cleanup: ExitStack, path: str, module: nn.Module, stack: list[tuple[str, nn.Module]]) -> None:
    """Keep on `stack` which module is running."""

    def enter(module: nn.Module, args: Any) -> None:
        stack.append((path, module))

    def leave(module: nn.Module, args: Any, output: Any) -> None:
        stack.pop()

    cleanup.callback(module.register_forward_pre_hook(enter).remove)
    cleanup.callback(module.register_forward_hook(leave).remove)


def _record(
    cleanup: ExitStack,
    module: nn.Module,
    calls: list[RecordedCall],
    tracker: ChannelTracker,
    origins: ProducerWatch,
) -> None:
    """Note what a site receives; where its channel axis is not known, whoever takes its output may tell."""

    def before(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        x = next(tensors((args, kwargs)))
        with torch._C.DisableTorchFunction():  # our own look at x is no use of it
            span = _span(x)
        calls.append(RecordedCall(tuple(x.shape), tracker.axis_of(x), x.dtype, x.device, span, origins.origin_of(x)))

    def after(module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        call = calls[-1]
        if call.axis is None and isinstance(output, Tensor) and output.shape == call.shape:
            tracker.ask(output, lambda axis: setattr(call, "axis", axis))

    cleanup.callback(module.register_forward_pre_hook(before, with_kwargs=True).remove)
    cleanup.callback(module.register_forward_hook(after).remove)


def _span(x: Tensor) -> tuple[float, float] | None:
    if x.is_meta or not x.numel():
        return None
    low, high = (float(value) for value in x.aminmax())
    return (low, high) if math.isfinite(low) and math.isfinite(high) else None


def seen_span(calls: Sequence[RecordedCall]) -> tuple[float, float] | None:
    """The smallest and the largest value over several calls; None where one is not known, or there is none."""
    spans = [call.span for call in calls if call.span is not None]
    if not spans or len(spans) != len(calls):
        return None
    return min(low for low, _ in spans), max(high for _, high in spans)


class _FunctionWatch(TorchFunctionMode):
    """Notes each functional activation or norm that is not the work of an activation or norm module."""

    def __init__(self, trace: Trace, stack: list[tuple[str, nn.Module]]) -> None:
        super().__init__()
        self.trace, self.stack = trace, stack

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        name, given = call_name(func), kwargs or {}
        if name == "hardtanh" and (*args[1:3], *given.values())[:2] == (0.0, 6.0):
            name = "relu6"
        kind = FUNCTIONS.get(name) or NORM_FUNCTIONS.get(name)
        path, module = self.stack[-1] if self.stack else ("", None)
        if kind is not None and not (module is not None and _is_its_own(module)):
            self.trace.functions[path, name, kind] += 1
        return func(*args, **given)


def _is_its_own(module: nn.Module) -> bool:
    """True if a module is itself an activation or a norm, so that the functions it calls are its implementation."""
    ours = type(module).__module__.startswith("zoo.activations")
    return ours or any(kind(module) is not None for kind in (activation_kind, resembled_kind, norm_kind))


@contextmanager
def _undisturbed(model: nn.Module) -> Iterator[None]:
    """Eval mode for a while; then flags, buffers and random states as they were."""
    flags = [(module, module.training) for module in model.modules()]
    buffers = [(module, dict(module._buffers)) for module in model.modules()]
    values = {b: b.clone() for _, held in buffers for b in held.values() if b is not None and not b.is_meta}
    devices = {p.device.index for p in model.parameters() if p.device.type == "cuda"}
    with torch.random.fork_rng(sorted(devices)):
        model.eval()
        try:
            yield
        finally:
            for module, training in flags:
                module.training = training
            for module, held in buffers:
                module._buffers.clear()
                module._buffers.update(held)
            for buffer, value in values.items():
                if not torch.equal(buffer, value):
                    buffer.copy_(value)


@contextmanager
def _one_each(slots: Sequence[Slot]) -> Iterator[None]:
    """A module of its own in each slot for a while, so that the calls of shared modules can be told apart."""
    seen: set[nn.Module] = set()
    swapped = []
    try:
        for slot in slots:
            module = slot.parent.get_submodule(slot.name)
            if module in seen:
                slot.put(copy.deepcopy(module))
                swapped.append((slot, module))
            seen.add(module)
        yield
    finally:
        for slot, module in swapped:
            slot.put(module)
