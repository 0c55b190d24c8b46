"""An image classifier from elsewhere: an ONNX file that says nothing of its classes and preprocessing."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import onnx
import torch
from torch import Tensor

from export.errors import InputError, OnnxFileError
from export.runtime.opened import ran_by, run_tensors
from export.runtime.session import Session
from zoo.data.preprocess import Preprocess
from zoo.errors import ConfigurationError
from zoo.files import sha256_of


class ForeignPredictor:
    """Logits of a foreign image classifier, by the preprocessing and class names it is given.

    A file of a fixed batch size n is run n images at a time, the last ones filled up. Where the file ends with a
    Softmax, the logits are the logarithms of its probabilities, of which softmax makes the same probabilities again.

    Args:
        path: the file.
        opening: opens a session on it; a copy made by pickle is opened so again.
        preprocess: how an image becomes the input, (n, channels, height, width) in float32.
        labels: class names in the order of the outputs; empty if unknown.

    Raises:
        OnnxFileError: it is no classifier of one batch of images in NCHW order.
        ConfigurationError: it takes images of another size than `preprocess` makes, or has another number of classes
            than there are labels.
    """

    def __init__(
        self, path: Path, opening: Callable[[], Session], preprocess: Preprocess, labels: Sequence[str] = ()
    ) -> None:
        self.path, self.preprocess, self.labels = path, preprocess, tuple(labels)
        self._opening, self.session = opening, opening()
        inputs, outputs = self.session.get_inputs(), self.session.get_outputs()
        shapes = [*(list(i.shape) for i in inputs), *(list(o.shape) for o in outputs)]
        if [len(shape) for shape in shapes] != [4, 2] or inputs[0].type != "tensor(float)":
            raise OnnxFileError(
                f"{path} has inputs {[(i.name, i.type, i.shape) for i in inputs]} and outputs "
                f"{[(o.name, o.shape) for o in outputs]}. What can be measured takes one float32 batch (n, channels, "
                "height, width) and gives one table (n, classes). Run it with `export.open_session`."
            )
        taken, classes = shapes[0], shapes[1][1]
        if any(isinstance(a, int) and a != b for a, b in zip(taken[1:], preprocess.input_size, strict=True)):
            raise ConfigurationError(
                f"{path} takes images of (channels, height, width) = {tuple(taken[1:])}; the preprocessing makes "
                f"{preprocess.input_size}. Give it the file's input_size; a file in NHWC order must be exported anew."
            )
        if self.labels and isinstance(classes, int) and len(self.labels) != classes:
            raise ConfigurationError(
                f"{path} has {classes} classes; found {len(self.labels)} labels. Give one for each."
            )
        self._input, self._batch = inputs[0].name, taken[0] if isinstance(taken[0], int) else 0
        self._softmax = _ends_with_softmax(path)

    def __call__(self, batch: Tensor) -> Tensor:
        """Logits (n, classes) of a preprocessed batch (n, channels, height, width), on the CPU in float32.

        Raises:
            InputError: the batch is empty.
            ExportError: ONNX Runtime gave up.
        """
        if not len(batch):
            raise InputError(f"{self.path.name} takes one image at least; got {tuple(batch.shape)}.")
        parts = batch.split(self._batch) if self._batch else [batch]
        scores = torch.cat([self._run(part) for part in parts])
        return scores.log() if self._softmax else scores

    def _run(self, images: Tensor) -> Tensor:
        count = len(images)
        if self._batch > count:
            images = torch.cat([images, images[-1:].expand(self._batch - count, -1, -1, -1)])
        return run_tensors(self.session, {self._input: images})[:count]

    def __reduce__(self) -> tuple[Any, ...]:
        return ForeignPredictor, (self.path, self._opening, self.preprocess, self.labels)

    def describe(self) -> dict[str, Any]:
        """Describe the run: file, digest, runtime and providers; a foreign file names no model."""
        return {
            "file": self.path.name,
            "file_sha256": sha256_of(self.path),
            "model": self.path.stem,
            "tag": None,
            "precision": "float32",
            **ran_by(self.session),
        }


def _ends_with_softmax(path: Path) -> bool:
    graph = onnx.load(str(path), load_external_data=False).graph
    return any(node.op_type == "Softmax" and graph.output[0].name in node.output for node in graph.node)
