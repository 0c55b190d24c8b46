"""A training step on random images that stay on the device: forward, loss, backward, optimiser."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from zoo.activations.dispatch import Kernel, kernel
from zoo.activations.parameters import activation_parameters, project_parameters
from zoo.errors import DivergedError
from zoo.models.build import build_model
from zoo.training.images.optimise import build_optimizer
from zoo.training.images.train_images import unfuse_attention
from zoo.training.recipe import OptimizerRecipe, Precision

OPTIMIZER = OptimizerRecipe(name="momentum", lr=1e-4, weight_decay=5e-4)
"""SGD with momentum; the rate is so low that random labels teach nothing in the steps of a benchmark."""


@dataclass(frozen=True, kw_only=True)
class StepSetting:
    """Settings of a timed step.

    Args:
        batch_size: images of a step.
        size: their height and width.
        precision: "bfloat16" and "float16" by autocast, the latter with a scaled loss.
        channels_last: layout of images and weights.
    """

    batch_size: int
    size: int
    precision: Precision = "float32"
    channels_last: bool = False


class Learner:
    """A network with fresh weights, its optimiser and a batch.

    On a CPU attention is computed in its plain form, as in this project's recipes for it.

    Args:
        model: its name.
        changes: arguments of the builder besides the size, such as a `twin` of its spec.
        setting: of the batch and the precision.
        device: where.
    """

    def __init__(self, model: str, changes: dict[str, str], setting: StepSetting, device: torch.device) -> None:
        order = torch.channels_last if setting.channels_last else torch.contiguous_format
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            torch.manual_seed(0)
            network = build_model(model, img_size=setting.size, **changes)  # type: ignore[arg-type]
            shape = (setting.batch_size, 3, setting.size, setting.size)
            self.images = torch.randn(shape, device=device).contiguous(memory_format=order)
            self.labels = torch.randint(network.num_classes, shape[:1], device=device)  # type: ignore[call-overload]
        if device.type == "cpu":
            unfuse_attention(network)
        self.network = network.to(device).to(memory_format=order).train()
        self.optimizer = build_optimizer(self.network, OPTIMIZER)
        self.bounded = list(activation_parameters(self.network).values())
        self.precision, self.device = setting.precision, device
        self.scaler = torch.amp.GradScaler(device.type, enabled=setting.precision == "float16")

    def compiled(self) -> Callable[[Tensor], Tensor]:
        """The network under torch.compile, as `zoo train` compiles it."""
        return torch.compile(self.network, dynamic=False)

    def loss(self, call: Callable[[Tensor], Tensor], which: Kernel) -> Tensor:
        """The forward pass and the loss.

        Args:
            call: the network, or its compiled form.
            which: implementation of the activations.
        """
        with kernel(which), self._autocast():
            logits = call(self.images)
        return F.cross_entropy(logits.float(), self.labels)

    def step(self, call: Callable[[Tensor], Tensor], which: Kernel) -> Tensor:
        """One whole step; returns the loss. No gradient is held between two steps."""
        loss = self.loss(call, which)
        self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad(set_to_none=True)
        project_parameters(self.bounded)
        return loss.detach()

    def held(self) -> list[Tensor]:
        """Return the tensors that exist between two steps: weights, buffers, the optimiser's state and the batch."""
        state = [v for own in self.optimizer.state.values() for v in own.values() if isinstance(v, Tensor)]
        return [*self.network.parameters(), *self.network.buffers(), *state, self.images, self.labels]

    def check(self, what: str) -> None:
        """Refuse the times of a network that computed nonsense.

        Raises:
            DivergedError: the loss is not finite.
        """
        with torch.no_grad():
            loss = float(self.loss(self.network, "auto"))
        if not loss < float("inf"):
            raise DivergedError(
                f"{what}: the loss is {loss} after the timed steps, so they computed with NaN and their time means "
                "nothing. Try --precision float32."
            )

    def _autocast(self) -> AbstractContextManager[Any]:
        if self.precision == "float32":
            return nullcontext()
        return torch.autocast(self.device.type, dtype=getattr(torch, self.precision))
