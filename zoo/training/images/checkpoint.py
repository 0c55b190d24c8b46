"""Everything a run needs to go on, in one safetensors file: tensors as tensors, the rest as JSON in its header."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from zoo.activations.scalar_owner import fits_as_scalar
from zoo.documents import json_of
from zoo.errors import WeightsCorruptError, WeightsMismatchError
from zoo.files import write_tensors

FORMAT = 2
_HEADER = "state"


def save_checkpoint(path: Path, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
    """Write one checkpoint; whoever reads `path` sees the old file or the new one, never a part.

    Args:
        tensors: by name; any device and memory format.
        state: plain values that JSON holds exactly (Python writes floats so that they read back bit by bit).

    Raises:
        OutputError: the folder cannot be written, or is full.
    """
    write_tensors(path, tensors, {_HEADER: json.dumps({"format": FORMAT, **state})})


def load_checkpoint(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what `save_checkpoint` wrote.

    Raises:
        WeightsCorruptError: the file is damaged or no checkpoint of a training run.
        WeightsMismatchError: it was written by another version of the format.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            header = (file.metadata() or {}).get(_HEADER)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    except (SafetensorError, OSError) as error:
        raise WeightsCorruptError(f"Cannot read the checkpoint {path}: {error}. Delete it to start again.") from error
    if header is None:
        raise WeightsCorruptError(f"{path} holds weights but is no training checkpoint.")
    try:
        state = json_of(header)
        version = state.get("format")
    except (ValueError, AttributeError) as error:
        raise WeightsCorruptError(f"{path} is damaged: {error}. Delete it to start again.") from error
    if version != FORMAT:
        raise WeightsMismatchError(
            f"{path} has checkpoint format {version}, this version reads {FORMAT}. Resume it with the "
            "version that wrote it, or choose another folder (--output)."
        )
    return tensors, state


def pack_optimizer(optimizer: torch.optim.Optimizer) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Split the optimiser's state into tensors "optimizer.<parameter>.<key>" and plain values by the same names.

    Learning rates and other group settings are not part of it: recipe and schedule give them again.
    """
    tensors: dict[str, Tensor] = {}
    values: dict[str, Any] = {}
    for index, entries in optimizer.state_dict()["state"].items():
        for key, value in entries.items():
            (tensors if isinstance(value, Tensor) else values)[f"optimizer.{index}.{key}"] = value
    return tensors, values


def unpack_optimizer(
    optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor], values: Mapping[str, Any]
) -> None:
    """Put back what `pack_optimizer` returned, in the shape and memory format of the parameters."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    state: dict[int, dict[str, Any]] = {}
    for name, value in {**select(tensors, "optimizer."), **select(values, "optimizer.")}.items():
        index, key = name.split(".", 1)
        of, each = parameters[int(index)], isinstance(value, Tensor) and key != "step"
        if each and (value.shape == of.shape or fits_as_scalar(value, of)):
            value = torch.empty_like(of, dtype=value.dtype).copy_(value)
        state.setdefault(int(index), {})[key] = value
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})


def prefixed(prefix: str, entries: Mapping[str, Any]) -> dict[str, Any]:
    """Return `entries` with `prefix` before every name."""
    return {prefix + name: value for name, value in entries.items()}


def select(entries: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """Return the entries whose name starts with `prefix`, without it."""
    return {name.removeprefix(prefix): value for name, value in entries.items() if name.startswith(prefix)}
