"""An exported file as something `zoo.evaluation` can measure."""

from pathlib import Path
from typing import Any

import onnxruntime
import torch
from torch import Tensor

from export.errors import OnnxFileError
from export.metadata import FileMetadata
from export.runtime.session import Providers, Session, open_session, run_session
from zoo._files import sha256_of
from zoo.data.preprocess import Preprocess
from zoo.errors import ShapeError


def load_predictor(
    path: str | Path, *, providers: Providers | None = None, threads: int | None = None
) -> "OnnxPredictor":
    """Open a file written by `zoo export` for prediction.

    Args:
        path: the ONNX file.
        providers: see `open_session`; None means the CPU.
        threads: see `open_session`.

    Raises:
        OnnxFileError: the file is missing, damaged, not ONNX, or not one of ours.
        ProviderError: a provider is not available.
    """
    return OnnxPredictor(Path(path), open_session(path, providers, threads=threads))


class OnnxPredictor:
    """Logits from an exported file; it carries the labels and the preprocessing stored in the file.

    Args:
        path: the file, for messages.
        session: the open session on it.

    Raises:
        OnnxFileError: the file has no metadata of ours, or other inputs and outputs than an exported classifier.
    """

    def __init__(self, path: Path, session: Session) -> None:
        self.path, self.session = path, session
        self.metadata = FileMetadata.from_props(_props(path, session), str(path))
        self.preprocess = Preprocess.from_dict(self.metadata.preprocess)
        self.labels = self.metadata.labels
        inputs, outputs = session.get_inputs(), session.get_outputs()
        if len(inputs) != 1 or len(outputs) != 1 or len(inputs[0].shape) != 4:
            raise OnnxFileError(
                f"{path} has inputs {[i.name for i in inputs]} and outputs {[o.name for o in outputs]}; an exported "
                "classifier has one image batch and one table of logits. Export the model again."
            )
        self.input_size = tuple(inputs[0].shape[1:])
        self._input, self._output = inputs[0].name, outputs[0].name

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
        image = batch.detach().to("cpu", torch.float32).contiguous().numpy()
        return torch.from_numpy(run_session(self.session, {self._input: image}, [self._output])[0])

    def describe(self) -> dict[str, Any]:
        """What ran: file, digest, model, tag, target, runtime and providers; for a result that can be repeated.

        `tag` is the full name of the published weights, None if there are none, as in `EvalResult`.
        """
        return {
            "file": self.path.name,
            "file_sha256": sha256_of(self.path),
            "model": self.metadata.name,
            "tag": self.metadata.name if self.metadata.tag else None,
            "target": self.metadata.target,
            "weights_sha256": self.metadata.weights_sha256,
            "source_sha256": self.metadata.source_sha256,
            "runtime": f"onnxruntime {onnxruntime.__version__}",
            "providers": self.session.get_providers(),
        }


def _props(path: Path, session: Session) -> dict[str, str]:
    try:
        props: dict[str, str] = session.get_modelmeta().custom_metadata_map
    except UnicodeDecodeError as error:
        raise OnnxFileError(f"{path} has damaged metadata: {error}. Export the model again.") from error
    return props
