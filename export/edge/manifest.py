"""The manifest of a folder, and the one rule for reading what it lists: inside, a regular file, with its digest.

`python -m edge.manifest FILE` lists a file that was made in the folder; `operators/build.sh` ends with it.
"""

import hashlib
import json
import os
import re
import stat
import sys
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from .errors import EdgeError

RECORD, FORMAT = "bundle.json", 1
LARGEST = 2**31
"""Bytes of a file: protobuf, and so ONNX, ends there."""
_LARGEST_RECORD = 2**24
_DIGEST = re.compile(r"[0-9a-f]{64}")
_KINDS = {"model": str, "target": str, "engine": dict, "inputs": dict, "operators": dict, "files": dict}
_AGAIN = "Copy the whole folder again."


def place_of(folder: Path, name: object) -> Path:
    """The path of a file that a manifest names.

    Raises:
        EdgeError: the name is not relative, not in its shortest form, or leads out of the folder, be it by a link.
    """
    if not isinstance(name, str) or not _plain(name):
        raise EdgeError(
            f"{folder / RECORD} names the file {name!r}, which is no plain path inside the folder: relative, with "
            "forward slashes, without `..`. It is not read. Take the folder from where it was made."
        )
    path = folder / name
    try:
        inside = path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError) as error:
        raise EdgeError(f"Cannot read {path}: its links lead nowhere ({error}). {_AGAIN}") from error
    if not inside:
        raise EdgeError(f"{path} is a link that leads out of the folder, and is not read. {_AGAIN}")
    return path


def _plain(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return name == "/".join(parts) != "" and ".." not in parts and name.isprintable() and not {"\\", ":"} & set(name)


def read_regular(path: Path, limit: int = LARGEST) -> bytes:
    """The content of a regular file: not of a device, a pipe or a folder.

    Raises:
        EdgeError: it is none, cannot be read, or holds more than `limit` bytes.
    """
    waiting = getattr(os, "O_NONBLOCK", 0)  # a pipe without a writer would wait for ever
    try:
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | waiting)) as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise EdgeError(f"Cannot read {path}: it is no regular file. {_AGAIN}")
            content = b"" if found.st_size > limit else file.read(limit + 1)
    except OSError as error:
        raise EdgeError(f"Cannot read {path}: {error.strerror}. {_AGAIN}") from error
    if max(found.st_size, len(content)) > limit:
        raise EdgeError(f"Cannot read {path}: it holds more than {limit} bytes. {_AGAIN}")
    return content


def read_record(folder: Path) -> dict[str, Any]:
    """Read bundle.json, with the kinds of its parts checked.

    Raises:
        EdgeError: it is missing, damaged, or of a newer format.
    """
    try:
        record = json.loads(read_regular(folder / RECORD, _LARGEST_RECORD))
        form = record["format"]
    except (EdgeError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise _no_folder(folder, f"{RECORD} is missing or damaged") from error
    if form != FORMAT:
        raise EdgeError(f"{folder} is of format {form!r}, this program reads {FORMAT}. Use the run.py in the folder.")
    wrong = [name for name, kind in _KINDS.items() if not isinstance(record.get(name), kind)]
    if wrong:
        raise _no_folder(folder, f"{RECORD} is damaged: {', '.join(wrong)}")
    return dict(record)


def read_listed(folder: Path, name: str, digests: Mapping[str, Any]) -> bytes:
    """The content of a file that the manifest lists.

    Args:
        folder: the folder.
        name: of the file.
        digests: "files" of bundle.json.

    Raises:
        EdgeError: it is not listed, has no digest there, breaks the rule for paths, is missing, or was changed.
    """
    path, sha256 = place_of(folder, name), digests.get(name)
    if not isinstance(sha256, str) or not _DIGEST.fullmatch(sha256):
        raise EdgeError(
            f"{path} has no digest in {RECORD}, so nothing says that it belongs there. It is not read. {_AGAIN}"
        )
    content = read_regular(path)
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise EdgeError(
            f"{path} is not the file that was exported: sha256 {found[:12]}..., {RECORD} says {sha256[:12]}... {_AGAIN}"
        )
    return content


def enter(folder: Path, name: str) -> None:
    """List a file that was made in the folder, with its digest, in bundle.json.

    Raises:
        EdgeError: there is no such file, or bundle.json is missing, damaged or cannot be written.
    """
    record = read_record(folder)
    record["files"][name] = hashlib.sha256(read_regular(place_of(folder, name))).hexdigest()
    temporary = folder / f".{RECORD}.new"
    try:
        temporary.write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", "utf-8")
        temporary.replace(folder / RECORD)
    except OSError as error:
        raise EdgeError(f"Cannot write {folder / RECORD}: {error.strerror}. Copy the folder where you may.") from error


def _no_folder(folder: Path, problem: str) -> EdgeError:
    return EdgeError(
        f"{folder} is not a folder that `zoo export --bundle` wrote: {problem}. Give the whole folder, not a file in "
        "it."
    )


if __name__ == "__main__":
    try:
        enter(Path(__file__).resolve().parent.parent, *sys.argv[1:])
    except EdgeError as problem:
        sys.exit(str(problem))
