"""Finding the learned scalars of activations in a model, and keeping them positive while they are learned."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from zoo.activations.spec import ACTIVATIONS, ActivationSpec, ParameterSpec
from zoo.numerics.constants import FLOOR


def activation_spec(module: nn.Module) -> ActivationSpec | None:
    """The spec of the registered activation that `module` is an instance of, its variant included, or None."""
    specs = (ACTIVATIONS.get(name) for name in ACTIVATIONS)
    return next((spec for spec in specs if isinstance(module, spec.module) and _is_variant(module, spec)), None)


def _is_variant(module: nn.Module, spec: ActivationSpec) -> bool:
    return all(getattr(module, name, None) == value for name, value in spec.arguments.items())


def parameter_specs(model: nn.Module) -> dict[str, ParameterSpec]:
    """Describe every parameter of `model` that belongs to a registered activation, DyT and Derf included.

    Returns:
        Names as in `model.named_parameters()`. Found by the type of the owning module, never by the name.
    """
    found: dict[str, ParameterSpec] = {}
    for path, module in model.named_modules():
        spec = activation_spec(module)
        owned = {name for name, _ in module.named_parameters()} if spec else set()
        for parameter in spec.parameters if spec else ():
            if parameter.name in owned:
                found[f"{path}.{parameter.name}" if path else parameter.name] = parameter
    return found


def activation_parameters(model: nn.Module) -> dict[str, nn.Parameter]:
    """Every a and b of the SALU family in `model`: the parameters that must stay positive.

    DyT's and Derf's parameters are not in it. Learning-rate factor and weight decay stand in `parameter_specs`.

    Returns:
        Names as in `model.named_parameters()`.
    """
    positive = [name for name, spec in parameter_specs(model).items() if spec.positive]
    return {name: model.get_parameter(name) for name in positive}


@torch.no_grad()
def project_parameters(target: nn.Module | Iterable[Tensor], floor: float = FLOOR) -> None:
    """Replace every stored a and b by max(|p|, floor), in place; call it after each step of the optimiser.

    The forward pass computes with that value anyway [ours], so no output changes. NaN stays NaN, to be noticed.

    Args:
        target: a model, or its `activation_parameters(model).values()` to save the search.
        floor: the smallest value to leave.
    """
    if isinstance(target, nn.Module):
        target = activation_parameters(target).values()
    tensors = list(target)
    if tensors:
        torch._foreach_abs_(tensors)
        torch._foreach_clamp_min_(tensors, floor)
