"""transformers' BERT to `fles_bert`: the model type whose FleS is told which tokens are padding."""

from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any

from torch import nn

from zoo.conversion.choose import Wish
from zoo.conversion.conversion_plan import gate_difference
from zoo.conversion.conversion_report import ConvertedSite, Report
from zoo.conversion.outcome import compare, parameter_count, warnings_for
from zoo.conversion.probe import run_probe
from zoo.conversion.target import Target, started
from zoo.errors import ConfigurationError

_CLASSES = {"BertModel": "FlesBertModel", "BertForSequenceClassification": "FlesBertForSequenceClassification"}
MODEL_TYPE = "fles_bert"


def is_convertible_bert(model: nn.Module) -> bool:
    """True for one of the two BERT classes that have a FleS twin; answered without importing transformers."""
    return type(model).__module__ == "transformers.models.bert.modeling_bert" and type(model).__name__ in _CLASSES


def convert_bert(model: Any, wish: Wish, example: Any, *, inplace: bool) -> tuple[nn.Module, Report]:
    """A FlesBertModel or FlesBertForSequenceClassification with the weights of `model`, which stays as it is.

    Raises:
        ConfigurationError: the arguments ask for something that this model type cannot be.
    """
    act = model.get_submodule(_paths(model)[0])
    kind = wish.kind_of(act) or type(act).__name__
    _check(model, wish, act, kind, inplace)
    steepness, size = wish.target.steepness_for(kind), model.config.intermediate_size
    new = fles_bert(model, wish.target, steepness)
    difference = gate_difference(act, wish.target.make(size, -1, steepness), (1, 1, size), -1)
    site = ConvertedSite(
        path="",
        was=type(act).__name__,
        kind=kind,
        became=wish.target.name,
        num_features=size,
        channel_axis=-1,
        steepness=steepness,
        preserves=difference == 0.0,
        difference=difference,
        calls=1,
    )
    sites = tuple(replace(site, path=path) for path in _paths(model))
    apart, scale = compare(run_probe(model, example, []).outputs, run_probe(new, example, []).outputs)
    return new, Report(
        model=type(model).__name__,
        to=wish.target.name,
        arguments=dict(wish.target.arguments),
        sites=sites,
        left=(),
        warnings=tuple(warnings_for(wish.target, sites, apart, around=())),
        difference=apart,
        scale=scale,
        parameters=(parameter_count(model), parameter_count(new)),
        model_type=MODEL_TYPE,
    )


def fles_bert(model: Any, target: Target, steepness: float | None) -> nn.Module:
    """The FleS twin of a BERT, with its weights; FleS is fresh.

    Raises:
        ConfigurationError: `fles_bert` has no such argument, is no decoder, and knows no variant "proto".
    """
    from zoo.models import bert

    unknown = sorted(set(target.arguments) - {"start", "steepness", "hidden", "variant"})
    if unknown:
        raise ConfigurationError(
            f"convert({type(model).__name__}, to={target.name!r}): fles_bert has no {unknown[0]!r}."
        )
    own = model.config.to_dict()
    dropped = ("model_type", "architectures", "hidden_act", "transformers_version", "use_cache")
    config = bert.FlesBertConfig(
        **{key: value for key, value in own.items() if key not in dropped},
        fles_variant=target.variant,
        fles_hidden=target.arguments.get("hidden"),
        fles_start=target.arguments.get("start", "identity"),
        fles_steepness=steepness,
    )
    config._attn_implementation = model.config._attn_implementation
    cls: Any = getattr(bert, _CLASSES[type(model).__name__])
    pooled = {"add_pooling_layer": model.pooler is not None} if type(model).__name__ == "BertModel" else {}
    new: nn.Module = cls(config, **pooled)
    missing, unexpected = new.load_state_dict(model.state_dict(), strict=False)
    if unexpected or any(".intermediate_act_fn." not in name for name in missing):
        raise ConfigurationError(
            f"{type(model).__name__} does not fit {cls.__name__}: {', '.join([*unexpected, *missing][:5])}. It was "
            "changed after it was built; convert the original."
        )
    first = next(model.parameters())
    started(new.to(device=first.device, dtype=first.dtype)).train(model.training)
    for name, parameter in model.named_parameters():
        new.get_parameter(name).requires_grad_(parameter.requires_grad)
    return new


def _paths(model: Any) -> list[str]:
    base = "" if type(model).__name__ == "BertModel" else "bert."
    return [f"{base}encoder.layer.{i}.intermediate.intermediate_act_fn" for i in range(model.config.num_hidden_layers)]


def _check(model: Any, wish: Wish, act: nn.Module, kind: str, inplace: bool) -> None:
    asked = f"convert({type(model).__name__}, to={wish.target.name!r})"
    if inplace:
        raise ConfigurationError(f"{asked}: the result is a model of another class; leave inplace out.")
    if kind not in wish.kinds and type(act) not in wish.classes:
        raise ConfigurationError(f"{asked}: its activation is {kind}, not among of={', '.join(sorted(wish.kinds))}.")
    paths = _paths(model)
    if any(type(model.get_submodule(path)) is not type(act) for path in paths):
        raise ConfigurationError(
            f"{asked}: its layers differ in their activation, and fles_bert has one start for all."
        )
    chosen = [p for p in paths if any(fnmatchcase(p, i) for i in wish.include)]
    chosen = [p for p in chosen if not any(fnmatchcase(p, e) for e in wish.exclude)]
    if chosen != paths:
        raise ConfigurationError(
            f"{asked}: fles_bert has FleS in every intermediate layer, and the patterns choose {len(chosen)} of "
            f"{len(paths)}. Leave include and exclude out."
        )
