"""Optimiser and learning-rate schedule from timm, and gradient clipping with a choice of scope."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from zoo.errors import RecipeError, suggestion
from zoo.training.groups import parameter_groups
from zoo.training.recipe import OptimizerRecipe, Recipe


def build_optimizer(model: nn.Module, recipe: OptimizerRecipe) -> torch.optim.Optimizer:
    """Create timm's optimiser over the groups of `parameter_groups`.

    Raises:
        RecipeError: timm has no optimiser of that name, or it refuses an argument.
    """
    from timm.optim import create_optimizer_v2, list_optimizers

    known = list_optimizers()
    if recipe.name.lower() not in known:
        raise RecipeError(f"optimizer.name: timm has no optimiser {recipe.name!r}. {suggestion(recipe.name, known)}")
    groups = parameter_groups(model, recipe)
    keyword: dict[str, Any] = {"momentum": recipe.momentum, **recipe.args}
    try:
        return create_optimizer_v2(groups, opt=recipe.name, lr=recipe.lr, weight_decay=recipe.weight_decay, **keyword)  # type: ignore[no-any-return]
    except (TypeError, ValueError, AssertionError) as error:
        raise RecipeError(f"optimizer.args: {recipe.name} refuses {recipe.args}: {error}.") from error


def build_scheduler(optimizer: torch.optim.Optimizer, recipe: Recipe, steps_per_epoch: int) -> Any:
    """Create timm's scheduler, to be stepped by `step_update(number of finished steps)`; it holds no other state.

    Linear warm-up to the base rate, then cosine or linear decay over all remaining steps, which the step after the last
    would end at `min_lr`; or constant.
    """
    from timm.scheduler import CosineLRScheduler, PolyLRScheduler, StepLRScheduler

    schedule = recipe.schedule
    total = schedule.epochs * steps_per_epoch
    warmup = min(round(schedule.warmup_epochs * steps_per_epoch), total - 1)
    shared = {"warmup_t": warmup, "warmup_lr_init": schedule.warmup_lr, "warmup_prefix": True, "t_in_epochs": False}
    if schedule.kind == "constant":
        return StepLRScheduler(optimizer, decay_t=total + 1, decay_rate=1.0, **shared)
    decay = {"t_initial": max(total - warmup, 2), "lr_min": schedule.min_lr}
    if schedule.kind == "linear":
        return PolyLRScheduler(optimizer, power=1.0, **decay, **shared)
    return CosineLRScheduler(optimizer, **decay, **shared)


class Float32(TorchFunctionMode):
    """Inside it, tensors that are to become bfloat16 become float32.

    timm's Muon iterates in bfloat16 whatever the gradients are, and a processor without bfloat16 emulates it: 70 % of a
    step of PoolFormer-S12 at 16 pixels was spent on that with AVX2. What is to run in float32 does so here.
    """

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Call `func`, with another dtype if it converts to bfloat16."""
        given = kwargs or {}
        if func is Tensor.to and given.get("dtype") is torch.bfloat16:
            given = given | {"dtype": torch.float32}
        return func(*args, **given)


class Clipper:
    """Limits the gradient's 2-norm over the whole model, or over everything but the activation parameters.

    Args:
        optimizer: made by `build_optimizer`; its group names say which parameters belong to activations.
        recipe: `clip_norm` 0 measures without limiting.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, recipe: OptimizerRecipe) -> None:
        everything = recipe.clip_scope == "all"
        self.parameters = [
            parameter
            for group in optimizer.param_groups
            if everything or group["name"] != "activations"
            for parameter in group["params"]
        ]
        self.limit = recipe.clip_norm or math.inf

    def __call__(self) -> Tensor:
        """Scale the gradients down to the limit if they exceed it; returns the norm before scaling."""
        return nn.utils.clip_grad_norm_(self.parameters, self.limit)
