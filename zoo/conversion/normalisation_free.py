"""`convert(model, "salunet")`: a trained network with BatchNorm and ReLU as a SaluNet, without loss at the start.

Every BatchNorm is folded into the convolution or linear layer before it. A SALU of gain 1 takes its place, so wide
that the values the example pass brings there lie in its linear part: S = W = `headroom` times the largest of them, or
`headroom` where that is below 1, so (a, b) = (1, 1/W²), and the largest is bent by 1/(2·headroom²) of itself. ReLU
becomes SWALU with a = b = `steepness`: S = 1, and |SWALU - ReLU| is at most 0.150/a. ReLU6 keeps its clip in front. All
of it is ours.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from torch import nn

from zoo.activations.channel_gate import require_finite
from zoo.conversion.carry_out import Work, carry_out, check_plans, plan_sites, problem
from zoo.conversion.choose import Wish, choose_slots, make_wish
from zoo.conversion.conversion_plan import ConversionPlan, SlotSetting, gate_difference
from zoo.conversion.conversion_report import ConvertedSite, Left, Report
from zoo.conversion.folding import affine_slots, folded_slot
from zoo.conversion.outcome import called_as_functions, warnings_for
from zoo.conversion.probe import RecordedCall, run_probe, seen_span
from zoo.conversion.replace_modules import place
from zoo.conversion.site_module import module_for, settled
from zoo.conversion.slots import Slot
from zoo.conversion.target import Target
from zoo.errors import ConfigurationError, ZooError
from zoo.numerics.constants import FLOOR

Calls = Sequence[RecordedCall]
SALUNET = "salunet"
HEADROOM = 8.0
"""W over the largest value seen: that is bent by 0.8 %, a tenth of it by 0.008 %."""
GATE_STEEPNESS = 16.0
"""a = b of SWALU where ReLU stood: at most 0.0094 from it."""


def salunet_arguments(arguments: dict[str, Any]) -> dict[str, float]:
    """`headroom` and `steepness`, checked, with their usual values.

    Raises:
        ConfigurationError: one is no positive number, or there is another argument.
    """
    values = {"headroom": HEADROOM, "steepness": GATE_STEEPNESS}
    for name, value in arguments.items():
        if name not in values:
            raise ConfigurationError(f"convert(to={SALUNET!r}) takes headroom and steepness, not {name!r}.")
        if require_finite(f"convert(to={SALUNET!r})", name, value) <= 0:
            raise ConfigurationError(f"convert(to={SALUNET!r}, {name}={value!r}): give a positive number.")
        values[name] = float(value)
    return values


def convert_to_salunet(
    model: nn.Module, arguments: dict[str, float], patterns: tuple[Any, Any], example: Any, partial: bool
) -> Report:
    """Fold, replace and check; the model is as it was if anything fails.

    Args:
        model: to change.
        arguments: what `salunet_arguments` returned.
        patterns: include and exclude, as `convert` takes them.
        example: of the example pass.
        partial: whether sites that cannot be converted stay as they are.

    Raises:
        ConfigurationError: no example, no site, or sites that cannot be converted, each named with the reason.
    """
    pair = (arguments["steepness"], arguments["steepness"])
    gates = make_wish(Target("swalu", {"a": pair[0], "b": pair[1]}), ("relu", "relu6"), *patterns)
    norms = make_wish(Target("salu"), None, *patterns)
    chosen_gates, left = choose_slots(model, gates, beside=norms)
    chosen_norms, norms_left = choose_slots(model, norms, beside=gates)
    layers = affine_slots(model)
    watched = [*(slot for slot, _ in (*chosen_gates, *chosen_norms)), *layers.values()]
    work = Work(model, SALUNET, dict(arguments), example, run_probe(model, example, watched))
    gate_plans, problems = plan_sites(chosen_gates, work.trace, SlotSetting(model, gates, None, None, False))
    gate_plans = [replace(plan, site=replace(plan.site, pair=pair)) for plan in gate_plans]
    norm_plans, norm_problems = _folded(chosen_norms, work, layers)
    norms_left += [*called_as_functions(work.trace, norms), *norm_problems]
    left += [*called_as_functions(work.trace, gates), *problems, *norms_left]
    check_plans(work, "BatchNorm or ReLU", [*gate_plans, *norm_plans], left, partial)
    norm_plans = _measured(norm_plans, work, arguments["headroom"])
    return carry_out(work, [*gate_plans, *norm_plans], left, lambda *seen: _warnings(gates, norms_left, *seen))


def _folded(
    chosen: Sequence[tuple[Slot, str]], work: Work, layers: dict[nn.Module, Slot]
) -> tuple[list[ConversionPlan], list[Left]]:
    """Plans with the identity where each BatchNorm stood, and the norm layers that cannot be folded."""
    plans, problems = [], []
    for slot, kind in chosen:
        try:
            layer, new = folded_slot(slot, work.trace, layers, work.model)
        except ZooError as error:
            problems.append(problem(slot, error))
            continue
        site = ConvertedSite(
            path=slot.path,
            was=type(slot.module).__name__,
            kind=kind,
            became="salu",
            num_features=None,
            channel_axis=None,
            steepness=None,
            preserves=False,
            difference=None,
            calls=1,
            aliases=slot.aliases,
            folded=layer.path,
        )
        plans.append(ConversionPlan(slot, site, nn.Identity(), (layer, new)))
    return plans, problems


def _measured(plans: Sequence[ConversionPlan], work: Work, headroom: float) -> list[ConversionPlan]:
    """The plans with SALU, as wide as the values ask for that reach it once everything is folded."""
    undo = place(work.model, plans)
    try:
        calls = run_probe(work.model, work.example, [plan.slot for plan in plans]).calls
    finally:
        undo()
    return [_with_salu(plan, calls[plan.slot], work.model, headroom) for plan in plans]


def _with_salu(plan: ConversionPlan, calls: Calls, model: nn.Module, headroom: float) -> ConversionPlan:
    span = seen_span(calls)
    if span is None:
        raise ConfigurationError(
            f"{plan.site.path}: the example brings values there that are not finite or not known, and the width of "
            "SALU follows from them. Pass another example=..."
        )
    largest = max(-span[0], span[1], 1.0)  # a BatchNorm that starts at 0 lets little through yet
    pair = (1.0, max((headroom * largest) ** -2, FLOOR))
    module = module_for(plan.site, Target("salu", {"a": pair[0], "b": pair[1]}))
    difference = gate_difference(nn.Identity(), module, (1, 1, 1, 1), 1, span)
    site = replace(plan.site, span=span, pair=pair, difference=difference)
    return replace(plan, site=site, module=settled(plan.slot, module, model, calls))


def _warnings(
    gates: Wish,
    norms_left: Sequence[Left],
    sites: Sequence[ConvertedSite],
    difference: float | None,
    around: Sequence[Sequence[nn.Module]],
) -> list[str]:
    found = warnings_for(gates.target, sites, difference, around)
    narrow = [site.path for site in sites if site.folded and site.pair and site.pair[1] <= FLOOR]
    if narrow:
        found.append(f"SALU is at most {FLOOR**-0.5:g} wide, which is less than asked for at {', '.join(narrow)}")
    if norms_left:
        found.append(f"the network still normalises: {', '.join(f'{e.path} ({e.what})' for e in norms_left)}")
    return found
