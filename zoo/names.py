"""From any name of a model to a module with its weights: the one place that knows what a name may be.

| name | kind | weights |
|---|---|---|
| `MODEL`, `MODEL.TAG`, `hf-hub:ORG/REPO[@REVISION]`, a card's folder or its .safetensors | card | the card's |
| folder of a finished `zoo train` or `zoo finetune` run on images, or its model.safetensors | run | of the run's end |
| folder that `zoo convert` wrote | converted | its own |
| `NAME[.TAG]` or `timm/NAME[.TAG]`, a folder or Hub repository that timm saved | timm | timm's, or its own |
| folder or Hub repository that transformers saved, a run on texts among them | transformers | its own |
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from math import prod
from pathlib import Path
from typing import Any

import timm
from torch import nn

from zoo.conversion.base import RECORD, Base, build_base, build_filled, check_size, transformers_class
from zoo.data.image_processor import PROCESSOR_FILE, preprocess_of_processor
from zoo.data.preprocess import config_of
from zoo.data.tokenize import TOKENIZER_CONFIG, TOKENIZER_FILE, TextPreprocess
from zoo.errors import (
    ConfigurationError,
    UnknownNameError,
    WeightsCorruptError,
    WeightsMismatchError,
    WeightsNotFoundError,
    ZooError,
)
from zoo.files import sha256_of
from zoo.hub.fetch import fetch, fetch_current
from zoo.hub.hub_names import HUB_PREFIX, split_hub_name
from zoo.models.build import find_spec, list_models
from zoo.models.image_logits import ImageLogits, takes_images
from zoo.models.model_spec import MODELS
from zoo.models.quiet import quiet_transformers
from zoo.weights.create import create_model, find_tag, is_path
from zoo.weights.load import load_weights, read_weights
from zoo.weights.locate import pinned
from zoo.weights.run_folder import RECIPE_FILE, find_run_folder, run_base
from zoo.weights.tag import CONFIG_FILE, TAG_KEY, WEIGHTS_FILE, PretrainedTag, read_json

TIMM_PREFIX = "timm/"
# Entries of another project's pretrained_cfg that are taken over; the rest names places and code.
_DESCRIBING = ("input_size", "interpolation", "crop_pct", "crop_mode", "mean", "std", "num_classes", "label_names")


@dataclass(frozen=True)
class NamedModel:
    """A module, and what its name stood for.

    Args:
        name: as it was asked for.
        kind: "card", "run", "converted", "timm" or "transformers".
        model: in float32 or the number type of its file, in training mode.
        base: the record that builds its like with fresh weights; see `zoo.conversion.base.build_base`.
        tag: of a card's weights.
        sha256: of the weights file; None for fresh weights and those in timm's own cache.
        folder: where its other files lie, a tokenizer among them; None where it has none.
        dataset: what a run was trained on; "" where unknown.
    """

    name: str
    kind: str
    model: nn.Module
    base: Base
    tag: PretrainedTag | None = None
    sha256: str | None = None
    folder: Path | None = None
    dataset: str = ""


def load_model(name: str | Path, *, img_size: int | None = None) -> nn.Module:
    """The module with its weights behind any name; `zoo.create_model` has more options for the zoo's own.

    Args:
        name: see the table in `zoo.names`.
        img_size: side of the input in pixels, for a vision transformer of the zoo; None takes the stored one.

    Raises:
        ZooError: as `open_model`.
    """
    return open_model(name, img_size=img_size).model


def open_model(
    name: str | Path,
    *,
    pretrained: bool | None = True,
    img_size: int | None = None,
    weights: str | Path | None = None,
) -> NamedModel:
    """Open a model by any name.

    Args:
        name: see the table above.
        pretrained: load weights; False builds the network with fresh ones; None does so for a bare `MODEL` of the zoo,
            and for one of timm, whose weights would have to be fetched.
        img_size: side in pixels that a model with fixed positions is to be built for; other models ignore no size,
            they take any.
        weights: a safetensors file for a model of timm, in place of timm's own.

    Raises:
        UnknownNameError: nothing is called so.
        WeightsNotFoundError: there are no weights, or they cannot be had.
        WeightsCorruptError: they cannot be read.
        WeightsMismatchError: they do not fit, or are not those that were recorded.
        ConfigurationError: `weights` for a model that has its own.
    """
    opener = _opener(name)
    if weights is not None and opener.func not in (_open_timm, _open_saved_timm):
        raise ConfigurationError(f"--weights {weights}: {name} brings its own; leave --weights out.")
    if opener.func is _open_card:
        return opener(pretrained=pretrained, img_size=img_size)
    if pretrained is not True and opener.func is _open_timm and weights is None:
        return _fresh_timm(str(name))
    opened = opener() if weights is None else opener(weights=weights)
    if pretrained is False:
        return replace(opened, model=build_base(opened.base), sha256=None)
    return opened


def is_card(name: str | Path) -> bool:
    """Whether a name means a model of the zoo or a card, or nothing that is known; no weights are loaded."""
    return _opener(name).func is _open_card


def _opener(name: str | Path) -> "partial[NamedModel]":
    """The function that opens `name`; that of cards also explains what is no model at all."""
    text = str(name)
    if text.startswith(HUB_PREFIX):
        return _opener_on_hub(text)
    if text.startswith(TIMM_PREFIX) or (not is_path(name) and timm_name(text)):
        return partial(_open_timm, text)
    model, folder = text.partition(".")[0], Path(text).expanduser()
    if not is_path(name) and model in list_models():
        return partial(_open_card, text, name)
    if not is_path(name) and not folder.is_dir():
        known = [*list_models(), *timm.list_models()]
        raise UnknownNameError("model", model, known, "A folder needs a path, such as ./NAME.")
    run = find_run_folder(folder)
    if run is not None:
        return partial(_open_run, text, run)
    if (folder / RECORD).is_file():
        return partial(_open_converted, text, folder)
    config = read_json(folder / CONFIG_FILE) if (folder / CONFIG_FILE).is_file() else {}
    return _opener_of(text, folder, config) or partial(_open_card, text, name)


def _opener_of(text: str, folder: Path, config: Any) -> "partial[NamedModel] | None":
    entries = config if isinstance(config, dict) else {}
    if TAG_KEY not in entries and "model_type" in entries:
        return partial(_open_transformers, text, folder)
    if TAG_KEY not in entries and timm.is_model(str(entries.get("architecture", ""))):
        return partial(_open_saved_timm, text, folder, entries)
    return None


def _opener_on_hub(text: str) -> "partial[NamedModel]":
    repo, revision = split_hub_name(text)
    config = fetch_current(repo, CONFIG_FILE, revision)
    commit = config.parent.name  # asked by it again, the Hub need not be
    opener = _opener_of(text, config.parent, read_json(config))
    if opener is None:
        return partial(_open_card, text, f"{HUB_PREFIX}{repo}@{commit}")
    more: tuple[str, ...] = ()
    if opener.func is _open_transformers:
        more = (PROCESSOR_FILE,) if takes_images(read_json(config)) else (TOKENIZER_FILE, TOKENIZER_CONFIG)
    for file in (WEIGHTS_FILE, *more):
        fetch(repo, file, commit)
    return opener


def timm_name(text: str) -> bool:
    """Whether timm, and not the zoo, knows a model of this name, with or without a tag."""
    model = text.partition(".")[0]
    return model not in list_models() and timm.is_model(model)


def _open_card(text: str, name: str | Path, pretrained: bool | None, img_size: int | None) -> NamedModel:
    if pretrained is None and not is_path(name) and "." not in text:
        return NamedModel(text, "card", create_model(name), {"kind": "zoo", "name": text, "arguments": {}})
    if pretrained is False and not is_path(name) and "." not in text:
        model = create_model(name, pretrained=False, img_size=_own_size(text, img_size))
        return NamedModel(text, "card", model, {"kind": "zoo", "name": text, "arguments": {}})
    tag = find_tag(name)
    size = None if tag.is_text else _size_of(tag, img_size)
    model = create_model(pinned(name, tag), pretrained=pretrained is not False, img_size=size)
    channels = {} if tag.is_text else {"in_chans": tag.pixels.input_size[0]}
    base = {
        "kind": "zoo",
        "name": tag.model,
        "arguments": {"num_classes": tag.num_classes, **channels, **tag.model_args},
    }
    loaded = pretrained is not False
    return NamedModel(text, "card", model, base, tag if loaded else None, tag.sha256 if loaded else None)


def _size_of(tag: PretrainedTag, img_size: int | None) -> int | None:
    """The size to build a model with fixed positions for; other models take any size as they are."""
    other = img_size is not None and tag.pixels.input_size[1:] != (img_size, img_size)
    return img_size if other and MODELS.get(tag.model).pretrained_cfg()["fixed_input_size"] else None


def _own_size(model: str, img_size: int | None) -> int | None:
    spec = find_spec(model)
    fixed = model in MODELS and MODELS.get(model).pretrained_cfg()["fixed_input_size"]
    return img_size if fixed and (img_size, img_size) != tuple(getattr(spec, "input_size", ())[1:]) else None


def _open_run(name: str, folder: Path) -> NamedModel:
    base, described, dataset = run_base(folder)
    file = folder / WEIGHTS_FILE
    model = build_filled(base, file)
    model.pretrained_cfg = {**config_of(model), **described}  # type: ignore[assignment]
    return NamedModel(name, "run", model.train(), base, sha256=sha256_of(file), folder=folder, dataset=dataset)


def _open_converted(name: str, folder: Path) -> NamedModel:
    from zoo.conversion.converted_folder import converted_base, load_converted

    model, _ = load_converted(folder)
    if (folder / TOKENIZER_FILE).is_file():
        model.text_preprocess = _tokens(folder, model)  # type: ignore[assignment]
    return NamedModel(name, "converted", model, converted_base(folder), None, sha256_of(folder / WEIGHTS_FILE), folder)


def _open_timm(text: str, weights: str | Path | None = None) -> NamedModel:
    name = text.removeprefix(TIMM_PREFIX)
    if not timm.is_model(name.partition(".")[0]):
        raise UnknownNameError("model of timm", name, timm.list_models(), "")
    from zoo.hub.at_once import at_once

    base: Base = {"kind": "timm", "name": name, "arguments": {}}
    if weights is not None:
        model: nn.Module = timm.create_model(name, pretrained=False)
        load_weights(model, read_weights(weights), str(weights))
        return NamedModel(text, "timm", _named_classes(model), base, sha256=sha256_of(Path(weights)))
    try:
        with at_once():
            model = timm.create_model(name, pretrained=True)
        return NamedModel(text, "timm", _named_classes(model), base)
    except ZooError:
        raise
    except (OSError, RuntimeError, ValueError) as error:  # the Hub's own errors are OSErrors
        raise WeightsNotFoundError(
            f"timm's weights of {name} cannot be had: {' '.join(str(error).split())[:300]}. Give a file with --weights."
        ) from error


def _fresh_timm(text: str) -> NamedModel:
    base: Base = {"kind": "timm", "name": text.removeprefix(TIMM_PREFIX), "arguments": {}}
    return NamedModel(text, "timm", _named_classes(build_base(base)), base)


def _named_classes(model: nn.Module) -> nn.Module:
    """Give a model of timm with one of ImageNet's sets of classes their names, which timm keeps elsewhere."""
    from timm.data import ImageNetInfo, infer_imagenet_subset

    subset = infer_imagenet_subset(model)
    cfg = config_of(model)
    if subset and not cfg.get("label_names") and getattr(model, "num_classes", None) == cfg.get("num_classes"):
        info = ImageNetInfo(subset)
        names = tuple(info.index_to_description(i, detailed=False) for i in range(info.num_classes()))
        model.pretrained_cfg = {**cfg, "label_names": names}  # type: ignore[assignment]
    return model


