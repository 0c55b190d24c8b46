"""BatchNorm judged by the statistics of the batch in front of it: does the fault lie in its running averages?"""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn

from zoo.training.loop import Trainer
from zoo.training.measure import measure


def batchnorms(model: nn.Module) -> list[nn.modules.batchnorm._BatchNorm]:
    """Every BatchNorm of `model`."""
    return [module for module in model.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]


@contextmanager
def batch_statistics(model: nn.Module) -> Iterator[None]:
    """While the block runs, `model` is in evaluation mode but for its BatchNorms, which use each batch's statistics.

    The running averages stay what they are: a momentum of 0 adds nothing to them.
    """
    found = batchnorms(model)
    momenta = [module.momentum for module in found]
    counts = [None if m.num_batches_tracked is None else m.num_batches_tracked.clone() for m in found]
    training = model.training
    model.eval()
    try:
        for module in found:
            module.train()
            module.momentum = 0.0
        yield
    finally:
        for module, momentum, count in zip(found, momenta, counts, strict=True):
            module.momentum = momentum
            if count is not None and module.num_batches_tracked is not None:
                module.num_batches_tracked.copy_(count)
        model.train(training)


def measure_with_batch_statistics(trainer: Trainer) -> dict[str, float]:
    """Top-1 (percent) and loss of a network with BatchNorm under `batch_statistics`; {} for one without.

    Batches are the recipe's `runtime.eval_batch_size` images in the split's order; CIFAR's test images are shuffled.
    """
    if not batchnorms(trainer.model):
        return {}

    def forward(images: Tensor) -> Tensor:
        return trainer.model(images.to(trainer.devices.device))  # type: ignore[no-any-return]

    with batch_statistics(trainer.model):
        size = trainer.recipe.runtime.eval_batch_size
        top1, loss = measure(forward, trainer.evaluation, size, trainer.devices)
    return {"top1_batch_statistics": top1, "loss_batch_statistics": loss}
