"""Source of an export: a model of the zoo by name, or anybody's module plus a description of its input."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import nn

from export.errors import ExportError
from export.inputs import InputSpec, input_of
from export.inputs.input_spec import ModelInput
from export.inputs.shared import Shared
from export.inputs.text_input import is_text
from zoo.data.labels import labels_of
from zoo.data.preprocess import Preprocess, config_of
from zoo.errors import ConfigurationError, WeightsMismatchError
from zoo.weights.identity import identity_of, weights_digest


@dataclass(frozen=True)
class Source:
    """A model ready to be traced: a float32 copy in evaluation mode on the CPU, with where it comes from.

    `model` takes the tensors of a `Feeds` by position and returns logits. `shared` keeps what several exports of the
    source have in common; None computes it each time. `changed_since` names the weights the model was loaded from, if
    it no longer is what they make; then it has no tag.
    """

    model: nn.Module
    input: ModelInput
    name: str
    tag: str
    license: str
    source_sha256: str
    weights_sha256: str
    changed_since: str = ""
    shared: Shared | None = field(default=None, repr=False, compare=False)

    @property
    def full_name(self) -> str:
        """The public name, such as `salunet_c18_cifar.cifar10`."""
        return f"{self.name}.{self.tag}" if self.tag else self.name


def read_source(
    model: str | Path | nn.Module,
    *,
    input_spec: ModelInput | None = None,
    labels: Sequence[str] = (),
    preprocess: Preprocess | None = None,
    pretrained: bool = True,
    img_size: int | None = None,
) -> Source:
    """Load or copy a model and check its weights; the caller's module is left as it was.

    Args:
        model: any name of a model (see `zoo.names`), or any module.
        input_spec: its input; None asks the model itself.
        labels: class names in place of the input's.
        preprocess: preprocessing of images in place of the input's.
        pretrained: for a name, load its published weights.
        img_size: another height and width than the model's own.

    Raises:
        ConfigurationError: the input is unknown, an image size or `preprocess` is given for texts, or the size is said
            twice: `img_size` beside `input_spec` or `preprocess`.
        ShapeError: a module takes images of its own size only.
        WeightsMismatchError: a weight is NaN or infinite.
        ExportError: the module cannot be copied.
        ZooError: as `zoo.names.open_model`.
    """
    from zoo.names import open_model

    if img_size is not None and (input_spec is not None or preprocess is not None):
        raise ConfigurationError(
            "img_size is given beside input_spec or preprocess, which say the size themselves. Leave it out."
        )
    created = (
        _uncompiled(model)
        if isinstance(model, nn.Module)
        else open_model(model, pretrained=pretrained, img_size=img_size).model
    )
    spec = _input_of(created, input_spec, img_size, tuple(labels), preprocess)
    copied = _prepare(created)
    identity = identity_of(copied)
    tag, text = identity.tag, getattr(created, "text_spec", None)
    name = config_of(created).get("architecture") or getattr(text, "name", None) or type(created).__name__
    return Source(
        model=spec.wrap(copied).eval(),
        input=spec,
        name=name,
        tag=tag.tag if tag else "",
        license=identity.origin.license if identity.origin else "",
        source_sha256=tag.sha256 if tag else "",
        weights_sha256=weights_digest(copied),
        changed_since=identity.changed_since,
    )


def _input_of(
    model: nn.Module,
    given: ModelInput | None,
    img_size: int | None,
    labels: tuple[str, ...],
    preprocess: Preprocess | None,
) -> ModelInput:
    """The input given, or the model's own, with the labels and the preprocessing given."""
    if preprocess is None:
        spec = given or input_of(model, img_size)
    elif is_text(model) or not isinstance(given, InputSpec | None):
        raise ConfigurationError(f"preprocess is of images; {type(model).__name__} takes texts. Leave it out.")
    elif given is not None:
        spec = replace(given, preprocess=preprocess)
    else:
        spec = InputSpec(*preprocess.input_size, preprocess=preprocess, labels=labels_of(model))
    return replace(spec, labels=labels) if labels else spec  # type: ignore[type-var]


def _uncompiled(model: nn.Module) -> nn.Module:
    """Return the module that `torch.compile` was given, if `model` is its result."""
    original: nn.Module = getattr(model, "_orig_mod", model)
    return original


def _prepare(model: nn.Module) -> nn.Module:
    _check_finite(model)
    try:
        copied = copy.deepcopy(model)
    except (RuntimeError, TypeError) as error:
        raise ExportError(
            f"{type(model).__name__} cannot be copied, and export never changes the module it is given: {error}. "
            "Remove tensors with a gradient history, locks and open files from its attributes."
        ) from error
    _keep_activations(copied)
    return copied.eval().float().cpu().requires_grad_(False)


def _keep_activations(model: nn.Module) -> None:
    """Switch gradient checkpointing off, as timm and transformers have it: a tracer would follow it."""
    for module in model.modules():
        for switch in ("grad_checkpointing", "gradient_checkpointing"):
            if isinstance(getattr(module, switch, None), bool):
                setattr(module, switch, False)


def _check_finite(model: nn.Module) -> None:
    """Refuse NaN anywhere and infinity in parameters; a buffer, such as an attention mask, may be infinite."""
    parameters = {name for name, _ in model.named_parameters(remove_duplicate=False)}
    bad = [
        f"{name} ({int((~value.isfinite()).sum())} of {value.numel()} values)"
        for name, value in model.state_dict().items()
        if isinstance(value, torch.Tensor)
        and value.is_floating_point()
        and bool(value.isnan().any() if name not in parameters else (~value.isfinite()).any())
    ]
    if bad:
        more = f" and {len(bad) - 5} more" if len(bad) > 5 else ""
        raise WeightsMismatchError(
            f"{type(model).__name__} has NaN or infinite weights: {', '.join(bad[:5])}{more}. "
            "The training diverged or the file is damaged; use an earlier checkpoint."
        )
