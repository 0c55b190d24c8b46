"""Whose weights a model holds: computed from its values and its parts when it is asked, never remembered."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from zoo.data.labels import classifier_of, labels_of
from zoo.errors import WeightsMismatchError
from zoo.weights.architecture import build_tagged
from zoo.weights.load import check_hash
from zoo.weights.tag import PretrainedTag

_COMPILED = "_orig_mod."
_IDLE = ("Identity", "Drop", "OptimizedModule")
"""Kinds of modules, by what their names contain, that do nothing in evaluation mode or only wrap another one."""


@dataclass(frozen=True)
class Identity:
    """Result of `identity_of`.

    Args:
        origin: the published weights the model was loaded from, if it was.
        changed: whether it is no longer exactly what `zoo.create_model` makes of them.
    """

    origin: PretrainedTag | None = None
    changed: bool = False

    @property
    def tag(self) -> PretrainedTag | None:
        """The published weights that the model is; None if it is none."""
        return None if self.changed else self.origin

    @property
    def changed_since(self) -> str:
        """Name of the weights the model was loaded from, if it is no longer those; "" otherwise."""
        return self.origin.name if self.origin and self.changed else ""


@dataclass(frozen=True)
class Origin:
    """Mark of `create_model` in `model.pretrained_origin`: not what the model is, but what it was loaded from.

    Args:
        tag: of the weights.
        digest: of their values, see `state_digest`.
    """

    tag: PretrainedTag
    digest: str


def set_origin(model: nn.Module, origin: Origin) -> None:
    """Note on a model just loaded where its values come from, and on its classifier the names of its outputs."""
    head: Any = classifier_of(model)
    if head is not None:
        head.label_names = labels_of(model)
    model.pretrained_origin = origin  # type: ignore[assignment]


def identity_of(model: nn.Module) -> Identity:
    """Check whether a model still is the published weights it was loaded from.

    It is if every value is the file's and every part is the architecture's: training, `load_state_dict`, another head,
    other activations, averaging, conversion and the meta device change it; copies, devices, memory formats, training
    mode, dropout and `torch.compile` do not. A number type that holds every value exactly, such as float64, keeps it;
    `half()` and `to(torch.bfloat16)` round, which makes other weights with an accuracy of their own. Autocast rounds
    nothing that is stored.

    Args:
        model: any module. One that `zoo.create_model` did not load from weights has neither tag nor origin.
    """
    origin: Origin | None = getattr(model, "pretrained_origin", None)
    if origin is None:
        return Identity()
    same = weights_digest(model) == origin.digest and _parts(model) == _parts(build_tagged(origin.tag, "meta"))
    return Identity(origin.tag, changed=not same)


def weights_digest(model: nn.Module) -> str:
    """`state_digest` of a model's parameters and persistent buffers, compiled or not."""
    return state_digest({name.replace(_COMPILED, ""): value for name, value in model.state_dict().items()})


def state_digest(state: Mapping[str, Any]) -> str:
    """Sha256 over the names, shapes and values of tensors.

    It depends neither on the file format nor on the number type: floating-point values are widened or narrowed to
    float32 first where that is exact. A tensor of one value counts as a scalar, whatever its shape. Tensors without
    values of their own (meta, sharded, sparse, quantised) enter by kind.

    Args:
        state: name to tensor; what is no tensor is left out.
    """
    digest = hashlib.sha256()
    for name, value in sorted(state.items()):
        if isinstance(value, Tensor):
            plain = _exact(value)
            shape = () if plain.numel() == 1 else tuple(plain.shape)
            digest.update(f"{name} {plain.dtype} {shape}\n".encode())
            if plain.is_meta or plain.layout != torch.strided or type(plain) is not Tensor:
                digest.update(f"{type(plain).__name__} {plain.layout} {plain.device.type}\n".encode())
            else:
                digest.update(plain.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def check_whose(tag: PretrainedTag, folder: Path) -> None:
    """Check that a card's weights file, if it is there, and its evaluations are of the weights the card pins.

    Raises:
        WeightsMismatchError: the file was changed, or an evaluation is of other weights.
    """
    if (folder / tag.file).is_file():
        check_hash(folder / tag.file, tag.sha256)
    for row in tag.results.get("evaluations", []):
        if "sha256" in row:
            check_result(row, tag, f"{tag.name}: the stored evaluation on {row['dataset']}")


def check_result(result: Mapping[str, Any], tag: PretrainedTag, what: str) -> None:
    """Refuse an evaluation of other weights than those of `tag`, or of a file that was exported from others.

    Args:
        result: `Evaluation.to_dict()`.
        tag: of a card.
        what: what the result is, for the message.

    Raises:
        WeightsMismatchError: it is of others.
    """
    found = result["runtime"].get("source_sha256") or result["sha256"]
    if found != tag.sha256:
        since = result.get("changed_since") or ""
        other = f"a model changed since {since}" if since else f"other weights (sha256 {found})"
        raise WeightsMismatchError(
            f"{what} is of {other}, not of those the card pins ({tag.sha256}). Measure these: zoo evaluate {tag.name} "
            "--output FILE.json. Weights of your own get a card of their own by `zoo adopt`."
        )


def _exact(value: Tensor) -> Tensor:
    """The values on the CPU, in float32 if it holds them exactly."""
    plain = value.detach()
    if plain.is_meta or plain.layout != torch.strided or type(plain) is not Tensor:
        return plain
    plain = plain.cpu().contiguous()
    if not plain.is_floating_point() or plain.dtype == torch.float32:
        return plain
    narrow = plain.to(torch.float32)
    return narrow if plain.dtype.itemsize < 4 or torch.equal(narrow.to(plain.dtype), plain) else plain


def _parts(model: nn.Module) -> list[str]:
    """Name, kind and settings of every module that does something in evaluation mode."""
    return [
        f"{f'{name}.'.replace(_COMPILED, '')} {type(module).__name__}({_settings(module)})"
        for name, module in getattr(model, "_orig_mod", model).named_modules()
        if not any(idle in type(module).__name__ for idle in _IDLE)
    ]


def _settings(module: nn.Module) -> str:
    """Return the settings a module prints of itself; one that learns single numbers prints those."""
    learned = any(parameter.numel() == 1 for parameter in module.parameters(recurse=False))
    return "" if learned else module.extra_repr()
