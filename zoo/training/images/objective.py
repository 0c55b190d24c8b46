"""From a normalised batch to what the loss compares: erasing, mixing, resizing, label smoothing."""

from typing import Any

from torch import Tensor
from torch.nn import functional as F

from zoo.training.images.augment import cutout, erase_rectangles, resize_batch
from zoo.training.recipe import Recipe
from zoo.training.seeds import generator, seed_everything


class Objective:
    """The random changes of a whole batch and the cross-entropy that goes with them.

    Args:
        recipe: its augmentation, regularisation and resolution schedule.
        classes: number of classes.
    """

    def __init__(self, recipe: Recipe, classes: int) -> None:
        self._recipe = recipe
        self._mix = _mixup(recipe, classes)

    def resolution(self, epoch: int) -> int | None:
        """Side in pixels that batches of `epoch` (counted from 0) are resized to; None keeps theirs."""
        return next((size for until, size in self._recipe.schedule.resolution if epoch < until), None)

    def prepare(self, images: Tensor, labels: Tensor, epoch: int, seed: int) -> tuple[Tensor, Tensor]:
        """Erase, mix and resize a batch; seeds the global generators, so dropout after it repeats too.

        Returns:
            images, and labels (n,) or, if images were mixed, class probabilities (n, classes).
        """
        seed_everything(seed)
        augmentation = self._recipe.augmentation
        if augmentation.cutout:
            images = cutout(images, augmentation.cutout, generator(seed))
        if augmentation.random_erasing:
            images = erase_rectangles(images, augmentation.random_erasing)
        if self._mix is not None:
            images, labels = self._mix(images, labels)
        size = self.resolution(epoch)
        return (images if size is None else resize_batch(images, size)), labels

    def loss(self, logits: Tensor, target: Tensor) -> Tensor:
        """Mean cross-entropy in float32; labels are smoothed here, probabilities were smoothed when mixed."""
        smoothing = 0.0 if target.is_floating_point() else self._recipe.regularisation.label_smoothing
        return F.cross_entropy(logits.float(), target, label_smoothing=smoothing)


def _mixup(recipe: Recipe, classes: int) -> Any:
    regularisation = recipe.regularisation
    if not (regularisation.mixup or regularisation.cutmix):
        return None
    from timm.data import Mixup

    return Mixup(
        mixup_alpha=regularisation.mixup,
        cutmix_alpha=regularisation.cutmix,
        prob=regularisation.mix_prob,
        switch_prob=regularisation.switch_prob,
        label_smoothing=regularisation.label_smoothing,
        num_classes=classes,
    )