def _open_saved_timm(
    name: str, folder: Path, config: Mapping[str, Any], weights: str | Path | None = None
) -> NamedModel:
    """A folder as timm saves it; only what describes the input and the classes is taken from its config.json."""
    stored = config.get("pretrained_cfg") or {}
    described = {
        key: tuple(v) if isinstance(v := stored[key], list) else v for key in _DESCRIBING if stored.get(key) is not None
    }
    described |= {"label_names": tuple(config["label_names"])} if isinstance(config.get("label_names"), list) else {}
    arguments = {"num_classes": config.get("num_classes", stored.get("num_classes"))}
    base: Base = {"kind": "timm", "name": config["architecture"], "arguments": arguments}
    file = Path(weights) if weights is not None else folder / WEIGHTS_FILE
    model = build_filled(base, file)
    model.pretrained_cfg = {**config_of(model), **described}  # type: ignore[assignment]
    return NamedModel(name, "timm", model, base, sha256=sha256_of(file), folder=folder)


def _open_transformers(name: str, folder: Path) -> NamedModel:
    from safetensors import SafetensorError

    config = read_json(folder / CONFIG_FILE)
    names = config.get("architectures") or ["AutoModel"]
    cls = transformers_class(names[0])
    stored = _numbers_in(folder)
    if stored:
        check_size({"kind": "transformers", "class": names[0], "config": config}, stored, str(folder))
    try:
        with quiet_transformers():
            model = cls.from_pretrained(folder, local_files_only=True, use_safetensors=True)
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise WeightsCorruptError(
            f"{folder} does not load as {names[0]}: {' '.join(str(error).split())[:300]}. It must hold config.json and "
            "model.safetensors as transformers saves them."
        ) from error
    written = json.loads(model.config.to_json_string(use_diff=False))
    written.pop("_name_or_path", None)  # a place on this machine
    base: Base = {"kind": "transformers", "class": type(model).__name__, "config": written}
    if takes_images(config):
        model = _with_processor(ImageLogits(model), folder)
    elif (folder / TOKENIZER_FILE).is_file():
        model.text_preprocess = _tokens(folder, model)
    file = folder / WEIGHTS_FILE
    return NamedModel(name, "transformers", model, base, None, sha256_of(file) if file.is_file() else None, folder)


