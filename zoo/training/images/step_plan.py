"""Assignment of images to steps: the order of an epoch, cut into full batches, shared out among processes."""

from dataclasses import dataclass

import torch
from torch import Tensor

from zoo.errors import RecipeError
from zoo.training.processes import Devices
from zoo.training.recipe import Recipe
from zoo.training.seeds import Purpose, derive, generator


@dataclass(frozen=True)
class Part:
    """The images one process pushes through the network at once.

    Args:
        indices: positions in the data set.
        epoch, number: where it stands; with the seed they decide its augmentation.
    """

    indices: Tensor
    epoch: int
    number: int


@dataclass(frozen=True)
class StepPlan:
    """The steps of every epoch, the same in every run with this seed.

    Args:
        images: size of the data set.
        batch: images of one optimiser step over all processes.
        parts: how often a process goes forward and back before each optimiser step.
        seed, rank, world: the run's seed; this process among how many.
    """

    images: int
    batch: int
    parts: int
    seed: int
    rank: int = 0
    world: int = 1

    @property
    def steps(self) -> int:
        """Optimiser steps in one epoch; the incomplete rest of the order is dropped."""
        return self.images // self.batch

    @property
    def part_size(self) -> int:
        """Images in one part."""
        return self.batch // (self.parts * self.world)

    def epoch(self, epoch: int, first_step: int = 0) -> list[Part]:
        """This process's parts from `first_step` to the end of `epoch`, `parts` of them for each step."""
        rng = generator(derive(self.seed, Purpose.ORDER, epoch))
        order = torch.randperm(self.images, generator=rng)[: self.steps * self.batch]
        mine = order.view(self.steps, self.parts, self.world, self.part_size)[first_step:, :, self.rank]
        start = first_step * self.parts
        return [Part(indices, epoch, start + i) for i, indices in enumerate(mine.flatten(0, 1))]


def make_plan(recipe: Recipe, images: int, devices: Devices) -> StepPlan:
    """Lay out `recipe` over a data set of `images` images.

    Raises:
        RecipeError: there are fewer images than one batch needs, or the processes cannot share a batch equally.
    """
    batch, parts, world = recipe.data.batch_size, recipe.runtime.accumulation, devices.world
    if images < batch and recipe.model.pretrained:
        batch = images - images % (parts * world)
    if images < batch or not batch:
        raise RecipeError(f"data.batch_size: {batch}, but {recipe.data.dataset} has only {images} training images.")
    if batch % (parts * world):
        raise RecipeError(
            f"data.batch_size: {batch} cannot be split among {world} processes with runtime.accumulation = {parts}."
        )
    mixes = recipe.regularisation.mixup > 0 or recipe.regularisation.cutmix > 0
    if mixes and batch // (parts * world) % 2:
        raise RecipeError(
            f"regularisation.mixup/cutmix: each of {world} processes gets an odd part of data.batch_size = {batch}."
        )
    return StepPlan(images, batch, parts, recipe.runtime.seed, devices.rank, world)


def evaluation_chunks(images: int, size: int, devices: Devices) -> list[tuple[Tensor, int]]:
    """This process's share of an evaluation split, in chunks of exactly `size`.

    Returns:
        (indices, how many of them count): the last chunk is filled up with its first image, so that a compiled model
        sees one batch size only. Empty for a process that has no image, where there are more processes than images.
    """
    mine = torch.arange(images)[devices.rank :: devices.world]
    chunks = []
    for indices in mine.split(size) if len(mine) else ():
        filling = indices[:1].expand(size - len(indices))
        chunks.append((torch.cat([indices, filling]), len(indices)))
    return chunks
