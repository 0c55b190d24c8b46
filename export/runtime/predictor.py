"""An exported file as something `zoo.evaluation` can measure: images here, texts in `text_predictor`."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from export.errors import InputError, OnnxFileError
from export.metadata import TEXTS
from export.runtime.engine import engine_in_file
from export.runtime.foreign_file import ForeignPredictor
from export.runtime.open_file import open_for_target
from export.runtime.opened import OpenFile
from export.runtime.providers import Providers
from export.runtime.session import Session, open_session
from export.runtime.text_predictor import OnnxTextPredictor
from zoo.data.preprocess import Preprocess
from zoo.errors import ConfigurationError


def load_predictor(
    path: str | Path,
    *,
    providers: Providers | None = None,
    device: str | None = None,
    threads: int | None = None,
    preprocess: Preprocess | None = None,
    labels: Sequence[str] = (),
) -> "OnnxPredictor | OnnxTextPredictor | ForeignPredictor":
    """Open an ONNX file for prediction: one written by `zoo export`, in the runtime its target names, or a foreign one.

    Args:
        path: the ONNX file.
        providers: run it in ONNX Runtime on these, whatever its target; see `open_session`.
        device: "cpu" or "cuda:0", where its target leaves that open; a file for a GPU runs on the CPU then, where ONNX
            Runtime keeps float32 between its 16-bit operators.
        threads: see `open_session`.
        preprocess: of an image classifier from elsewhere, which does not say how its input is made; of a file of ours,
            in place of its own.
        labels: class names of one from elsewhere, in the order of its outputs.

    Returns:
        What the file holds: `OnnxPredictor` and `ForeignPredictor` take a batch of images, `OnnxTextPredictor` a
        dictionary of tokens. All have `preprocess`, `labels` and `describe()`, and those of our files `metadata`.
        Pickled, as for another process, they are opened there anew from the same place.

    Raises:
        OnnxFileError: the file is missing, damaged, not ONNX, or a foreign one without `preprocess`.
        ConfigurationError: labels for a file of ours, `preprocess` for one of texts, or they do not fit a foreign one.
        ProviderError: the target's runtime or a provider is not available, or does not fit the device.
    """
    file = Path(path).absolute()
    if providers is not None:
        opening = partial(open_session, file, providers, threads=threads)
    else:
        opening = partial(open_for_target, file, device, threads)
    if preprocess is not None and engine_in_file(file) is None:
        return ForeignPredictor(file, opening, preprocess, labels)
    predictor = open_predictor(file, opening)
    if labels:
        raise ConfigurationError(f"{file} was written by `zoo export` and holds its own labels. Leave --labels out.")
    if preprocess is not None:
        if not isinstance(predictor, OnnxPredictor):
            raise ConfigurationError(f"{file} takes texts; --preprocess is of images. Leave it out.")
        predictor.preprocess = preprocess
    return predictor


def open_predictor(path: Path, opening: Callable[[], Session]) -> "OnnxPredictor | OnnxTextPredictor":
    """The predictor for what a file holds; see `load_predictor`.

    Args:
        path: the file.
        opening: opens a session on it.
    """
    opened = OpenFile.read(path, opening)
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
            InputError: the batch is empty, or of another type, layout, number of channels or size than the file takes.
            ExportError: ONNX Runtime gave up, for instance for want of memory.
        """
        fits = batch.dtype == torch.float32 and batch.ndim == 4 and tuple(batch.shape[1:]) == self.input_size
        if not fits or not len(batch):
            raise InputError(
                f"{self.path.name} takes torch.float32 (batch, {', '.join(map(str, self.input_size))}), preprocessed "
                f"images in NCHW order, one at least; got {batch.dtype} {tuple(batch.shape)}. Use its own "
                "`preprocess`, or export the model for the other size."
            )
        return self._opened.run({self._input: batch})

    def __reduce__(self) -> tuple[Any, ...]:
        return OnnxPredictor, (self._opened,)

    def describe(self) -> dict[str, Any]:
        """Describe the run; see `OpenFile.describe`."""
        return self._opened.describe()
