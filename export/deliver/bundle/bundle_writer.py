"""`write_bundle`: everything that a machine without PyTorch needs to run an exported file."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from export.deliver.bundle.bundle_engines import engine_record
from export.deliver.bundle.bundle_operators import write_operators
from export.deliver.bundle.exported import ExportedFile
from export.deliver.bundle.new_folder import check_folder, listing, whole_folder
from export.deliver.bundle.programs import write_programs
from export.deliver.bundle.readme import readme
from export.edge.folder import LABELS, MODEL, PREPROCESS, TOKENIZER
from export.edge.manifest import FORMAT, RECORD
from export.parity.parity_report import report_path
from zoo.native import Platform


def write_bundle(file: str | Path, folder: str | Path, platforms: Sequence[Platform] = ()) -> Path:
    """Write a folder that runs an exported file without PyTorch: `python FOLDER/run.py IMAGE`.

    It holds the file with its parity report, labels, preprocessing, digests, the programs, for a text model the
    tokenizer, and for a file with operators of ours their sources and their library, for this machine or the platforms
    given. It appears whole or not at all; one with the same content may stand there already.

    Args:
        file: written by `export`, its parity report beside it.
        folder: where; its parents are made.
        platforms: of `zoo.native.PLATFORMS`: what the operators' libraries are for. None: this machine.

    Returns:
        The absolute path of the folder.

    Raises:
        OnnxFileError: the file or its report is missing, damaged or not one of ours.
        OutputError: the folder cannot be written, or one with other content stands there.
        NativeError: the file's operators are of another release, cannot be compiled, or there are none
            for a platform.
        ExportError: nothing is known about the file's target or its runtime.
    """
    target = check_folder(folder)
    exported = ExportedFile.read(file)
    engine = engine_record(exported.metadata)
    with whole_folder(target) as work:
        (work / MODEL).write_bytes(exported.content)
        report_path(work / MODEL).write_text(exported.parity.to_json(), "utf-8")
        write_surroundings(work, exported)
        stored = exported.metadata.operators
        operators = write_operators(work, stored, exported.path.name, platforms) if stored else {}
        data = {name: digest for name, digest in listing(work).items() if "/cpp/" not in name}
        write_programs(work, engine)
        record = _record(exported, engine, operators, data)
        (work / RECORD).write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", "utf-8")
        (work / "README.md").write_text(readme(exported, record), "utf-8")
    return target


def write_surroundings(work: Path, exported: ExportedFile) -> None:
    """Write the files that belong to a model's inputs and outputs: preprocessing, tokenizer, labels."""
    record = exported.metadata
    preprocess = record.preprocess | ({"limits": record.limits} if record.limits else {})
    tokenizer = preprocess.pop("tokenizer", None)
    (work / PREPROCESS).write_text(json.dumps(preprocess, indent=2, ensure_ascii=False) + "\n", "utf-8")
    if record.labels:
        (work / LABELS).write_text(exported.label_lines(), "utf-8")
    if tokenizer is not None:
        (work / TOKENIZER).write_text(tokenizer, "utf-8", newline="")


def _record(
    exported: ExportedFile, engine: dict[str, Any], operators: dict[str, Any], data: dict[str, str]
) -> dict[str, Any]:
    """Build bundle.json: the model, its engine, and the digest of every file but the programs and sources."""
    stored = exported.metadata
    names = ("target", "precision", "license", "weights_sha256", "source_sha256", "zoo_version", "torch_version")
    return {
        "format": FORMAT,
        "model": stored.name,
        **{name: getattr(stored, name) for name in names},
        "engine": engine,
        "inputs": {port.name: port.kind for port in exported.inputs},
        "operators": operators,
        "files": data,
    }
