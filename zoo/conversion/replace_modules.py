"""Putting new modules into their slots, and checking that the model really uses them."""

from collections.abc import Callable, Sequence
from typing import Any

from torch import nn

from zoo.conversion.conversion_plan import ConversionPlan
from zoo.conversion.probe import Trace, run_probe
from zoo.conversion.site_module import put_at
from zoo.conversion.slots import Slot
from zoo.errors import ConfigurationError


def place(model: nn.Module, plans: Sequence[ConversionPlan]) -> Callable[[], None]:
    """Put each plan's module into its slot, in their order: a norm layer keeps the new activation put into it before.

    Returns:
        A function that takes everything back.
    """
    for plan in plans:
        put_at(plan.slot, plan.site, plan.module)
        if plan.layer is not None:
            plan.layer[0].put(plan.layer[1])
    restore = leave_fast_paths(model, [plan.slot for plan in plans])

    def undo() -> None:
        for plan in plans:
            for slot in (plan.slot, *(plan.layer or ())[:1]):
                slot.put(slot.module)
        for module, attribute, value in restore:
            setattr(module, attribute, value)

    return undo


def leave_fast_paths(model: nn.Module, slots: Sequence[Slot]) -> list[tuple[nn.Module, str, Any]]:
    """Make torch's own transformer layers call their modules.

    They note at construction that their activation is ReLU or GELU, and compute it and the norms themselves in eval
    mode: without this a converted layer would keep the old ones there.

    Returns:
        What was changed: module, attribute, former value.
    """
    changed: list[tuple[nn.Module, str, Any]] = []
    layers = {slot.parent for slot in slots if isinstance(slot.parent, nn.TransformerEncoderLayer)}
    stacks = [m for m in model.modules() if isinstance(m, nn.TransformerEncoder) and layers & set(m.layers)]
    flags: list[tuple[nn.Module, str, Any]] = [(layer, "activation_relu_or_gelu", 0) for layer in layers]
    flags += [(stack, "use_nested_tensor", False) for stack in stacks]
    for module, attribute, value in flags:
        changed.append((module, attribute, getattr(module, attribute)))
        setattr(module, attribute, value)
    return changed


def verify(model: nn.Module, example: Any, plans: Sequence[ConversionPlan]) -> Trace:
    """Run the example again and compare the calls.

    Raises:
        ConfigurationError: the model does not run any more, or calls a former module by another way.
    """
    try:
        trace = run_probe(model, example, [plan.slot for plan in plans])
    except ConfigurationError as error:
        raise ConfigurationError(
            f"After the conversion {type(model).__name__} does not run any more: {error.__cause__}. It needs something "
            "of a module that was replaced: leave that out with exclude=.... Nothing was changed."
        ) from error
    missed = [plan.site.path for plan in plans if len(trace.calls[plan.slot]) != plan.site.calls]
    if missed:
        raise ConfigurationError(
            f"{type(model).__name__} does not call what was put at {', '.join(missed)} as often as what stood there: "
            "it holds the former module somewhere else too, or runs differently each time. Leave it out with "
            "exclude=.... Nothing was changed."
        )
    return trace
