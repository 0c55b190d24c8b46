"""Identity of the operators: recorded in an exported file, and checked where it is run."""

from typing import Any

from export.native.compile_operators import operator_sources
from export.operators.operator_table import DOMAIN, OP_VERSION
from zoo.errors import NativeError


def operators_record() -> dict[str, Any]:
    """Domain, version and SHA-256 of the C++ sources; the same on every machine, whatever compiles them there."""
    return {"domain": DOMAIN, "version": OP_VERSION, "sources_sha256": operator_sources().digest().hexdigest()}


def check_operators(record: dict[str, Any], file: str) -> None:
    """Compare what a file records with the operators here.

    Raises:
        NativeError: the file was made for others.
    """
    here = operators_record()
    other = [
        f"{name} {record.get(name)!r} there, {here[name]!r} here" for name in here if record.get(name) != here[name]
    ]
    if other:
        raise NativeError(
            f"{file} was exported for other operators than this release has: {'; '.join(other)}. Export the model "
            "again, or install the release of salu-zoo that wrote the file."
        )
