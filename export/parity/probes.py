"""The inputs on which an exported image model has to agree with PyTorch, and what a probe is."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from export.inputs.image import IMAGE
from export.inputs.input_spec import Feeds
from zoo.data.photo import decoding
from zoo.data.preprocess import Preprocess
from zoo.errors import ConfigurationError, DataNotFoundError, ShapeError

IMAGES, TEXTS, EXTREME = "images", "texts", "extreme"
# One image, an odd few and a full vector of lanes: the sizes at which batch handling goes wrong first.
BATCHES = (1, 3, 8)
SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".webp", ".ppm", ".tif", ".tiff"}
FLOAT32_MAX = torch.finfo(torch.float32).max
# Below the smallest normal float32, 1.18e-38, so that a runtime which flushes such values to zero shows it.
DENORMAL = 1e-40
# Far beyond any image and beyond the square root of the largest float32, 1.8e19, so that x * x overflows; a sum
# over any convolution's window does not. Whether such a sum of values at the maximum overflows depends on its order,
# hence the maximum itself is only probed at a single pixel.
HUGE = 1e30


@dataclass(frozen=True)
class Probe:
    """One batch to run through both sides.

    Args:
        name: for the report.
        kind: `IMAGES`, `TEXTS` or `EXTREME`; selects the tolerance.
        feeds: the inputs by name, such as `image` (n, channels, height, width), preprocessed.
        rows: the samples of the batch that are compared; None for all.
    """

    name: str
    kind: str
    feeds: Feeds
    rows: tuple[int, ...] | None = None


def batch_sizes(available: int) -> list[int]:
    """Batches of 1, 3 and 8, then further batches of 8; a remainder is a batch of its own.

    Args:
        available: how many samples there are, at least as many as the first three batches need.
    """
    rest = available - sum(BATCHES)
    sizes = [*BATCHES, *[BATCHES[-1]] * (rest // BATCHES[-1]), rest % BATCHES[-1]]
    return [size for size in sizes if size]


def image_probes(images: Tensor) -> tuple[Probe, ...]:
    """Cut preprocessed images into the batches of `batch_sizes`.

    Args:
        images: (n, channels, height, width), n at least 1; fewer than the three batches need are repeated.
    """
    needed = sum(BATCHES)
    if len(images) < needed:
        images = images.repeat(-(-needed // len(images)), 1, 1, 1)[:needed]
    parts = images.split(batch_sizes(len(images)))
    return tuple(Probe(f"images {i} (batch {len(part)})", IMAGES, {IMAGE: part}) for i, part in enumerate(parts))


def extreme_probes(preprocess: Preprocess) -> tuple[Probe, ...]:
    """Inputs at the edges of what a network can meet, one image each.

    Black, white and a checkerboard are the edges of the pixel range after preprocessing; the rest is outside it.
    """
    channels, height, width = preprocess.input_size
    black, white = (
        _normalised(torch.zeros(1, channels, 1, 1), preprocess),
        _normalised(torch.ones(1, channels, 1, 1), preprocess),
    )
    shape = (1, channels, height, width)
    board = (torch.arange(height)[:, None] + torch.arange(width)) % 2 == 0
    pixel = torch.zeros(shape)
    pixel[0, 0, height // 2, width // 2] = 1.0
    ones = torch.ones(shape)
    cases = {
        "zeros": ones * 0,
        "black": black.expand(shape),
        "white": white.expand(shape),
        "checkerboard": torch.where(board, white, black),
        "one-hot": pixel,
        "constant +1e4": ones * 1e4,
        "constant -1e4": ones * -1e4,
        "checkerboard of +-1e4": torch.where(board, 1e4, -1e4).expand(shape),
        "constant +1e30": ones * HUGE,
        "constant -1e30": ones * -HUGE,
        "denormal": ones * DENORMAL,
        "one pixel at +max": pixel * FLOAT32_MAX,
        "one pixel at -max": pixel * -FLOAT32_MAX,
    }
    return tuple(Probe(name, EXTREME, {IMAGE: batch.contiguous()}) for name, batch in cases.items())


def seeded_images(preprocess: Preprocess, count: int = sum(BATCHES), seed: int = 0) -> Tensor:
    """Synthetic pictures with the spectrum of photographs, amplitude falling as 1/f, for models no image file fits.

    Args:
        preprocess: gives the size and the normalisation.
        count: how many.
        seed: the same seed gives the same pictures.

    Returns:
        (count, channels, height, width), normalised.
    """
    channels, height, width = preprocess.input_size
    generator = torch.Generator().manual_seed(seed)
    frequency = torch.hypot(torch.fft.fftfreq(height)[:, None], torch.fft.fftfreq(width))
    frequency[0, 0] = 1.0 / max(height, width)
    noise = torch.randn(count, channels, height, width, generator=generator)
    field = torch.fft.ifft2(torch.fft.fft2(noise) / frequency).real
    low, high = field.amin((1, 2, 3), keepdim=True), field.amax((1, 2, 3), keepdim=True)
    pixels = ((field - low) / (high - low).clamp_min(1e-12) * 255).round() / 255
    return _normalised(pixels, preprocess)


def load_samples(samples: Any, preprocess: Preprocess, limit: int) -> tuple[Tensor, str]:
    """Bring real images into the form the model takes.

    Args:
        samples: preprocessed tensor (n, channels, height, width); a folder searched for image files; or a sequence
            of PIL images or of (PIL image, label), such as `zoo.data.load_vision` gives.
        preprocess: applied to everything but a tensor.
        limit: use at most so many, evenly spaced: many datasets are sorted by class.

    Returns:
        The tensor and a description for the report.

    Raises:
        DataNotFoundError: there is no image, or a file cannot be read as one.
        ShapeError: a tensor of another shape, or an image that is not 8-bit.
        ConfigurationError: the sequence holds something else, such as texts.
    """
    if isinstance(samples, Tensor):
        if samples.ndim != 4 or tuple(samples.shape[1:]) != tuple(preprocess.input_size) or len(samples) == 0:
            raise ShapeError(
                f"The sample images have shape {tuple(samples.shape)}; the model takes (n, "
                f"{', '.join(map(str, preprocess.input_size))}) with n at least 1."
            )
        chosen = samples[spaced(len(samples), limit)].detach().float().cpu()
        return chosen, f"{len(chosen)} images given as a tensor"
    if isinstance(samples, str | Path):
        files = _image_files(Path(samples))
        source, pictures = Path(samples).name, _read(files[i] for i in spaced(len(files), limit))
    else:
        source = f"{samples.name} ({samples.split})" if hasattr(samples, "split") else "a sequence"
        items: Iterable[Any] = (samples[i] for i in spaced(len(samples), limit))
        pictures = (_picture(item[0] if isinstance(item, tuple) else item) for item in items)
    tensors = [preprocess(picture) for picture in pictures]
    if not tensors:
        raise DataNotFoundError("The sample images are an empty sequence. Give at least one image, or none at all.")
    return torch.stack(tensors), f"{len(tensors)} images of {source}"


def spaced(available: int, limit: int) -> list[int]:
    """At most `limit` numbers below `available`, evenly spaced."""
    count = min(available, limit)
    return [i * available // count for i in range(count)]


def _picture(item: Any) -> Image.Image:
    if not isinstance(item, Image.Image):
        raise ConfigurationError(
            f"The model takes images, the samples hold {type(item).__name__}. Give images (--dataset, or --data with a "
            "folder of them); --task is for text models."
        )
    return item


def _image_files(folder: Path) -> list[Path]:
    found = [folder] if folder.is_file() else sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES)
    if not found:
        raise DataNotFoundError(
            f"No images in {folder.absolute()}: it is missing or holds no {', '.join(sorted(SUFFIXES))} file."
        )
    return found


def _read(files: Iterable[Path]) -> Iterator[Image.Image]:
    for file in files:
        with decoding(str(file)), Image.open(file) as image:
            image.load()
        yield image


def _normalised(pixels: Tensor, preprocess: Preprocess) -> Tensor:
    mean, std = (torch.tensor(values).view(1, -1, 1, 1) for values in (preprocess.mean, preprocess.std))
    return (pixels - mean) / std
