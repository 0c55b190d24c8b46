"""Files that all versions of a model share: labels, the operators' library, warm-up data; and each version's client.

In a model's folder Triton takes every folder for a version, but for those of names it knows, such as "warmup".
"""

from pathlib import Path

import numpy as np

from export.deliver.bundle.bundle_operators import write_library
from export.deliver.bundle.bundle_writer import write_surroundings
from export.deliver.bundle.exported import ExportedFile
from export.deliver.bundle.programs import standalone, write_edge
from export.deliver.triton.config import LABELS, ONES, WARMUP_TOKENS
from export.edge.operators import machine


def library_name(exported: ExportedFile) -> str:
    """The path, inside the model's folder, of the library with our operators; empty if the file needs none."""
    here = machine()
    return f"libsalu_zoo-{here['system']}-{here['machine']}.so" if exported.metadata.operators else ""


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


def write_client(version: Path, exported: ExportedFile) -> None:
    """Put an example client, with all that it needs beside the server, into the folder of a version."""
    client = version / "client"
    client.mkdir()
    write_edge(client)
    write_surroundings(client, exported)
    (client / "client.py").write_text(standalone(Path(__file__).parent / "client.py"), "utf-8")
