"""Agreement of a run with the one that goes on from its checkpoint: recipe, number of processes, data."""

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from zoo.data.image_dataset import ImageDataset
from zoo.errors import RecipeError
from zoo.training.recipe import Recipe, flat

# What may differ: none of these fields changes what is computed.
_FREE = frozenset(
    {
        "description",
        "source",
        "runtime.workers",
        "runtime.checkpoint_minutes",
        "runtime.checkpoint_steps",
    }
)
# Images of each split that tell it from another of the same length.
_PROBES = 16


def identify(recipe: Recipe, splits: Mapping[str, ImageDataset], processes: int) -> dict[str, Any]:
    """Describe what decides a run's result, as plain values for its checkpoint.

    A split is known by its length and a digest of a few of its images, evenly spaced, with their labels: that takes
    milliseconds, and a copy in another folder is the same data.

    Args:
        recipe: what to do.
        splits: the data by what it is for.
        processes: how many share each batch.
    """
    data = {use: {"images": len(images), "digest": _digest(images)} for use, images in splits.items()}
    return {"recipe": recipe.to_dict(), "processes": processes, "data": data}


def check_same(checkpoint: Path, stored: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Refuse to go on where the rest of the run would not be what its beginning was.

    Args:
        checkpoint: the file, for the message.
        stored: what it holds.
        now: `identify` of the run that wants to go on.

    Raises:
        RecipeError: recipe, processes or data differ; each difference is listed.
    """
    before, after = dict(_rows(stored)), dict(_rows(now))
    changed = sorted(
        f"{key}: {before.get(key)!r} -> {after.get(key)!r}"
        for key in (before.keys() | after.keys()) - _FREE
        if before.get(key) != after.get(key)
    )
    if changed:
        raise RecipeError(
            f"{checkpoint} belongs to another run:\n  "
            + "\n  ".join(changed)
            + "\nResume with the same recipe, data and processes, or choose another folder (--output)."
        )


def _digest(images: ImageDataset) -> str:
    digest = hashlib.sha256()
    probes = min(_PROBES, len(images))
    for number in range(probes):
        image, label = images[number * len(images) // probes]
        digest.update(f"{label} {image.size} ".encode() + image.tobytes())
    return digest.hexdigest()


def _rows(identity: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """One row for each thing to compare, named as in a recipe: ("optimizer.lr", 0.1), ("data.train.images", 50000)."""
    yield "processes", identity["processes"]
    for use, facts in identity["data"].items():
        yield from ((f"data.{use}.{fact}", value) for fact, value in facts.items())
    yield from flat(identity["recipe"]).items()
