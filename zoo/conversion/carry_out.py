"""From the plans of a conversion to the converted model and its report, or back to the model as it was."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from zoo.conversion.conversion_plan import ConversionPlan, SlotSetting, plan_site
from zoo.conversion.conversion_report import ConvertedSite, Left, Report
from zoo.conversion.outcome import compare, parameter_count
from zoo.conversion.probe import Trace
from zoo.conversion.replace_modules import place, verify
from zoo.conversion.slots import Slot, ancestors
from zoo.errors import ConfigurationError, ZooError

Warn = Callable[[Sequence[ConvertedSite], float | None, Sequence[Sequence[nn.Module]]], list[str]]
"""From the sites, the largest difference of the outputs and the modules around each site to the warnings."""


@dataclass(frozen=True)
class Work:
    """A conversion under way.

    Args:
        model: the model to change.
        to: the target's name.
        arguments: for the report.
        example: of the example pass; None without one.
        trace: of the pass before anything was changed.
    """

    model: nn.Module
    to: str
    arguments: dict[str, Any]
    example: Any
    trace: Trace


def plan_sites(
    chosen: Sequence[tuple[Slot, str]], trace: Trace, setting: SlotSetting
) -> tuple[list[ConversionPlan], list[Left]]:
    """A plan for each slot that can become the target, and the problems of the others."""
    plans, problems = [], []
    for slot, kind in chosen:
        try:
            plans.append(plan_site(slot, kind, trace.calls[slot], setting))
        except ZooError as error:
            problems.append(problem(slot, error))
    return plans, problems


def problem(slot: Slot, error: ZooError) -> Left:
    """The entry of a slot that cannot become what was asked for."""
    return Left(slot.path, type(slot.module).__name__, str(error), "problem")


def check_plans(work: Work, sort: str, plans: Sequence[ConversionPlan], left: Sequence[Left], partial: bool) -> None:
    """Refuse to go on where nothing can be converted, or, unless `partial`, where one site cannot.

    Raises:
        ConfigurationError: it is so; every site is named, with the reason.
    """
    name, problems = type(work.model).__name__, [entry for entry in left if entry.why == "problem"]
    if problems and not (partial and plans):
        reasons = {entry.reason: [e for e in problems if e.reason == entry.reason] for entry in problems}
        raise ConfigurationError(
            f"{len(problems)} of {len(plans) + len(problems)} sites of {name} cannot become {work.to}:\n  "
            + "\n  ".join(
                f"{', '.join(e.path for e in same)} ({same[0].what}): {why}." for why, same in reasons.items()
            )
            + "\nName them in exclude=..., or pass partial=True to leave them as they are."
        )
    if not plans:
        others = "".join(f"\n  {entry.path or name} ({entry.what}): {entry.reason}" for entry in left)
        raise ConfigurationError(
            f"{name} has no {sort} that could become {work.to}.{others or ' Nothing like one was found.'}"
        )


def carry_out(work: Work, plans: Sequence[ConversionPlan], left: Sequence[Left], warn: Warn) -> Report:
    """Put every module into its slot, check that the model uses it, and report.

    Raises:
        ConfigurationError: the model does not run with them; it is as it was then.
    """
    before = parameter_count(work.model)
    undo = place(work.model, plans)
    try:
        after = verify(work.model, work.example, plans) if work.example is not None else Trace()
    except ConfigurationError:
        undo()
        raise
    difference, scale = compare(work.trace.outputs, after.outputs)
    sites = tuple(plan.site for plan in plans)
    return Report(
        model=type(work.model).__name__,
        to=work.to,
        arguments=work.arguments,
        sites=sites,
        left=tuple(left),
        warnings=tuple(warn(sites, difference, [ancestors(work.model, site.path) for site in sites])),
        difference=difference,
        scale=scale,
        parameters=(before, parameter_count(work.model)),
    )
