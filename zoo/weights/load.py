"""A safetensors file into a module and back: checked by hash, strict about names and shapes, explained on failure."""

from collections.abc import Collection, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from zoo.activations.scalar_owner import fits_as_scalar
from zoo.errors import WeightsCorruptError, WeightsMismatchError, WeightsNotFoundError
from zoo.files import sha256_of, write_tensors
from zoo.first_edition import refuse_first_edition

_MANY = 1024
"""Values that tell something of how they are distributed."""
DTYPES = {"float16": torch.float16, "bfloat16": torch.bfloat16, "float32": torch.float32}


def read_weights(path: str | Path, sha256: str | None = None) -> dict[str, Tensor]:
    """Read every tensor of a safetensors file.

    Args:
        path: the file.
        sha256: what its hash must be; None only where nothing pins one.

    Raises:
        WeightsNotFoundError: there is no such file.
        WeightsCorruptError: it is truncated, damaged or of another format.
        WeightsMismatchError: its hash is another one, or it holds NaN or infinite values.
    """
    file = Path(path)
    if not file.is_file():
        raise WeightsNotFoundError(f"There is no weights file {file}. Check the path.")
    try:
        state = load_file(file)
    except (SafetensorError, OSError, ValueError) as error:
        raise WeightsCorruptError(
            f"{file} ({file.stat().st_size:,} bytes) is not a readable safetensors file: {error}. It is truncated, "
            "damaged or of another format: delete it and fetch it again. For a PyTorch .pth file use `zoo adopt`."
        ) from error
    if sha256 is not None:
        check_hash(file, sha256)
    check_finite(state, str(file))
    _check_number_type(state, str(file))
    return state


def _check_number_type(state: Mapping[str, Tensor], source: str) -> None:
    """Refuse bfloat16 under the name of float16: of weights below 2, all but a few become values from 0.5 to 2.

    Raises:
        WeightsMismatchError: no value of a matrix is smaller than 0.25, and they differ.
    """
    for name, value in state.items():
        if value.dtype == torch.float16 and value.ndim > 1 and value.numel() >= _MANY:
            sizes = value[value != 0].abs()
            if len(sizes) and sizes.min() >= 0.25 and sizes.max() < 2 and len(sizes[:_MANY].unique()) > _MANY // 16:
                raise WeightsMismatchError(
                    f"{source}: all {value.numel():,} values of {name!r} lie between 0.25 and 2, as bfloat16 does "
                    "where its file says float16. Save it again with the number type it has."
                )


def check_hash(file: Path, sha256: str) -> None:
    """Refuse a weights file that is not the one its card pins.

    Raises:
        WeightsMismatchError: its hash is another one.
    """
    found = sha256_of(file)
    if found != sha256:
        raise WeightsMismatchError(
            f"{file} is not the file its card pins.\n  card:  sha256 {sha256}\n  found: sha256 {found}\n"
            "If you trained these weights or saved them anew, they need a card of their own: `zoo adopt` makes one. "
            "If they came by download, delete the file and fetch it again."
        )


def check_finite(state: Mapping[str, Tensor], source: str) -> None:
    """Refuse weights that hold NaN or infinity.

    Raises:
        WeightsMismatchError: some do; all those tensors are named.
    """
    bad = [name for name, value in state.items() if value.is_floating_point() and not value.isfinite().all()]
    if bad:
        raise WeightsMismatchError(
            f"{source} holds NaN or infinite values in {len(bad)} of {len(state)} tensors: {', '.join(bad)}. "
            "The training that wrote it diverged, or the values do not fit the number type; use another checkpoint."
        )


def differences(state: Mapping[str, Tensor], wanted: Mapping[str, Tensor], skip: Collection[str] = ()) -> list[str]:
    """List the differences of a state from a model's own: one line for each name that does not fit, with both sides.

    Args:
        state: what a file holds.
        wanted: the model's state_dict.
        skip: names the model may keep as they are.

    Raises:
        WeightsMismatchError: the state is one of the first edition of FleS.
    """
    refuse_first_edition(state, wanted)
    lines = []
    for name in [*wanted, *(key for key in state if key not in wanted)]:
        have, need = state.get(name), wanted.get(name)
        if have is None and need is not None and name not in skip:
            lines.append(f"{name}: file has nothing, model needs {tuple(need.shape)}")
        elif have is not None and need is None:
            lines.append(f"{name}: file has {tuple(have.shape)}, model has nothing of that name")
        elif have is not None and need is not None and have.shape != need.shape:
            lines.append(f"{name}: file has {tuple(have.shape)}, model needs {tuple(need.shape)}")
        elif have is not None and need is not None and have.is_floating_point() != need.is_floating_point():
            lines.append(f"{name}: file has {have.dtype}, model needs {need.dtype}")
    return lines


def load_weights(model: nn.Module, state: Mapping[str, Tensor], source: str, skip: Collection[str] = ()) -> None:
    """Copy `state` into `model`, in the model's own number type; all names and shapes must agree.

    Args:
        model: what receives the weights. It is left as it was if anything does not fit.
        state: name to tensor, as `read_weights` returns it.
        source: where `state` comes from, for the error message.
        skip: names in the model that keep their fresh values.

    Raises:
        WeightsMismatchError: names or shapes differ, each is named with both shapes; or the model is on meta.
    """
    wanted = model.state_dict()
    if any(value.is_meta for value in wanted.values()):
        raise WeightsMismatchError(
            f"{source} cannot be loaded: the model is on the meta device, which holds no values. Create it on the CPU, "
            "or without weights (pretrained=False)."
        )
    scalars = {name for name, value in state.items() if name in wanted and fits_as_scalar(value, wanted[name])}
    state = {name: value.view(1) if name in scalars else value for name, value in state.items()}
    lines = differences(state, wanted, skip)
    if lines:
        raise WeightsMismatchError(
            f"{source} does not fit {type(model).__name__}: {len(lines)} of {len(wanted)} tensors differ.\n  "
            + "\n  ".join(lines)
        )
    model.load_state_dict(state, strict=not skip)


def save_weights(path: Path, state: Mapping[str, Tensor], dtype: str = "float16") -> str:
    """Write `state` as safetensors.

    Matrices and kernels are stored as `dtype`. Scalars and vectors (biases, norm statistics, activation parameters)
    stay float32: they are a thousandth of the size, and S = sqrt(a/b) would suffer first from a rounded b.

    Returns:
        The file's sha256.

    Raises:
        WeightsMismatchError: a value is NaN, infinite, or too large for `dtype`.
        OutputError: the file cannot be written.
    """
    check_finite(state, "The state to store")
    stored = {}
    for name, value in state.items():
        small = torch.float32 if value.ndim < 2 else DTYPES[dtype]
        target = small if value.is_floating_point() else value.dtype
        stored[name] = value.detach().to("cpu", target, copy=True).contiguous()
    check_finite(stored, f"The state, stored as {dtype},")
    return sha256_of(write_tensors(path, stored, {"format": "pt"}))
