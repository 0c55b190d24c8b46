"""What all versions of a model in a repository share: labels, the operators' library, warm-up data, the client."""

from pathlib import Path

import numpy as np

from export.bundle.exported import ExportedFile
from export.bundle.operators import write_library
from export.bundle.programs import standalone, write_edge
from export.edge.folder import TOKENIZER
from export.edge.operators import machine
from export.serve.config import LABELS, ONES, WARMUP_TOKENS

CLIENT = "client"
"""The folder of the example client; Triton passes over folders whose names are no numbers."""


def library_name(exported: ExportedFile) -> str:
    """The path, inside the model's folder, of the library with our operators; empty if the file needs none."""
    here = machine()
    return f"operators/{here['system']}-{here['machine']}/libsalu_zoo.so" if exported.metadata.operators else ""


def write_shared(model: Path, exported: ExportedFile) -> None:
    """Fill a new model's folder, but for its configuration and versions.

    Raises:
        NativeError: the file's operators are of another release, or cannot be compiled.
    """
    if exported.metadata.labels:
        (model / LABELS).write_text(exported.label_lines(), "utf-8")
    if exported.metadata.operators:
        write_library(model / library_name(exported), exported.metadata.operators, exported.path.name)
    if exported.takes_texts:
        (model / "warmup").mkdir()
        (model / "warmup" / ONES).write_bytes(np.ones(WARMUP_TOKENS, "<i8").tobytes())
    client = model / CLIENT
    client.mkdir()
    write_edge(client)
    (client / "client.py").write_text(standalone(Path(__file__).parent / "client.py"), "utf-8")
    tokenizer = exported.metadata.preprocess.get("tokenizer")
    if tokenizer is not None:
        (client / TOKENIZER).write_text(tokenizer, "utf-8", newline="")
