"""The digest of an exported file: what it computes and what it says about itself, so that a change shows.

It is no signature: whoever changes a file can compute it anew. What the file computes is for `export.validate`.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx
from google.protobuf.message import DecodeError

from export.errors import ChangedFileError
from export.function_calls import check_calls
from export.metadata import DIGEST, PREFIX

# Nothing here changes a result: names, notes, and shapes that can be inferred.
_MODEL_NOTES = frozenset(("producer_name", "producer_version", "domain", "model_version", "doc_string"))
_GRAPH_NOTES = frozenset(("name", "doc_string", "value_info", "quantization_annotation", "metadata_props"))


def graph_digest(model: onnx.ModelProto) -> str:
    """SHA-256 over a graph's nodes, initialisers, inputs and outputs, the versions it needs, and our own metadata.

    Left out are notes (names of graph and producer, documentation, metadata of others) and `value_info`. Neither the
    order in which a protobuf library writes fields and initialisers matters, nor whether numbers are stored raw.
    """
    digest = hashlib.sha256()
    for part in _parts(model):
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.hexdigest()


def seal(model: onnx.ModelProto) -> None:
    """Write its digest into a file with our metadata, over any it had; leave any other as it is."""
    _remove_digest(model)
    if any(prop.key.startswith(PREFIX) for prop in model.metadata_props):
        model.metadata_props.add(key=DIGEST, value=graph_digest(model))


def load_to_change(file: bytes) -> onnx.ModelProto:
    """The graph of a file without its digest, for a change on purpose such as more outputs."""
    model = onnx.load_from_string(file)
    _remove_digest(model)
    return model


def _remove_digest(model: onnx.ModelProto) -> None:
    kept = [prop for prop in model.metadata_props if prop.key != DIGEST]
    if len(kept) < len(model.metadata_props):
        del model.metadata_props[:]
        model.metadata_props.extend(kept)


def check_unchanged(file: str | Path | bytes) -> None:
    """Compare a file with the digest in it; one without a digest, or that is no ONNX file, is let through.

    Args:
        file: its path or its bytes.

    Raises:
        ChangedFileError: they differ.
        OnnxFileError: its functions make it too large to be opened by anything, see `check_calls`.
    """
    try:
        model = onnx.load_from_string(file if isinstance(file, bytes) else Path(file).read_bytes())
        stored = next((prop.value for prop in model.metadata_props if prop.key == DIGEST), None)
    except (OSError, DecodeError, UnicodeDecodeError):
        return  # whoever opens it says what is wrong with it
    check_calls(model, "The model" if isinstance(file, bytes) else str(file))
    found = None if stored is None else graph_digest(model)
    if stored != found:
        raise ChangedFileError(
            f"{'The model' if isinstance(file, bytes) else file} was changed since it was exported: its graph, weights "
            f"or metadata have the digest {str(found)[:12]}..., and it says {str(stored)[:12]}... Export the model "
            f"again. If the change was meant, as by a tool, take the property {DIGEST} out: then `export.open_session` "
            "runs it as a file of somebody else's."
        )


def _parts(model: onnx.ModelProto) -> Iterator[bytes]:
    for key, value in sorted((prop.key, prop.value) for prop in model.metadata_props):
        if key.startswith(PREFIX) and key != DIGEST:
            yield from (_plain(key), _plain(value))
    yield from _fields(model, _MODEL_NOTES | {"graph", "metadata_props"})
    yield from _fields(model.graph, _GRAPH_NOTES | {"initializer"})
    for tensor in sorted(model.graph.initializer, key=lambda tensor: tensor.name):
        yield from _tensor(tensor)


def _fields(message: Any, left_out: frozenset[str]) -> Iterator[bytes]:
    """The fields of a message that are set, in the order of their numbers."""
    for field, value in message.ListFields():
        if field.name not in left_out:
            yield str(field.name).encode()
            values = [value] if isinstance(value, int | float | str | bytes) else value
            yield from (_plain(one) for one in values)


def _plain(value: Any) -> bytes:
    if hasattr(value, "SerializeToString"):
        return bytes(value.SerializeToString(deterministic=True))
    return value if isinstance(value, bytes) else str(value).encode()  # text that is no UTF-8 is given as bytes


def _tensor(tensor: onnx.TensorProto) -> Iterator[bytes]:
    yield f"{tensor.name} {tensor.data_type} {list(tensor.dims)}".encode()
    if tensor.data_location == onnx.TensorProto.EXTERNAL:
        yield _plain(tensor)
    else:
        yield tensor.raw_data if tensor.HasField("raw_data") else onnx.numpy_helper.to_array(tensor).tobytes()
