"""Triton's own schema of a model's configuration, from the package tritonclient: nothing is written past it."""

from typing import Any

from export.errors import ExportError
from zoo.errors import OutputError

INSTALL = "pip install 'salu-zoo[serve]'"


def need_schema() -> Any:
    """The message class `ModelConfig`.

    Raises:
        ExportError: tritonclient is not installed, or not with what its schema needs.
    """
    try:
        from tritonclient.grpc.model_config_pb2 import ModelConfig
    except (ImportError, RuntimeError, TypeError) as error:  # protobuf of another age raises TypeError
        raise ExportError(
            f"A Triton repository is checked with Triton's own schema, which does not load: {error} Run: {INSTALL}."
        ) from error
    return ModelConfig


def to_text(config: dict[str, Any]) -> str:
    """A configuration as config.pbtxt.

    Args:
        config: the fields of `ModelConfig` by their names in the schema.

    Raises:
        ExportError: the schema does not load, or has no such field or value.
    """
    from google.protobuf import json_format, text_format

    message = need_schema()()
    try:
        json_format.ParseDict(config, message)
    except json_format.ParseError as error:
        raise ExportError(f"Triton's schema does not know this configuration: {error}. Update tritonclient.") from error
    return str(text_format.MessageToString(message))


def from_text(text: str, file: str) -> dict[str, Any]:
    """The inverse of `to_text`.

    Args:
        text: of config.pbtxt.
        file: its name, for the message.

    Raises:
        OutputError: it is not of the schema.
        ExportError: the schema does not load.
    """
    from google.protobuf import json_format, text_format

    message = need_schema()()
    try:
        text_format.Parse(text, message)
    except text_format.ParseError as error:
        raise OutputError(
            f"{file} is no configuration for Triton: {error}. Repair it, or remove its folder."
        ) from error
    found: dict[str, Any] = json_format.MessageToDict(message, preserving_proto_field_name=True)
    return found
