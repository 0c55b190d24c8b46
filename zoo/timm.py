"""Every model of the zoo in timm's registry: `timm.create_model("salunet_c18_cifar")` works after `import zoo.models`.

Published weights are known there by their tags, and are loaded by the zoo's own loader, which checks revision and hash.
Weights from elsewhere, named as timm's configuration names them, are loaded by timm.
"""

import dataclasses
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from huggingface_hub import hf_hub_download
from huggingface_hub.errors import EntryNotFoundError
from timm.models import (
    DefaultCfg,
    PretrainedCfg,
    get_pretrained_cfg,
    is_model,
    load_pretrained,
    register_model,
)
from torch import nn

from zoo.card_folders import card_folder, card_names
from zoo.documents import json_in
from zoo.errors import ConfigurationError
from zoo.models.inputs import fit_positions
from zoo.models.model_spec import MODELS, ModelSpec

__all__ = ["register_all"]

Cfg: TypeAlias = str | Mapping[str, Any] | PretrainedCfg | None

# timm looks for this name in the module of an entry point.
default_cfgs: dict[str, DefaultCfg] = {}

_CONFIG = "config.json"
_TAG = "salu_zoo"
_PLACES = ("state_dict", "file", "url", "hf_hub_id")
_WEIGHTS = (*_PLACES, "hf_hub_filename", "source", "custom_load")


def register_all() -> list[str]:
    """Give every model of the zoo an entry point in timm's registry; those that have one are left alone.

    Returns:
        The names added.
    """
    added = [name for name in MODELS if not is_model(name)]
    for name in added:
        default_cfgs[name] = _described(MODELS.get(name))
        globals()[name] = register_model(_entry_point(MODELS.get(name)))
    return added


def _described(spec: ModelSpec) -> DefaultCfg:
    """Build timm's record of a model: the bare architecture first, then each of its tags."""
    cfgs = {"": PretrainedCfg(**spec.pretrained_cfg())}
    for name in card_names():
        model, _, tag = name.partition(".")
        cfg = _published(card_folder(name)) if model == spec.name else None
        if cfg is not None:
            cfgs[tag] = cfg
    return DefaultCfg(deque(cfgs), cfgs, is_pretrained=len(cfgs) > 1)


