"""Which parameters share a learning rate and a weight decay."""

from fnmatch import fnmatch
from typing import Any

from torch import nn

from zoo.activations import activation_parameters
from zoo.training.recipe import OptimizerRecipe


def parameter_groups(model: nn.Module, recipe: OptimizerRecipe) -> list[dict[str, Any]]:
    """Split the trainable parameters of `model` into optimiser groups; empty groups are left out.

    1. "activations": every (a, b) of SALU, SWALU, GALU: `activation_lr_factor` times the rate, no weight decay.
    2. "vectors": biases, other parameters with fewer than two dimensions, and those the model itself names in
       `no_weight_decay()`: no weight decay unless `decay_vectors`.
    3. "fallback": weights whose name matches a pattern of `recipe.fallback`.
    4. "weights": the rest.

    Groups 1 to 3 are marked `use_fallback` for matrix optimisers (Muon leaves them to its AdamW).

    Returns:
        Dictionaries with `name`, `params`, `weight_decay`, `lr_scale`, `use_fallback`.

    Source: section 5.1 of the paper for group 1 (the factor itself is ours), the rest is ours.
    """
    activations = activation_parameters(model)
    named_by_model: Any = getattr(model, "no_weight_decay", set)
    spared = set(named_by_model())
    members: dict[str, list[nn.Parameter]] = {"activations": [], "vectors": [], "fallback": [], "weights": []}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        if name in activations:
            kind = "activations"
        elif parameter.ndim < 2 or name in spared:
            kind = "vectors"
        else:
            kind = "fallback" if any(fnmatch(name, pattern) for pattern in recipe.fallback) else "weights"
        members[kind].append(parameter)
    decay = {
        "activations": 0.0,
        "vectors": recipe.weight_decay if recipe.decay_vectors else 0.0,
        "fallback": recipe.weight_decay,
        "weights": recipe.weight_decay,
    }
    return [
        {
            "name": kind,
            "params": parameters,
            "weight_decay": decay[kind],
            "lr_scale": recipe.activation_lr_factor if kind == "activations" else 1.0,
            "use_fallback": kind != "weights",
        }
        for kind, parameters in members.items()
        if parameters
    ]
