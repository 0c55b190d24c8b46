"""A page's record of its model: the content of its `model.json`."""

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import onnx
import torch
from PIL import Image

from export.deliver.web.web_tolerances import MAX_REL
from export.errors import WebPageError
from export.metadata import FileMetadata
from export.parity.tolerances import SMALLEST_SCALE
from export.runtime.predictor import OnnxPredictor
from zoo.errors import ZooError
from zoo.weights.locate import resolve
from zoo.weights.tag import PretrainedTag

TARGETS = ("web", "portable")
"""Targets whose files consist of standard operators in float32, which is what the page's runtime takes."""


def check_suits(predictor: object, metadata: FileMetadata, file: str) -> OnnxPredictor:
    """The predictor, if a page can be made of its file.

    Raises:
        WebPageError: it takes texts or channels that no image file has, or needs what no browser has.
    """
    if not isinstance(predictor, OnnxPredictor):
        raise WebPageError(f"{file} takes texts; the page is for images. The file itself runs in onnxruntime-web.")
    if metadata.target not in TARGETS or metadata.precision != "float32":
        raise WebPageError(
            f"{file} was exported for target {metadata.target} in {metadata.precision}; a page needs standard "
            "operators in float32. Export the model again with --target web."
        )
    channels = metadata.preprocess["input_size"][0]
    if channels not in (1, 3):
        raise WebPageError(f"{file} takes {channels} channels, an image file gives 1 or 3; a page cannot feed it.")
    return predictor


def describe_model(metadata: FileMetadata, content: bytes) -> dict[str, Any]:
    """Name, labels, preprocessing, digests and origin of an exported file, ready for JSON."""
    tag = _tag(metadata)
    return {
        "name": metadata.name,
        "labels": list(metadata.labels),
        "preprocess": metadata.preprocess | {"tall_first": tall_first()},
        "license": metadata.license,
        "published": tag is not None,
        "trained_on": tag.dataset if tag else "",
        "measured": _measured(tag.results) if tag else "",
        "weights": _count_weights(content),
        "weights_sha256": metadata.weights_sha256,
        "source_sha256": metadata.source_sha256,
        "target": metadata.target,
        "opset": metadata.opset,
        "made_with": f"salu-zoo {metadata.zoo_version or '(no version)'}, PyTorch {metadata.torch_version}",
    }


def tall_first() -> bool:
    """True if the installed Pillow resizes tall images along their columns first, as version 13 began to do.

    The two orders round differently, by one level of 255. The page follows the Pillow of the machine that made it.
    """
    stripes = Image.frombytes("L", (8, 96), hashlib.shake_256(b"stripes").digest(8 * 96))
    return stripes.resize((4, 12), Image.Resampling.BICUBIC).tobytes() == (
        stripes.resize((8, 12), Image.Resampling.BICUBIC).resize((4, 12), Image.Resampling.BICUBIC).tobytes()
    )


def steady_picture(predictor: Callable[[torch.Tensor], torch.Tensor], images: Sequence[torch.Tensor]) -> int:
    """Number of the first image whose logits stay within the tolerance when its pixels change by rounding errors.

    FleS jumps where an element next to zero changes its sign, which rounding can do on the visitor's machine: such an
    image says nothing about that machine. 0 if all images are like that.

    Args:
        predictor: logits of a batch.
        images: preprocessed, each (channels, height, width).
    """
    generator = torch.Generator().manual_seed(0)
    for number, image in enumerate(images):
        noise = torch.randn(8, *image.shape, generator=generator)
        logits = predictor(torch.cat([image[None], image * (1 + 1e-6 * noise)]))
        apart = (logits - logits[0]).abs().max() / logits[0].abs().max().clamp_min(SMALLEST_SCALE)
        if apart <= MAX_REL["wasm"]:
            return number
    return 0


def describe_check(predictor: OnnxPredictor, image: Image.Image, file: str) -> dict[str, Any]:
    """An image of the page and the logits ONNX Runtime computes for it here, on the CPU.

    The page computes them again where it is opened, and says how far it is off.

    Args:
        predictor: the open file.
        image: the picture.
        file: its name on the page; lossless, so that no decoder has a say in it.
    """
    logits = predictor(predictor.preprocess(image)[None])[0]
    return {"file": file, "logits": [float(value) for value in logits], "max_rel": dict(MAX_REL)}


def _tag(metadata: FileMetadata) -> PretrainedTag | None:
    """The published weights a file was made of; None if they are not known here, or are others by that name."""
    if not metadata.tag or not metadata.source_sha256:
        return None
    try:
        tag = resolve(metadata.name)
    except ZooError:  # a card of the user's own, which this machine's list does not have
        return None
    return tag if tag.sha256 == metadata.source_sha256 else None


def _measured(results: Mapping[str, Any]) -> str:
    """The first accuracy on a card, in words; empty if it has none."""
    for row in results.get("evaluations", ()):
        if {"correct1", "n", "dataset", "split"} <= set(row) and row["n"]:
            share = 100 * row["correct1"] / row["n"]
            return f"{share:.2f} % Top-1 on {row['n']:,} images of {row['dataset']} ({row['split']})"
    return ""


def _count_weights(content: bytes) -> int:
    """Count the floating-point numbers in the file's tensors; single numbers, which are of operators, left out."""
    graph = onnx.load_from_string(content).graph
    return sum(math.prod(t.dims) for t in graph.initializer if t.dims and t.data_type == onnx.TensorProto.FLOAT)
