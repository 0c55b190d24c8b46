"""Files that all versions of a model share: labels, the operators' library, warm-up data; and each version's client.

In a model's folder Triton takes every folder for a version, but for those of names it knows, such as "warmup".
"""

import shutil
from pathlib import Path

import numpy as np

from export.deliver.bundle.bundle_operators import write_library
from export.deliver.bundle.bundle_writer import write_surroundings
from export.deliver.bundle.exported import ExportedFile
from export.deliver.bundle.programs import standalone, write_edge
from export.deliver.triton.config import LABELS, ONES, PROGRAM, WARMUP_TOKENS
from export.deliver.triton.settings import ServeSettings
from export.edge.operators import machine
from export.parity.parity_report import report_path
from export.runtime.served_model import MODEL

NO_BYTECODE = "A file in the place of Python's folder: Triton, polling, would take that for a change and load anew.\n"


def library_name(exported: ExportedFile, settings: ServeSettings) -> str:
    """The path, inside the model's folder, of the library with our operators; empty where the server needs none."""
    here = machine()
    needed = exported.metadata.operators and settings.backend == "onnxruntime"
    return f"libsalu_zoo-{here['system']}-{here['machine']}.so" if needed else ""


def write_shared(model: Path, exported: ExportedFile, settings: ServeSettings) -> None:
    """Fill a new model's folder, but for its configuration and versions.

    Raises:
        NativeError: the file's operators are of another release, or cannot be compiled.
    """
    if exported.metadata.labels:
        (model / LABELS).write_text(exported.label_lines(), "utf-8")
    library = library_name(exported, settings)
    if library:
        write_library(model / library, exported.metadata.operators, exported.path.name)
    if exported.takes_texts:
        (model / "warmup").mkdir()
        (model / "warmup" / ONES).write_bytes(np.ones(WARMUP_TOKENS, "<i8").tobytes())


def write_version(version: Path, exported: ExportedFile, settings: ServeSettings) -> None:
    """Fill the folder of a version: the file, its report, the program of the Python backend, and an example client with
    all that it needs beside the server.
    """
    (version / MODEL).write_bytes(exported.content)
    report_path(version / MODEL).write_text(exported.parity.to_json(), "utf-8")
    if settings.backend == "python":
        shutil.copyfile(Path(__file__).parent / "python_model.py", version / PROGRAM)
        (version / "__pycache__").write_text(NO_BYTECODE, "utf-8")
    client = version / "client"
    client.mkdir()
    write_edge(client)
    write_surroundings(client, exported)
    (client / "client.py").write_text(standalone(Path(__file__).parent / "client.py"), "utf-8")
