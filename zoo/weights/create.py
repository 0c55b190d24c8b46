"""From a name to a model, with or without its weights."""

import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from zoo.data.tokenize import TOKENIZER_FILE
from zoo.devices import torch_defaults
from zoo.errors import WeightsCorruptError, WeightsNotFoundError, ZooError
from zoo.hub.hub_names import HUB_PREFIX
from zoo.models.build import build_model, find_spec
from zoo.models.text_models import TEXT_MODELS
from zoo.weights.adapt import Wishes, adapt_state, describe
from zoo.weights.architecture import check_kind
from zoo.weights.create_text import build_text
from zoo.weights.identity import Origin, set_origin, state_digest
from zoo.weights.load import load_weights, read_weights
from zoo.weights.locate import locate, open_hub, resolve
from zoo.weights.tag import PretrainedTag, read_tag

FOREIGN = (".pth", ".pt", ".bin", ".ckpt", ".tar", ".pkl", ".npz", ".onnx")


@dataclass(frozen=True)
class _Found:
    """Resolved name: a model, perhaps the tag of its weights, and the files to load, if any."""

    model: str
    tag: PretrainedTag | None = None
    file: Path | None = None
    tokenizer: Path | None = None


@torch_defaults()
def create_model(
    name: str | Path,
    pretrained: bool | None = None,
    *,
    num_classes: int | None = None,
    in_chans: int | None = None,
    img_size: int | tuple[int, int] | None = None,
    **kwargs: Any,
) -> nn.Module:
    """Build a model for images or texts by name, in float32 and in training mode, on PyTorch's default device.

    A name is one of
    - `MODEL`: an architecture; `pretrained=True` takes its only or default weights;
    - `MODEL.TAG`: one set of weights of it;
    - a path: a card's folder, or a .safetensors file with its config.json beside it;
    - `hf-hub:ORG/REPO` or `hf-hub:ORG/REPO@REVISION`: a card on the Hugging Face Hub.

    Weights are found in this order: explicit path, your own cards (SALU_ZOO_HOME), `model_cards/` of a source checkout
    or of the installed copy, the Hub's cache, the Hub. The file's sha256 is checked always, and names and shapes must
    agree. Only what is asked for here is adapted: another `num_classes` starts a fresh classifier (the tag's class
    names are dropped), another `in_chans` adapts the first convolution, another `img_size` resamples a vision
    transformer's positions. The last two are for images only.

    Args:
        name: see above.
        pretrained: whether to load weights. None: yes where the name itself names weights (tag, path, Hub), no for a
            bare architecture. False with a tag builds the architecture it was trained with, with fresh weights.
        num_classes: classes; None for the tag's or the model's own number; 0 for no classifier.
        in_chans: input channels; None likewise.
        img_size: side of the input in pixels, or (height, width); None likewise.
        **kwargs: further arguments of `zoo.models.build_model`, such as `norm`, `act` and
            `features_only`, or for texts of `zoo.models.text_models.build_text_model`.

    Returns:
        The model. `zoo.identity_of` says whether it is the published weights, `zoo.labels_of` its class names. A model
        for images has preprocessing and class names (`label_names`) under timm's keys in `pretrained_cfg`; one for
        texts has the `TextPreprocess` of its weights, or None, in `text_preprocess`, and class names in `config`.

    Raises:
        UnknownNameError: no such model or tag; the nearest names are offered.
        WeightsNotFoundError: no weights are published, stored or reachable for it.
        WeightsCorruptError: the file cannot be read.
        WeightsMismatchError: wrong hash, names, shapes, NaN, or a card that is not of this zoo.
        ConfigurationError: an argument does not fit the model.
    """
    with _request(f"create_model({str(name)!r}, pretrained={pretrained})"):
        found = _find(name, pretrained)
        return _build(found, Wishes(num_classes, in_chans, img_size), kwargs)


