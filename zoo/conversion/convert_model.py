"""`convert`: a model with other activations, or with other modules where it normalised."""

import copy
from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from zoo.conversion.bert import convert_bert, is_convertible_bert
from zoo.conversion.carry_out import Work, carry_out, check_plans, plan_sites
from zoo.conversion.choose import Kinds, choose_slots, make_wish
from zoo.conversion.conversion_plan import Axis, SlotSetting, check_axis, check_axis_patterns
from zoo.conversion.conversion_report import Report
from zoo.conversion.example import batch_size, make_example
from zoo.conversion.normalisation_free import SALUNET, convert_to_salunet, salunet_arguments
from zoo.conversion.outcome import called_as_functions, warnings_for
from zoo.conversion.probe import Trace, run_probe
from zoo.conversion.replaceable import activation_kind, norm_kind
from zoo.conversion.target import Target
from zoo.errors import ConfigurationError


def convert(
    model: nn.Module,
    to: str = "fles",
    *,
    of: Kinds = None,
    include: str | Iterable[str] = "*",
    exclude: str | Iterable[str] = (),
    example: Any = None,
    channel_axis: Axis = None,
    inplace: bool = False,
    partial: bool = False,
    ignore_padding: bool = False,
    **kwargs: Any,
) -> tuple[nn.Module, Report]:
    """Replace the activations of a model by another gate, its norm layers by SALU, DyT or Derf, or both for a SaluNet.

    `model, report = zoo.convert(model, to="fles")`. Where SiLU stood, a fresh FleS (κ_ve = κ_ho = 1) computes the same
    bits, so the outputs do not change until it is trained; where GELU (κ_ho = 1.702) or ReLU (16) stood they change a
    little, where Hardswish stood more. ReLU6 keeps its clip in front of FleS, SWALU and GALU. To "salunet", BatchNorm
    and ReLU become SALU and SWALU and the outputs change a little; see `zoo.conversion.normalisation_free`. Other norm
    replacements keep nothing: such a model must be trained. The report says it for each site, by the largest difference
    over the values that the example pass brings there, and for the outputs on the example.

    An example pass finds the number of channels, their axis, and activations that are called as functions (`F.gelu`);
    those stay and are listed in `report.left`. Compositions such as `x * torch.sigmoid(x)` and `x.clamp(min=0)` are not
    recognised. Every site gets parameters of its own, also where one module object stood at several places. Hooks that
    you registered on a replaced module go with it.

    transformers' BertModel and BertForSequenceClassification become the `fles_bert` model of the same kind, whose FleS
    is told which tokens are padding. Other transformers models with an attention mask are refused for targets that
    average over positions, unless `ignore_padding`; masks in other code are not seen.

    Args:
        model: any module: of the zoo, of timm, of transformers, your own. Convert before `torch.compile` and DDP.
        to: a gate of `zoo.activations.gates.list_gates()`; "salunet"; or "salu", "dyt", "derf" for the norm layers.
        of: kinds to replace ("gelu" covers its three forms) or module classes; None for SiLU, GELU, ReLU, ReLU6 and
            Hardswish, or for every norm layer.
        include: shell-style patterns of module names; `*` goes across dots.
        exclude: patterns of names to leave out.
        example: what the example pass runs on, with axis 0 as the batch: a tensor, a tuple of positional or a dict of
            keyword arguments. None makes two samples for models that say what they take.
        channel_axis: instead of what the pass found: 1 for (n, c, h, w), -1 for tokens, or a mapping pattern -> axis;
            the first pattern that fits counts.
        inplace: change `model` itself, unless anything fails; otherwise it is copied and stays as it is.
        partial: leave sites that cannot become the target as they are, and say so in the report, instead of failing.
        ignore_padding: convert models with an attention mask although padding will change their results.
        **kwargs: for the target's constructor at every site, such as `steepness`, `hidden` or `a`, `b`. Without
            `steepness`, FleS starts at `zoo.conversion.STEEPNESS` for what stood there. "salunet" takes `steepness`, a
            and b of its gates, and `headroom`, SALU's width over the largest value seen.

    Returns:
        The converted model, in the mode, number type and on the device it had, and the report.

    Raises:
        UnknownNameError: no such target.
        ConfigurationError: arguments that do not fit, no example, no site, or sites that cannot become the target, each
            named with the reason.

    Source: ours; the starts follow from the definition of FleS.
    """
    _check_model(model)
    if to == SALUNET:
        arguments = salunet_arguments(kwargs)
        if of is not None or channel_axis is not None or ignore_padding:
            raise ConfigurationError(
                f"convert(to={to!r}) takes every norm layer, ReLU and ReLU6, whose replacements look at single values: "
                "leave of, channel_axis and ignore_padding out."
            )
        given = make_example(model) if example is None else example
        if given is None:
            raise _no_example(model, to, "measure the range of values at each norm layer")
        work = model if inplace else _copy(model)
        return work, convert_to_salunet(work, arguments, (include, exclude), given, partial)
    target = Target(to, kwargs)
    wish = make_wish(target, of, include, exclude)
    check_axis(channel_axis, target)
    given = make_example(model) if example is None else example
    if is_convertible_bert(model) and target.is_fles:
        return convert_bert(model, wish, given, inplace=inplace)
    if given is None and target.needs_channels and not target.replaces_norms:
        raise _no_example(model, to, "find the number of channels of each site")
    work = model if inplace else _copy(model)
    setting = SlotSetting(work, wish, channel_axis, batch_size(given), ignore_padding)
    return work, _convert(setting, given, partial)