def _published(folder: Path) -> PretrainedCfg | None:
    """A card as timm describes it; None for a damaged one, of which the loader says more when it is asked for."""
    try:
        whole = json_in(folder / _CONFIG)
        tag, cfg = whole[_TAG], whole["pretrained_cfg"]
        if (folder / tag["file"]).is_file():
            cfg["file"] = str(folder / tag["file"])
        elif tag["revision"]:
            cfg |= {"hf_hub_id": f"{tag['repo']}@{tag['revision']}", "hf_hub_filename": tag["file"]}
        return PretrainedCfg(**_plain(cfg), label_names=tuple(tag["labels"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _entry_point(spec: ModelSpec) -> Callable[..., nn.Module]:
    """The function timm calls for `timm.create_model(spec.name, ...)`."""

    def create(
        pretrained: bool = False,
        pretrained_cfg: Cfg = None,
        pretrained_cfg_overlay: Mapping[str, Any] | None = None,
        cache_dir: str | Path | None = None,
        pretrained_model_args: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> nn.Module:
        from zoo.weights.create import create_model, find_tag

        name = (
            ".".join([spec.name, pretrained_cfg]) if pretrained_cfg and isinstance(pretrained_cfg, str) else spec.name
        )
        cfg = _merged(pretrained_cfg, pretrained_cfg_overlay)
        card = _card(cfg, pretrained, cache_dir)
        foreign = pretrained and card is None and any(map(cfg.get, _WEIGHTS))
        options = {**_implied(cfg), **kwargs}
        if foreign:
            source = {**get_pretrained_cfg(name).to_dict(remove_source=True), **cfg}  # type: ignore[union-attr]
            headless = bool(options.get("features_only"))
            options["prepare"] = partial(_load, source, options.get("in_chans", 3), cache_dir, headless)
        elif pretrained:
            _check(spec.name, find_tag(card or name), cfg, cache_dir)
        kept = _of_target(cfg, options)
        model = create_model(card or name, pretrained=pretrained and not foreign, pretrained_cfg=kept, **options)
        model.pretrained_model_args = dict(pretrained_model_args or {})  # type: ignore[assignment]
        return model

    create.__name__ = create.__qualname__ = spec.name
    create.__doc__ = f"{spec.description}; see `zoo.models.build_model` for the arguments."
    return create


def _merged(cfg: Cfg, overlay: Mapping[str, Any] | None) -> dict[str, Any]:
    """Merge the settings of weights. An overlay that names some replaces those named before, wherever they were."""
    base = _as_dict(cfg)
    if any(map((overlay or {}).get, _PLACES)):
        base = {key: value for key, value in base.items() if key not in _WEIGHTS}
    return _plain({**base, **(overlay or {})})


def _as_dict(cfg: Cfg) -> dict[str, Any]:
    if cfg is None or isinstance(cfg, str):
        return {}
    if isinstance(cfg, PretrainedCfg):
        return {field.name: getattr(cfg, field.name) for field in dataclasses.fields(cfg)}
    return dict(cfg)


def _plain(cfg: Mapping[str, Any]) -> dict[str, Any]:
    """Without what was left open, and with tuples where JSON has lists."""
    return {key: tuple(value) if isinstance(value, list) else value for key, value in cfg.items() if value is not None}


def _implied(cfg: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments that timm takes from a configuration where they are not given; fewer than 0 classes are none."""
    channels, *size = cfg.get("input_size", (None,))
    classes = cfg.get("num_classes", -1)
    values = {"num_classes": classes if classes >= 0 else None, "in_chans": channels, "img_size": tuple(size) or None}
    return {key: value for key, value in values.items() if value is not None}


def _of_target(cfg: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """Keep the part of a configuration of weights that holds for the model that was asked for as well.

    The builder itself describes classes, channels and size.
    """
    gone, own = {"state_dict", "num_classes", "input_size", "pool_size"}, _implied(cfg)
    if options.get("num_classes") != own.get("num_classes"):
        gone |= {"label_names", "label_descriptions", "label_offset"}
    if options.get("in_chans") != own.get("in_chans"):
        gone |= {"mean", "std"}
    return {key: value for key, value in cfg.items() if key not in gone}


def _card(cfg: Mapping[str, Any], pretrained: bool, cache_dir: str | Path | None) -> str | None:
    """The card that a configuration points to, as the zoo's loader takes it; None where it points elsewhere."""
    file, hub, source = cfg.get("file"), cfg.get("hf_hub_id"), cfg.get("source")
    if (cfg.get("state_dict") and source is None) or cfg.get("num_classes", 0) < 0:
        return None  # fewer than 0 classes: timm's way to ask for a fresh classifier on other weights
    if file and source != "hf-hub":
        path = Path(file)
        folder, weights = (path, None) if path.is_dir() else (path.parent, path.name)
        return str(path.absolute()) if _is_card(folder / _CONFIG, weights) else None
    if hub and pretrained:
        repo, _, revision = hub.partition("@")
        try:
            config = hf_hub_download(repo, _CONFIG, revision=revision or None, cache_dir=cache_dir)
        except EntryNotFoundError:
            return None
        return f"hf-hub:{hub}" if _is_card(Path(config), cfg.get("hf_hub_filename")) else None
    return None


def _is_card(config: Path, weights: str | None) -> bool:
    """True if this config.json is one of the zoo, and of these weights if they are named."""
    try:
        tag = json_in(config)[_TAG]
        return weights in (None, tag["file"])
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _check(name: str, tag: Any, cfg: Mapping[str, Any], cache_dir: str | Path | None) -> None:
    """Refuse what the zoo's loader would not do with its own weights.

    Raises:
        ConfigurationError: the configuration contradicts the card, or asks for another cache.
    """
    if cache_dir is not None:
        raise ConfigurationError(
            f"cache_dir={str(cache_dir)!r} is not used for {tag.name}, whose files are checked in the Hub's own cache. "
            "Leave it out, and set HF_HOME to move that cache."
        )
    channels = tag.pixels.input_size[0]
    said = {"architecture": name, "num_classes": tag.num_classes, "input_size": (channels,), "label_offset": 0, **cfg}
    truth = {"architecture": tag.model, "num_classes": tag.num_classes, "input_size": (channels,), "label_offset": 0}
    said["input_size"] = said["input_size"][:1]
    wrong = [f"{key}={said[key]!r} where it is {value!r}" for key, value in truth.items() if said[key] != value]
    if wrong:
        raise ConfigurationError(
            f"The configuration says of {tag.name}: {', '.join(wrong)}. It describes the weights; what the model shall "
            "be instead is said by arguments, such as num_classes=... or in_chans=..."
        )


def _load(
    source: dict[str, Any], in_chans: int, cache_dir: str | Path | None, headless: bool, model: nn.Module
) -> None:
    """Load weights from elsewhere by timm's loader; a feature extractor needs no classifier."""
    load_pretrained(
        model,
        pretrained_cfg=source,
        num_classes=0 if headless else model.num_classes,  # type: ignore[arg-type]
        in_chans=in_chans,
        filter_fn=fit_positions,
        cache_dir=cache_dir,  # type: ignore[arg-type]
    )