def find_tag(name: str | Path) -> PretrainedTag:
    """The tag of the weights that `create_model(name, pretrained=True)` would load, without loading them.

    Raises:
        ZooError: as `create_model` does for a name.
    """
    with _request(f"create_model({str(name)!r}, pretrained=True)"):
        return open_card(name)[0]


@contextmanager
def _request(asked: str) -> Iterator[None]:
    """Put what the user asked in front of any error the work inside runs into."""
    try:
        yield
    except ZooError as error:
        error.args = (f"{asked}: {error}",)
        raise


def _find(name: str | Path, pretrained: bool | None) -> _Found:
    text = str(name)
    if "." not in text and not pretrained and not is_path(name):
        find_spec(text, hint="For a folder or file write its path, such as ./NAME.")
        return _Found(text)
    tag, folder, file = open_card(name)
    if pretrained is False:
        return _Found(tag.model, tag)
    tokenizer = locate(tag, folder, TOKENIZER_FILE) if tag.is_text else None
    return _Found(tag.model, tag, file or locate(tag, folder), tokenizer)


def open_card(name: str | Path) -> tuple[PretrainedTag, Path | None, Path | None]:
    """The tag behind a name, its folder unless the name is looked up, and the weights file if that was named.

    Raises:
        ZooError: as `create_model` does for a name.
    """
    text = str(name)
    if text.startswith(HUB_PREFIX):
        found: tuple[PretrainedTag, Path | None, Path | None] = (*open_hub(text), None)
    elif is_path(name):
        found = _open_path(Path(text).expanduser())
    else:
        found = resolve(text), None, None
    hint = "The card's config.json names a model this version does not have; update salu-zoo."
    check_kind(found[0], hint)
    return found


def is_path(name: str | Path) -> bool:
    """Whether a name is meant as a place on this machine: it has a separator, a leading dot, or a file's ending."""
    text = str(name)
    looks = isinstance(name, Path) or "/" in text or os.sep in text or text.startswith((".", "~"))
    return looks or text.endswith((".safetensors", *FOREIGN))


def _open_path(path: Path) -> tuple[PretrainedTag, Path, Path | None]:
    """The card at `path`, its folder, and the weights file if `path` is one."""
    if path.is_dir():
        return read_tag(path), path, None
    if not path.exists():
        raise WeightsNotFoundError(f"There is no file or folder {path}. Check the path.")
    if path.suffix != ".safetensors":
        raise WeightsCorruptError(
            f"{path} is not a .safetensors file. Convert a PyTorch checkpoint once: "
            f"zoo adopt {shlex.quote(str(path))} --model NAME --tag TAG. For an ONNX file use `zoo evaluate` or "
            "export.open_session."
        )
    return read_tag(path.parent), path.parent, path


def _build(found: _Found, wishes: Wishes, kwargs: dict[str, Any]) -> nn.Module:
    """The model as it was asked for, with weights if there is a file to load."""
    tag = found.tag
    if found.model in TEXT_MODELS:
        return build_text(found.model, tag, (found.file, found.tokenizer), wishes, kwargs)
    if tag is None:
        return build_model(found.model, **wishes.arguments(), **kwargs)
    origin: list[Origin] = []

    def fill(module: nn.Module) -> None:
        if found.file is not None:
            state = read_weights(found.file, tag.sha256)
            adapted, fresh = adapt_state(state, module, tag, wishes)
            load_weights(module, adapted, str(found.file), skip=fresh)
            origin.append(Origin(tag, state_digest(state)))

    stored = {"num_classes": tag.num_classes, "in_chans": tag.pixels.input_size[0], **tag.model_args}
    arguments = {**stored, "prepare": fill, **wishes.arguments(), **kwargs}
    cfg = describe(tag, wishes) | dict(arguments.pop("pretrained_cfg", None) or {})
    model = build_model(found.model, pretrained_cfg=cfg, **arguments)
    if origin:
        set_origin(model, *origin)
    return model
