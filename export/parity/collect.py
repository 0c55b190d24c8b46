"""From a model's input and the samples given to the probes of its kind."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from export.inputs.image import InputSpec
from export.inputs.input_spec import Feeds, ModelInput
from export.inputs.text_input import TextInputSpec
from export.parity.probes import Probe, extreme_probes, image_probes, load_samples
from export.parity.shipped import CHANNELS, default_images
from export.parity.text_probes import enough, extreme_text_probes, text_probes
from export.parity.text_samples import load_texts
from zoo.data.glue import GlueSplit
from zoo.data.image_dataset import ImageDataset
from zoo.errors import ConfigurationError


@dataclass(frozen=True)
class Collected:
    """Samples that a file is checked on.

    Args:
        probes: to compare on.
        described: where the samples came from.
        texts: for a text model, the inputs of each text alone, in the order of the probes.
    """

    probes: tuple[Probe, ...]
    described: str
    texts: tuple[Feeds, ...] = field(default=(), repr=False)


def collect(given: ModelInput, samples: Any, limit: int) -> Collected:
    """The probes for a model.

    Args:
        given: its input.
        samples: images or texts, see `load_samples` and `load_texts`; None for those of this package.
        limit: use at most so many of them.

    Raises:
        DataNotFoundError: `samples` holds nothing.
        ShapeError: `samples` has the wrong shape.
        ConfigurationError: `samples` is of the other kind.
    """
    match given:
        case TextInputSpec():
            found, described = load_texts(samples, given, limit)
            texts = enough(found)
            probes = text_probes(texts, given) + extreme_text_probes(texts, given)
            return Collected(probes, described, tuple(texts))
        case InputSpec():
            transform = given.transform
            chosen = default_images(transform) if samples is None else load_samples(samples, transform, limit)
            return Collected(image_probes(chosen[0]) + extreme_probes(transform), chosen[1])
    raise ConfigurationError(f"{type(given).__name__} is no input that parity can be checked for.")


def describe_samples(given: ModelInput, samples: Any) -> str:
    """Describe in words what the probes will be made of, before anything is loaded.

    Raises:
        ConfigurationError: `samples` is plainly of the other kind.
    """
    text = isinstance(given, TextInputSpec)
    if isinstance(samples, Mapping) and not text:
        raise ConfigurationError("The samples are inputs of a text model; this one takes images.")
    if isinstance(samples, GlueSplit) and not text:
        raise ConfigurationError(
            f"The samples are texts of {samples.task.name}; this model takes images. Leave --task out, or name images "
            "with --dataset."
        )
    if isinstance(samples, Tensor | ImageDataset) and text:
        raise ConfigurationError(
            "The samples are images; this model takes texts, or a dictionary of its three inputs as tensors. Leave "
            "--dataset out, or name texts with --task."
        )
    if text and isinstance(samples, str | Path) and Path(samples).is_dir():
        raise ConfigurationError(
            f"{samples} is a folder; for a text model give a text file with one text on each line, or add --task for "
            "a folder of GLUE."
        )
    if samples is not None:
        return f"the {given.noun}s given"
    if isinstance(given, TextInputSpec):
        return "English sentences" if given.preprocess is not None else "made-up tokens"
    channels = given.size[0] if isinstance(given, InputSpec) else 0
    return "CIFAR-10 test images" if channels in CHANNELS else "seeded synthetic images"
