"""From a name and arguments to a module, without weights."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from timm.models import build_model_with_cfg
from torch import nn

from zoo.errors import ConfigurationError, UnknownNameError, suggestion
from zoo.models.inputs import as_size, check_geometry
from zoo.models.model_spec import MODELS, ModelSpec
from zoo.models.parts import NORMS, Parts, Start, make_parts
from zoo.models.text_models import TEXT_MODELS, TextSpec, build_text_model

# Read by timm where it wraps a model for features_only.
_FEATURE_OPTIONS = frozenset({"out_indices", "feature_cls", "feature_cfg"})


def build_model(
    name: str,
    *,
    num_classes: int | None = None,
    in_chans: int = 3,
    img_size: int | tuple[int, int] | None = None,
    norm: str | None = None,
    act: str | None = None,
    salu_init: Start | None = None,
    gate_init: Start | None = None,
    act_args: Mapping[str, Any] | None = None,
    features_only: bool = False,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
    prepare: Callable[[nn.Module], object] | None = None,
    pretrained_cfg: dict[str, Any] | None = None,
    **options: Any,
) -> nn.Module:
    """Build a model of the zoo with fresh weights.

    `build_model("salunet_c18_cifar", norm="batchnorm", act="relu")` is ResNet-18 with a CIFAR stem: the papers'
    baselines are the same backbones with other parts. `model.pretrained_cfg` and `model.default_cfg` describe the
    input as timm's do, for the model that was asked for.

    Args:
        name: one of `list_models()`.
        num_classes: outputs of the classifier; 0 leaves it out; None for the model's default.
        in_chans: channels of the image.
        img_size: side, or (height, width). Convolutional nets take any size and only record it; transformers lay
            out their positions for it.
        norm: what stands at normalisation sites, one of `NORMS`; None for the model's default.
        act: the gate, one of `zoo.activations.list_gates()`; None for the model's default.
        salu_init: start (a, b) of every SALU but those of a quasi-linear shortcut; None for (1.5, 0.25).
        gate_init: start (a, b) of every SWALU or GALU; None for (0.5, 0.5).
        act_args: further arguments of every gate, such as `{"start": "identity"}` of FleS; see its constructor.
        features_only: return timm's feature extractor, a list of maps; `out_indices` chooses them.
        device: where parameters are created.
        dtype: their floating-point type.
        prepare: called with the classifier before `features_only` takes it apart: the place to load weights.
        pretrained_cfg: entries that replace those of the model's own `pretrained_cfg`.
        **options: the model's further arguments, such as `drop_rate`, `drop_path_rate`, `global_pool`.

    Raises:
        UnknownNameError: no such model, norm or act; the nearest names are offered.
        ConfigurationError: arguments that are unknown, out of range or contradict each other.
        ShapeError: no image of this size or number of channels fits the model.
    """
    spec = find_spec(name)
    if isinstance(spec, TextSpec):
        images_only = {"in_chans": None if in_chans == 3 else in_chans, "img_size": img_size, "norm": norm,
                       "act_args": act_args, "salu_init": salu_init, "gate_init": gate_init, "prepare": prepare,
                       "features_only": features_only or None, "pretrained_cfg": pretrained_cfg}  # fmt: skip
        return _build_text(name, device, dtype, {"num_classes": num_classes, "act": act, **images_only, **options})
    size = None if img_size is None else as_size(img_size)
    asked = {"norm": norm, "act": act, "img_size": size, "salu_init": salu_init, "gate_init": gate_init,
             "act_args": act_args, **options}  # fmt: skip
    _check_arguments(spec, num_classes, norm, options, features_only)
    check_geometry(spec, in_chans, size, padded=bool(options.get("dynamic_img_pad")))
    parts = make_parts(
        spec.norm if norm is None else norm,
        spec.act if act is None else act,
        channel_axis=spec.channel_axis,
        salu_init=salu_init,
        gate_init=gate_init,
        act_args=act_args,
        placement={key: value for key, value in (("device", device), ("dtype", dtype)) if value is not None},
    )
    fixed = bool(spec.patch_size) and not options.get("dynamic_img_size") and options.get("strict_img_size", True)
    cfg = spec.pretrained_cfg(in_chans=in_chans, img_size=size, num_classes=num_classes, fixed_input_size=fixed)
    options |= {"img_size": cfg["input_size"][1:]} if spec.patch_size else {}

    return build_model_with_cfg(  # type: ignore[no-any-return]
        _assembler(spec, parts, prepare, asked),
        name,
        pretrained=False,
        pretrained_cfg={**cfg, **(pretrained_cfg or {})},
        feature_cfg={**spec.feature_cfg, **options.pop("feature_cfg", {})},
        features_only=features_only,
        in_chans=in_chans,
        num_classes=cfg["num_classes"],
        **options,
    )


def _assembler(
    spec: ModelSpec, parts: Parts, prepare: Callable[[nn.Module], object] | None, asked: Mapping[str, Any]
) -> Callable[..., nn.Module]:
    """Build the function that timm calls as the model's class."""

    def assemble(**kwargs: Any) -> nn.Module:
        model: Any = spec.build(spec, parts, kwargs)
        parts.fill_gates(model)
        # Where timm looks for what to save beside the weights, so that the same network is built again.
        model._model_args = {key: value for key, value in asked.items() if value is not None}
        if prepare is not None:
            prepare(model)
        return model  # type: ignore[no-any-return]

    return assemble


def find_spec(name: str, hint: str = "") -> ModelSpec | TextSpec:
    """The row of a model, for images or for texts.

    Raises:
        UnknownNameError: neither registry has the name; the nearest ones of both are offered.
    """
    if name in TEXT_MODELS:
        return TEXT_MODELS.get(name)
    if name not in MODELS:
        raise UnknownNameError("model", name, [*MODELS, *TEXT_MODELS], hint)
    return MODELS.get(name)


def list_models() -> list[str]:
    """Names of all models, for images and then for texts, each in order."""
    return [*MODELS.names(), *TEXT_MODELS.names()]


def _build_text(
    name: str, device: torch.device | str | None, dtype: torch.dtype | None, options: dict[str, Any]
) -> nn.Module:
    """A text model; what only an image model takes is among `options` and refused there by its name."""
    with torch.device(device or "cpu"):
        model = build_text_model(name, **{key: value for key, value in options.items() if value is not None})
    return model if dtype is None else model.to(dtype)


def _check_arguments(
    spec: ModelSpec, num_classes: int | None, norm: str | None, options: dict[str, Any], features_only: bool
) -> None:
    if num_classes is not None and (not isinstance(num_classes, int) or num_classes < 0):
        raise ConfigurationError(f"{spec.name}: num_classes={num_classes!r} must be an integer of 0 or more.")
    if norm in NORMS and norm not in spec.norms:
        raise ConfigurationError(f"{spec.name}: norm={norm!r} does not fit tokens; use one of {', '.join(spec.norms)}.")
    known = spec.options | (_FEATURE_OPTIONS if features_only else frozenset())
    unknown = sorted(set(options) - known)
    if unknown:
        hint = suggestion(unknown[0], known)
        if unknown[0] in ("norm_layer", "act_layer"):
            hint = f"A class does not say how wide it is here: choose by name, {unknown[0].removesuffix('_layer')}=..."
        raise ConfigurationError(f"{spec.name} has no argument {unknown[0]!r}. {hint}")
