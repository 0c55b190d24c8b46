"""Identity of the operators: recorded in an exported file, and checked where it is run."""

import json
from collections.abc import Mapping
from typing import Any

from export.metadata import PREFIX, check_format
from export.native.compile_operators import operator_sources
from export.operators.operator_table import DOMAIN, OP_VERSION
from zoo.errors import NativeError


def operators_record() -> dict[str, Any]:
    """Domain, version and SHA-256 of the C++ sources; the same on every machine, whatever compiles them there."""
    return {"domain": DOMAIN, "version": OP_VERSION, "sources_sha256": operator_sources().digest().hexdigest()}


def check_properties(properties: Mapping[str, str], file: str) -> None:
    """Compare what the metadata of a file say with what this release can run, if they say anything.

    Raises:
        OnnxFileError: they are of a newer format.
        NativeError: the file was made for other operators, or the record of them is damaged.
    """
    if f"{PREFIX}format" in properties:
        check_format(properties[f"{PREFIX}format"], file)
    stored = properties.get(f"{PREFIX}operators")
    if stored is not None:
        try:
            check_operators(json.loads(stored), file)
        except (ValueError, RecursionError) as error:
            raise NativeError(f"{file} has a damaged record of its operators: {error}. Export it again.") from error


def check_operators(record: Any, file: str) -> None:
    """Compare what a file records with the operators here.

    Raises:
        NativeError: the file was made for others.
    """
    if not isinstance(record, dict):
        raise NativeError(f"{file} has a damaged record of its operators: {record!r:.80}. Export the model again.")
    here = operators_record()
    other = [
        f"{name} {record.get(name)!r} there, {here[name]!r} here" for name in here if record.get(name) != here[name]
    ]
    if other:
        raise NativeError(
            f"{file} was exported for other operators than this release has: {'; '.join(other)}. Export the model "
            "again, or install the release of salu-zoo that wrote the file."
        )
