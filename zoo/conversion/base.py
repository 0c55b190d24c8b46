"""The model a conversion starts from, by name, and the record that builds its like again."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import timm
from torch import nn

from zoo.errors import ConfigurationError, UnknownNameError, WeightsCorruptError, WeightsNotFoundError, ZooError
from zoo.hub.fetch import HUB_PREFIX
from zoo.models.build import list_models
from zoo.weights.create import create_model
from zoo.weights.identity import identity_of
from zoo.weights.load import load_weights, read_weights

Base = dict[str, Any]
"""{"kind": "zoo" or "timm", "name", "arguments"}, or {"kind": "transformers", "class", "config"}."""


def open_base(name: str, weights: str | Path | None = None) -> tuple[nn.Module, Base]:
    """The model to convert, with its weights, and how to build it without them.

    Args:
        name: what `zoo.create_model` takes, a model of timm (with its tag, if wanted), or a folder with a transformers
            model.
        weights: a safetensors file for a model of timm; None takes timm's own, from the Hub or its cache.

    Raises:
        UnknownNameError: nothing is called so.
        WeightsNotFoundError: its weights are not there, or not reachable.
        WeightsCorruptError: they cannot be read.
        WeightsMismatchError: they do not fit.
        ConfigurationError: `weights` for a model that has its own.
    """
    folder = Path(name).expanduser()
    text_model = _transformers_config(folder)
    if text_model is None and _is_ours(name):
        if weights is not None:
            raise ConfigurationError(f"--weights {weights}: {name} brings its own; leave --weights out.")
        return _open_zoo(name)
    if text_model is not None:
        if weights is not None:
            raise ConfigurationError(f"--weights {weights}: the folder {name} holds its own; leave --weights out.")
        return _open_transformers(folder, text_model)
    if not timm.is_model(name.split(".")[0]):
        raise UnknownNameError(
            "model", name, [*list_models(), *timm.list_models()], "A folder needs a path, such as ./NAME."
        )
    return _open_timm(name, weights), {"kind": "timm", "name": name, "arguments": {}}


def build_base(base: Mapping[str, Any]) -> nn.Module:
    """The model that `open_base` recorded, with fresh weights; nothing is fetched.

    Raises:
        ZooError: the record is damaged, or names something this version does not have.
    """
    kind = base.get("kind")
    if kind == "zoo":
        return create_model(base["name"], pretrained=False, **base["arguments"])
    if kind == "timm":
        return timm.create_model(base["name"], pretrained=False, **base["arguments"])  # type: ignore[no-any-return]
    if kind == "transformers":
        cls = _transformers_class(base["class"])
        return cls(cls.config_class.from_dict(base["config"]))  # type: ignore[no-any-return]
    raise ConfigurationError(f"The record of the base model names kind {kind!r}; known are zoo, timm and transformers.")


def _is_ours(name: str) -> bool:
    path = "/" in name or name.startswith((".", "~")) or name.endswith(".safetensors")
    return path or name.startswith(HUB_PREFIX) or name.split(".")[0] in list_models()


def _open_zoo(name: str) -> tuple[nn.Module, Base]:
    model = create_model(name)
    tag: Any = identity_of(model).tag
    if tag is None:
        return model, {"kind": "zoo", "name": name, "arguments": {}}
    arguments = {"num_classes": tag.num_classes, "in_chans": tag.preprocess.input_size[0], **tag.model_args}
    return model, {"kind": "zoo", "name": tag.model, "arguments": arguments}


def _open_timm(name: str, weights: str | Path | None) -> nn.Module:
    if weights is not None:
        model: nn.Module = timm.create_model(name, pretrained=False)
        load_weights(model, read_weights(weights), str(weights))
        return model
    try:
        return timm.create_model(name, pretrained=True)  # type: ignore[no-any-return]
    except ZooError:
        raise
    except (OSError, RuntimeError, ValueError) as error:  # the Hub's own errors are OSErrors
        raise WeightsNotFoundError(
            f"timm's weights of {name} cannot be had: {' '.join(str(error).split())[:300]}. Give a file with --weights."
        ) from error


def _transformers_config(folder: Path) -> dict[str, Any] | None:
    """The config.json of a transformers model in `folder`; None where there is none."""
    try:
        config = json.loads((folder / "config.json").read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return config if isinstance(config, dict) and "model_type" in config else None


def _open_transformers(folder: Path, config: Mapping[str, Any]) -> tuple[nn.Module, Base]:
    from safetensors import SafetensorError

    names = config.get("architectures") or ["AutoModel"]
    cls = _transformers_class(names[0])
    try:
        model = cls.from_pretrained(folder, local_files_only=True, use_safetensors=True)
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise WeightsCorruptError(
            f"{folder} does not load as {names[0]}: {' '.join(str(error).split())[:300]}. It must hold config.json and "
            "model.safetensors as transformers saves them."
        ) from error
    written = json.loads(model.config.to_json_string(use_diff=False))
    written.pop("_name_or_path", None)  # a place on this machine
    return model, {"kind": "transformers", "class": type(model).__name__, "config": written}


def _transformers_class(name: str) -> Any:
    import transformers

    import zoo.models.bert

    found = getattr(transformers, name, None) or getattr(zoo.models.bert, name, None)
    if found is None:
        raise ConfigurationError(
            f"transformers {transformers.__version__} has no {name}; its own code would be needed."
        )
    return found
