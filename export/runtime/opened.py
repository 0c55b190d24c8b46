"""An exported file in an open session, with the record it keeps of itself: what all predictors share."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnxruntime
import torch
from torch import Tensor

from export.errors import OnnxFileError
from export.metadata import FileMetadata
from export.runtime.session import Session, run_session
from zoo.files import sha256_of


@dataclass(frozen=True)
class OpenFile:
    """One exported file.

    Args:
        path: the file, for messages.
        session: the open session on it.
        metadata: its record.
        opening: what opened it; a copy made by pickle is opened so again.
    """

    path: Path
    session: Session
    metadata: FileMetadata
    opening: Callable[[], Session]

    @classmethod
    def read(cls, path: Path, opening: Callable[[], Session]) -> "OpenFile":
        """Open a file and read its record.

        Raises:
            OnnxFileError: it has none of ours, or a damaged one.
        """
        session = opening()
        try:
            props: dict[str, str] = session.get_modelmeta().custom_metadata_map
        except UnicodeDecodeError as error:
            raise OnnxFileError(f"{path} has damaged metadata: {error}. Export the model again.") from error
        return cls(path, session, FileMetadata.from_props(props, str(path)), opening)

    def __reduce__(self) -> tuple[Any, ...]:
        return OpenFile.read, (self.path, self.opening)

    def run(self, feeds: Mapping[str, Tensor]) -> Tensor:
        """The logits (n, classes) of a batch, on the CPU.

        Args:
            feeds: each input by its name, of the type the file takes.

        Raises:
            ExportError: ONNX Runtime gave up, for instance for want of memory.
        """
        return run_tensors(self.session, feeds)

    def describe(self) -> dict[str, Any]:
        """Describe the run so that it can be repeated: file, digest, model, tag, target, precision, runtime, providers.

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
            **({"changed_since": self.metadata.changed_since} if self.metadata.changed_since else {}),
            "precision": self.metadata.precision,
            **ran_by(self.session),
        }


def run_tensors(session: Session, feeds: Mapping[str, Tensor]) -> Tensor:
    """The first output of a session, on the CPU; see `OpenFile.run`."""
    arrays = {name: value.detach().to("cpu").contiguous().numpy() for name, value in feeds.items()}
    return torch.from_numpy(run_session(session, arrays)[0])


def ran_by(session: Session) -> dict[str, Any]:
    """Runtime and providers of a session, for the record of a run."""
    named = getattr(session, "runtime", f"onnxruntime {onnxruntime.__version__}")
    return {"runtime": named, "providers": session.get_providers()}
