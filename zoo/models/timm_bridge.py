"""Every model of the zoo in timm's registry: `timm.create_model("salunet_c18_cifar")` works after `import zoo.models`.

With `pretrained=True`, or a tag in the name, the call goes to the zoo's own loader, which checks revision and hash.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from timm.models import PretrainedCfg, generate_default_cfgs, is_model, register_model
from torch import nn

from zoo.errors import ConfigurationError
from zoo.models.build import build_model
from zoo.models.spec import MODELS, ModelSpec

__all__ = ["register_all"]

# timm looks for this name in the module of an entry point.
default_cfgs: dict[str, Any] = {}


def register_all() -> list[str]:
    """Give every model of the zoo an entry point in timm's registry; those that have one are left alone.

    Returns:
        The names added.
    """
    added = [name for name in MODELS if not is_model(name)]
    default_cfgs.update(generate_default_cfgs({name: MODELS.get(name).pretrained_cfg() for name in added}))
    for name in added:
        globals()[name] = register_model(_entry_point(MODELS.get(name)))
    return added


def _entry_point(spec: ModelSpec) -> Callable[..., nn.Module]:
    """The function timm calls for `timm.create_model(spec.name, ...)`."""

    def create(
        pretrained: bool = False,
        pretrained_cfg: str | Mapping[str, Any] | PretrainedCfg | None = None,
        pretrained_cfg_overlay: Mapping[str, Any] | None = None,
        cache_dir: str | None = None,
        **kwargs: Any,
    ) -> nn.Module:
        if cache_dir is not None:
            raise ConfigurationError(f"{spec.name}: cache_dir is not used here. Set HF_HOME to move the Hub's cache.")
        overlay = dict(pretrained_cfg_overlay or {})
        if pretrained or isinstance(pretrained_cfg, str):
            from zoo.pretrained.create import create_model

            model: nn.Module = create_model(_source(spec.name, pretrained_cfg), pretrained=pretrained, **kwargs)
            model.pretrained_cfg.update(overlay)  # type: ignore[operator, union-attr]
            return model
        return build_model(spec.name, pretrained_cfg={**_as_dict(pretrained_cfg), **overlay}, **kwargs)

    create.__name__ = create.__qualname__ = spec.name
    create.__doc__ = f"{spec.description}; see `zoo.models.build_model` for the arguments."
    return create


def _source(name: str, cfg: str | Mapping[str, Any] | PretrainedCfg | None) -> str:
    """What the zoo's loader is asked for, when timm was asked for pretrained weights of `name`."""
    if cfg is None or isinstance(cfg, str):
        return f"{name}.{cfg}" if cfg else name
    values = _as_dict(cfg)
    if values.get("hf_hub_id"):
        return f"hf-hub:{values['hf_hub_id']}"
    if values.get("file"):
        return str(values["file"])
    raise ConfigurationError(
        f"{name}: pretrained_cfg names no Hub repository and no file to load from. "
        f"Pass a tag ({name}.TAG), hf_hub_id=... or file=..., or leave out pretrained=True."
    )


def _as_dict(cfg: str | Mapping[str, Any] | PretrainedCfg | None) -> dict[str, Any]:
    if cfg is None or isinstance(cfg, str):
        return {}
    if dataclasses.is_dataclass(cfg):
        return cfg.to_dict()  # type: ignore[no-any-return, union-attr]
    return {key: value for key, value in cfg.items() if value is not None}
