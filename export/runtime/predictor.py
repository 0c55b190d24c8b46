"""An exported file as something `zoo.evaluation` can measure: images here, texts in `text_predictor`."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from export.errors import OnnxFileError
from export.metadata import TEXTS
from export.runtime.engine import open_for_target
from export.runtime.opened import OpenFile
from export.runtime.providers import Providers
from export.runtime.session import Session, open_session
from export.runtime.text_predictor import OnnxTextPredictor
from zoo.data.preprocess import Preprocess
from zoo.errors import ShapeError


def load_predictor(
    path: str | Path, *, providers: Providers | None = None, device: str | None = None, threads: int | None = None
) -> "OnnxPredictor | OnnxTextPredictor":
    """Open a file written by `zoo export` for prediction, in the runtime its target names.

    Args:
        path: the ONNX file.
        providers: run it in ONNX Runtime on these, whatever its target; see `open_session`.
        device: "cpu" or "cuda:0", where its target leaves that open; a file for a GPU runs on the CPU then, where ONNX
            Runtime keeps float32 between its 16-bit operators.
        threads: see `open_session`.

    Returns:
        What the file holds: `OnnxPredictor` takes a batch of images, `OnnxTextPredictor` a dictionary of tokens. Both
        have `preprocess`, `labels`, `metadata` and `describe()`.

    Raises:
        OnnxFileError: the file is missing, damaged, not ONNX, or not one of ours.
        ProviderError: the target's runtime or a provider is not available, or does not fit the device.
    """
    if providers is not None:
        return open_predictor(Path(path), open_session(path, providers, threads=threads))
    return open_predictor(Path(path), open_for_target(path, device, threads))


def open_predictor(path: Path, session: Session) -> "OnnxPredictor | OnnxTextPredictor":
    """The predictor for what an open file holds; see `load_predictor`."""
    opened = OpenFile.read(path, session)
    return OnnxTextPredictor(opened) if opened.metadata.format == TEXTS else OnnxPredictor(opened)


class OnnxPredictor:
    """Logits from an exported image model; it carries the labels and the preprocessing stored in the file.

    Args:
        opened: the file.

    Raises:
        OnnxFileError: the file has other inputs and outputs than an exported classifier.
    """

    def __init__(self, opened: OpenFile) -> None:
        self._opened = opened
        self.path, self.session, self.metadata = opened.path, opened.session, opened.metadata
        self.preprocess = Preprocess.from_dict(self.metadata.preprocess)
        self.labels = self.metadata.labels
        inputs, outputs = self.session.get_inputs(), self.session.get_outputs()
        if len(inputs) != 1 or len(outputs) != 1 or len(inputs[0].shape) != 4:
            raise OnnxFileError(
                f"{self.path} has inputs {[i.name for i in inputs]} and outputs {[o.name for o in outputs]}; an "
                "exported classifier has one image batch and one table of logits. Export the model again."
            )
        self.input_size = tuple(inputs[0].shape[1:])
        self._input = inputs[0].name

    def __call__(self, batch: Tensor) -> Tensor:
        """Logits (n, classes) of a preprocessed batch (n, channels, height, width), on the CPU in float32.

        Raises:
            ShapeError: the batch has another rank, number of channels or image size than the file.
            ExportError: ONNX Runtime gave up, for instance for want of memory.
        """
        if batch.ndim != 4 or tuple(batch.shape[1:]) != self.input_size:
            raise ShapeError(
                f"{self.path.name} takes images of shape {self.input_size} (channels, height, width) in a batch, "
                f"not {tuple(batch.shape)}. Use its own `preprocess`, or export the model for the other size."
            )
        return self._opened.run({self._input: batch.to(torch.float32)})

    def describe(self) -> dict[str, Any]:
        """What ran; see `OpenFile.describe`."""
        return self._opened.describe()
