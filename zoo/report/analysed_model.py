"""Analysed model: any model for images by its name, or an untrained network."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from zoo.data.preprocess import Preprocess, config_of
from zoo.errors import ConfigurationError, ShapeError
from zoo.models.build import build_model, find_spec
from zoo.models.model_spec import MODELS, ModelSpec

FRESH = "fresh"
_FRESH_KEYS = ("norm", "act", "seed", "classes")


@dataclass(frozen=True)
class AnalysedModel:
    """A network and where its weights come from.

    Args:
        name: what it was asked for by.
        model: the architecture.
        norm: what stands at its normalisation sites.
        act: its gate.
        num_classes: outputs of its classifier.
        arguments: further builder arguments.
        weights: where they come from, in words.
        sha256: of the weights file; None for fresh weights.
        dataset: what they were trained on; "" where unknown.
        parameters: how many.
        preprocess: what turns an image into its input.
    """

    name: str
    model: str
    norm: str
    act: str
    num_classes: int
    arguments: dict[str, Any]
    weights: str
    sha256: str | None
    dataset: str
    parameters: int
    preprocess: Preprocess

    @property
    def radius(self) -> float:
        """The largest |x| of any preprocessed image: of black or white in some channel."""
        pairs = zip(self.preprocess.mean, self.preprocess.std, strict=True)
        return max(max(mean, 1 - mean) / std for mean, std in pairs)

    def to_dict(self) -> dict[str, Any]:
        """All fields, ready for JSON."""
        return asdict(self) | {"preprocess": self.preprocess.to_dict()}


def open_subject(name: str, like: AnalysedModel | None = None) -> tuple[nn.Module, AnalysedModel]:
    """The network behind a name, in float32 on the CPU.

    Args:
        name: any name of a model for images (see `zoo.names`); or `fresh:MODEL` for one without training, with
            `norm=`, `act=`, `classes=` and `seed=` (0) behind commas.
        like: what plain `fresh` means: the same network, arguments and preprocessing.

    Raises:
        ConfigurationError: the model takes texts, or `fresh` does not say of what.
        ZooError: as `zoo.names.open_model` does.
    """
    if name == FRESH or name.startswith((f"{FRESH}:", f"{FRESH},")):
        return _open_fresh(name, like)
    from zoo.names import open_model

    named = open_model(name)
    module, tag = named.model.float(), named.tag
    if not config_of(module):
        raise ConfigurationError(
            f"{name} takes texts; `zoo analyze` looks into networks for images. What its FleS do to texts stands on "
            "its card, in the section on coefficients."
        )
    base, preprocess = named.base, Preprocess.of(module)
    model, norm, act, arguments = _parts(base)
    origin = f"card {tag.name}" if tag else f"{named.kind} {Path(name).name}"
    trained_on = tag.dataset if tag else named.dataset
    subject = AnalysedModel(
        name, model, norm, act, int(config_of(module)["num_classes"]), arguments,
        origin, named.sha256, trained_on, _count(module), preprocess,
    )  # fmt: skip
    return module, subject


def _parts(base: Mapping[str, Any]) -> tuple[str, str, str, dict[str, Any]]:
    """Architecture, what stands at its normalisation sites, its gate, and further arguments, by a model's record."""
    if base["kind"] == "converted":
        model, norm, act, arguments = _parts(base["base"])
        return model, norm, f"{act}, converted", arguments
    arguments = {key: value for key, value in base["arguments"].items() if key not in ("num_classes", "in_chans")}
    if base["kind"] != "zoo":
        return base["name"], "its own", "its own", arguments
    spec = _image_spec(base["name"])
    return base["name"], arguments.pop("norm", None) or spec.norm, arguments.pop("act", None) or spec.act, arguments


def _open_fresh(name: str, like: AnalysedModel | None) -> tuple[nn.Module, AnalysedModel]:
    chosen, *options = name.split(",")
    model = chosen.removeprefix(FRESH).removeprefix(":") or (like.model if like else "")
    if not model:
        raise ConfigurationError(f"{name!r} does not say which network. Write fresh:MODEL, such as fresh:salunet_c18.")
    wanted = dict(option.partition("=")[::2] for option in options)
    unknown = [key for key, value in wanted.items() if key not in _FRESH_KEYS or not value]
    if unknown:
        raise ConfigurationError(f"{name!r}: {unknown[0]!r} is none of {', '.join(f'{k}=...' for k in _FRESH_KEYS)}.")
    try:
        seed, classes = int(wanted.pop("seed", 0)), int(wanted.pop("classes", 0)) or None
    except ValueError:
        raise ConfigurationError(f"{name!r}: seed and classes are whole numbers.") from None
    spec, same = _image_spec(model), like if like is not None and like.model == model else None
    arguments = dict(same.arguments) if same else {}
    norm, act = (
        wanted.get("norm") or (same.norm if same else spec.norm),
        wanted.get("act") or (same.act if same else spec.act),
    )
    classes = classes or (like.num_classes if like else spec.num_classes)
    cfg = same.preprocess.to_dict() if same else {}
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        module = build_model(model, num_classes=classes, norm=norm, act=act, pretrained_cfg=cfg, **arguments)
    origin = f"fresh, seed {seed}"
    subject = AnalysedModel(
        name, model, norm, act, classes, arguments, origin, None, "", _count(module), Preprocess.of(module)
    )
    return module, subject


def _image_spec(model: str) -> ModelSpec:
    spec = find_spec(model)
    if not isinstance(spec, ModelSpec):
        raise ConfigurationError(f"{model} takes texts; `zoo analyze` looks into networks for images.")
    return MODELS.get(model)


def check_same_input(subject: AnalysedModel, baseline: AnalysedModel) -> None:
    """Refuse a baseline that does not see the images the subject sees.

    Raises:
        ShapeError: its input size differs.
    """
    ours, theirs = subject.preprocess.input_size, baseline.preprocess.input_size
    if ours != theirs:
        raise ShapeError(
            f"{subject.name} takes images of {ours}, the baseline {baseline.name} of {theirs}. "
            "Compare with a network of the same input size."
        )


def _count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())
