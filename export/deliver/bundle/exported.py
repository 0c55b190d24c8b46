"""A file that `zoo export` wrote, read again: its bytes, its record, its inputs and outputs, its parity report."""

import hashlib
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import onnx

from export.digest import check_unchanged
from export.errors import OnnxFileError
from export.metadata import FileMetadata
from export.parity.parity_report import ParityReport, report_path

_KINDS = {onnx.TensorProto.FLOAT: "float32", onnx.TensorProto.FLOAT16: "float16", onnx.TensorProto.INT64: "int64"}


@dataclass(frozen=True)
class ExportedPort:
    """An input or an output: its name, its element type as numpy calls it, its size without the batch axis.

    A free axis, such as the number of tokens, has the size -1.
    """

    name: str
    kind: str
    dims: tuple[int, ...]


@dataclass(frozen=True)
class ExportedFile:
    """An exported file.

    Args:
        path: where it was read.
        content: its bytes.
        metadata: its record of itself.
        inputs: in order.
        outputs: in order; an exported classifier has one, the logits.
        parity: the report beside it.
    """

    path: Path
    content: bytes = field(repr=False)
    metadata: FileMetadata
    inputs: tuple[ExportedPort, ...]
    outputs: tuple[ExportedPort, ...]
    parity: ParityReport = field(repr=False)

    @property
    def sha256(self) -> str:
        """Digest of the file."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def takes_texts(self) -> bool:
        """True if its inputs are token numbers."""
        return bool(self.metadata.limits)

    def label_lines(self) -> str:
        """One label a line, as `export.edge` and Triton read them; a line break within a label becomes a blank."""
        return "".join(" ".join(label.split()) + "\n" for label in self.metadata.labels)

    @classmethod
    def read(cls, path: str | Path) -> "ExportedFile":
        """Read a file and its report.

        Raises:
            OnnxFileError: the file or its report is missing or damaged, it was not written by `zoo export`, it was
                changed since, or the report is about other bytes.
        """
        file = Path(path)
        try:
            content = file.read_bytes()
            model = onnx.load_model_from_string(content)
        except OSError as error:
            raise OnnxFileError(f"Cannot read {file.absolute()}: {error.strerror}. Run: zoo export MODEL.") from error
        except Exception as error:  # protobuf's errors differ between its releases
            raise OnnxFileError(f"{file} is no ONNX file, or truncated: {error}. Export the model again.") from error
        check_unchanged(file)
        record = FileMetadata.from_props({p.key: p.value for p in model.metadata_props}, str(file))
        parity = ParityReport.load(report_path(file))
        found = cls(file, content, record, _ports(model.graph.input), _ports(model.graph.output), parity)
        if parity.file_sha256 != found.sha256 or not parity.passed:
            raise OnnxFileError(
                f"{report_path(file)} does not prove {file.name}: it is about sha256 {parity.file_sha256[:12]}..., the "
                f"file has {found.sha256[:12]}... Run: "
                f"{shlex.join(['zoo', 'validate', str(file), 'MODEL', '--report', str(report_path(file))])}"
            )
        return found


def _ports(values: Any) -> tuple[ExportedPort, ...]:
    return tuple(_port(value) for value in values)


def _port(value: Any) -> ExportedPort:
    tensor = value.type.tensor_type
    dims = tuple(dim.dim_value if dim.HasField("dim_value") else -1 for dim in tensor.shape.dim)
    if tensor.elem_type not in _KINDS or len(dims) < 2:
        raise OnnxFileError(f"{value.name} is no input or output of an exported classifier. Export the model again.")
    return ExportedPort(value.name, _KINDS[tensor.elem_type], dims[1:])
