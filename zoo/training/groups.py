"""Parameter groups: parameters that share a learning rate and a weight decay."""

from fnmatch import fnmatch
from typing import Any

from torch import nn

from zoo.activations.parameters import parameter_specs
from zoo.activations.spec import ParameterSpec
from zoo.training.recipe import OptimizerRecipe

_KINDS = ("activations", "vectors", "fallback", "weights")


def parameter_groups(model: nn.Module, recipe: OptimizerRecipe) -> list[dict[str, Any]]:
    """Split the trainable parameters of `model` into optimiser groups; empty groups are left out.

    1. "activations": every (a, b) of SALU, SWALU, GALU: `activation_lr_factor` times the rate.
    2. "vectors": biases, other parameters with fewer than two dimensions, and those the model itself names in
       `no_weight_decay()`: no weight decay unless `decay_vectors`.
    3. "fallback": weights whose name matches a pattern of `recipe.fallback`.
    4. "weights": the rest.

    A parameter of a registered activation (DyT and Derf included, which are "vectors") has the factor and the weight
    decay of its `ParameterSpec`; `activation_lr_factor` replaces the factor of (a, b). With `layer_decay` below 1 the
    rate of a parameter is multiplied by it once for each layer that comes after its own, in timm's order of layers.
    Groups 1 to 3 are marked `use_fallback` for matrix optimisers (Muon leaves them to its AdamW).

    Returns:
        Dictionaries with `name`, `params`, `weight_decay`, `lr_scale`, `use_fallback`, in the order above; a name comes
        twice where specs differ.

    Source: section 5.1 of the paper for group 1 (the factor itself is ours), the rest is ours.
    """
    specs, layers = parameter_specs(model), _layer_scales(model, recipe.layer_decay)
    named_by_model: Any = getattr(model, "no_weight_decay", set)
    spared = set(named_by_model())
    members: dict[tuple[str, float, float], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        spec = specs.get(name)
        if spec is not None and spec.positive:
            kind = "activations"
        elif parameter.ndim < 2 or name in spared:
            kind = "vectors"
        else:
            kind = "fallback" if any(fnmatch(name, pattern) for pattern in recipe.fallback) else "weights"
        scale, decay = _scale_and_decay(kind, spec, recipe)
        members.setdefault((kind, scale * layers.get(name, 1.0), decay), []).append(parameter)
    return [
        {
            "name": kind,
            "params": parameters,
            "weight_decay": decay,
            "lr_scale": scale,
            "use_fallback": kind != "weights",
        }
        for (kind, scale, decay), parameters in sorted(members.items(), key=lambda item: _KINDS.index(item[0][0]))
    ]


def _layer_scales(model: nn.Module, decay: float) -> dict[str, float]:
    """The factor of each parameter's learning rate by its layer: 1 for the last one."""
    if decay == 1:
        return {}
    from timm.models import group_parameters
    from timm.optim import auto_group_layers

    matcher: Any = getattr(model, "group_matcher", None)
    layers = (
        auto_group_layers(model) if matcher is None else group_parameters(model, matcher(coarse=False), reverse=True)
    )
    last = max(layers.values())
    return {name: decay ** (last - layer) for name, layer in layers.items()}


def _scale_and_decay(kind: str, spec: ParameterSpec | None, recipe: OptimizerRecipe) -> tuple[float, float]:
    """Return the factor by which the learning rate of the weights is multiplied, and the weight decay."""
    if spec is None:
        return 1.0, 0.0 if kind == "vectors" and not recipe.decay_vectors else recipe.weight_decay
    given = recipe.activation_lr_factor if spec.positive else None
    return spec.lr_factor if given is None else given, recipe.weight_decay if spec.weight_decay else 0.0