def check_target(to: str, arguments: dict[str, Any]) -> None:
    """Fail where `convert` would for its target alone, before there is a model.

    Raises:
        UnknownNameError: no such target.
        ConfigurationError: it does not take the arguments.
    """
    if to == SALUNET:
        salunet_arguments(arguments)
    else:
        Target(to, arguments)


def _convert(setting: SlotSetting, example: Any, partial: bool) -> Report:
    """Probe, plan, and carry it out; the model is as it was if anything fails."""
    model, wish = setting.model, setting.wish
    chosen, left = choose_slots(model, wish)
    slots = [slot for slot, _ in chosen]
    check_axis_patterns(setting.axis, slots)
    trace = run_probe(model, example, slots) if example is not None else Trace()
    plans, problems = plan_sites(chosen, trace, setting)
    left += [*called_as_functions(trace, wish), *problems]
    sort = "norm layer" if wish.target.replaces_norms else "activation"
    work = Work(model, wish.target.name, dict(wish.target.arguments), example, trace)
    check_plans(work, sort, plans, left, partial)
    return carry_out(work, plans, left, lambda sites, apart, around: warnings_for(wish.target, sites, apart, around))


def _no_example(model: nn.Module, to: str, purpose: str) -> ConfigurationError:
    return ConfigurationError(
        f"convert({type(model).__name__}, to={to!r}): an example pass must {purpose}, and this model does not say what "
        "it takes. Pass example=..., a batch of two or more."
    )


def _check_model(model: nn.Module) -> None:
    if not isinstance(model, nn.Module):
        raise ConfigurationError(f"convert takes a torch.nn.Module, not {type(model).__name__}: build the model first.")
    name = type(model).__name__
    if isinstance(model, torch.jit.ScriptModule) or hasattr(model, "_orig_mod"):
        raise ConfigurationError(f"{name} is compiled already; convert the model it was made from, then compile that.")
    if activation_kind(model) is not None or norm_kind(model) is not None:
        raise ConfigurationError(f"The model itself is a {name}; build the module that shall replace it instead.")


def _copy(model: nn.Module) -> nn.Module:
    try:
        return copy.deepcopy(model)
    except (RuntimeError, TypeError) as error:
        raise ConfigurationError(
            f"{type(model).__name__} cannot be copied ({' '.join(str(error).split())[:200]}). Pass inplace=True to "
            "convert the model itself."
        ) from error
