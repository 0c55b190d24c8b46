"""Parameter groups for fine-tuning: parameters that share a learning rate and a weight decay."""

from typing import Any

import torch
from torch import nn

from zoo.activations.parameters import parameter_specs
from zoo.training.texts.finetuning_recipe import TextOptimizer


def build_optimizer(model: nn.Module, recipe: TextOptimizer) -> torch.optim.Optimizer:
    """AdamW over four groups: activations and the rest, each with and without weight decay.

    Parameters of activations learn at `activation_lr_factor` times the rate and decay if their `ParameterSpec` says so;
    of the rest, biases and other vectors do not decay.
    """
    specs = parameter_specs(model)
    members: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        spec = specs.get(name)
        decays = parameter.ndim > 1 if spec is None else spec.weight_decay
        members.setdefault((spec is not None, decays), []).append(parameter)
    groups: list[dict[str, Any]] = [
        {
            "params": parameters,
            "lr": recipe.lr * (recipe.activation_lr_factor if learned else 1.0),
            "weight_decay": recipe.weight_decay if decays else 0.0,
        }
        for (learned, decays), parameters in sorted(members.items(), key=lambda item: item[0])
    ]
    return torch.optim.AdamW(groups, lr=recipe.lr, betas=recipe.betas, fused=True)