def _numbers_in(folder: Path) -> int:
    """How many numbers the safetensors of a folder hold; 0 where there are none or one of them is damaged."""
    from safetensors import SafetensorError, safe_open

    total = 0
    try:
        for file in folder.glob("*.safetensors"):
            with safe_open(file, "pt") as stored:
                total += sum(prod(stored.get_slice(name).get_shape()) for name in stored.keys())  # noqa: SIM118
    except (OSError, SafetensorError):
        return 0  # whoever loads them says what is wrong
    return total


def _with_processor(model: ImageLogits, folder: Path) -> ImageLogits:
    """Give an image classifier of transformers what timm's models say of themselves.

    Raises:
        WeightsNotFoundError: the folder lacks the file that says what the pixels are.
        ConfigurationError: pixels are prepared in a way that is not known here.
    """
    file = folder / PROCESSOR_FILE
    if not file.is_file():
        raise WeightsNotFoundError(f"{folder} has no {PROCESSOR_FILE}, which says what its pixels are. Save it there.")
    channels = getattr(model.config, "num_channels", 3)
    fixed = any(name.endswith("position_embeddings") for name, _ in model.named_parameters())
    described = preprocess_of_processor(read_json(file), channels).to_dict()
    cfg = {**described, "num_classes": model.config.num_labels, "fixed_input_size": fixed}
    model.pretrained_cfg = cfg  # type: ignore[assignment]
    return model


def _tokens(folder: Path, model: Any) -> TextPreprocess:
    """The tokenizer of a folder; texts are cut as in its run's training, else to what tokenizer and model take."""
    settings = folder / TOKENIZER_CONFIG
    told = read_json(settings).get("model_max_length") if settings.is_file() else None
    positions = getattr(model.config, "max_position_embeddings", None)
    recipe = read_json(folder / RECIPE_FILE) if (folder / RECIPE_FILE).is_file() else {}
    trained = (recipe.get("data") or {}).get("max_length") if isinstance(recipe, dict) else None
    limits = [length for length in (told, positions) if isinstance(length, int)]
    length = trained or min(limits, default=None)
    if length is None:
        raise WeightsMismatchError(f"{folder} says neither in its tokenizer nor in its model how long texts may be.")
    return TextPreprocess.from_file(folder / TOKENIZER_FILE, length)
