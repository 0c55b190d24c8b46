"""Subject of an evaluation: a name, a folder, a file, a module or any predictor, brought to one form."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from zoo.data.labels import labels_of
from zoo.errors import ConfigurationError
from zoo.evaluation.protocols import Predictor
from zoo.evaluation.runtime import PRECISIONS, ModulePredictor, eval_mode, open_file, reader_of
from zoo.files import sha256_of

if TYPE_CHECKING:
    import torch
    from torch import nn


Input = TypeVar("Input")


@dataclass(frozen=True)
class EvaluatedModel(Generic[Input]):
    """A predictor and what is known about it.

    Args:
        predict: the model.
        preprocess: what its inputs are made with.
        name: what to call it in messages and results.
        labels: class names, or empty if unknown.
        tag: name of its published weights.
        sha256: of its weights or file.
        changed_since: name of the weights it was loaded from, if it no longer holds them.
        runtime: what runs it.
    """

    predict: Predictor
    preprocess: Input
    name: str
    labels: tuple[str, ...] = ()
    tag: str | None = None
    sha256: str | None = None
    changed_since: str = ""
    runtime: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class EvaluationSetting(Generic[Input]):
    """Settings for running a model.

    Args:
        device: where a created model goes. A given module must be there already: it is not moved.
        precision: one of `PRECISIONS`.
        img_size: evaluate images at this size instead of the model's own.
        preprocess: overrides the model's own.
        threads: for a runtime with threads of its own; None leaves the number to it.
        labels: class names of a model or file that has none.
    """

    device: "torch.device"
    precision: str = "float32"
    img_size: int | None = None
    preprocess: Input | None = None
    threads: int | None = None
    labels: tuple[str, ...] = ()

    def labels_for(self, own: Iterable[str], name: str) -> tuple[str, ...]:
        """The model's own labels, or those given.

        Raises:
            ConfigurationError: it has some, and others were given.
        """
        there = tuple(own)
        if there and self.labels and there != self.labels:
            raise ConfigurationError(f"{name} has its own {len(there)} labels, which are others. Leave --labels out.")
        return there or self.labels


class ModelKind(Protocol[Input]):
    """Kind of a model by its input, images or texts, and what follows from it."""

    def of_module(self, module: "nn.Module", name: str, setting: EvaluationSetting[Input]) -> Input:
        """The preprocessing a module is to be run with."""
        ...

    def of_predictor(self, predictor: Any, name: str, setting: EvaluationSetting[Input]) -> Input:
        """The preprocessing a predictor is to be run with."""
        ...


@contextmanager
def open_subject(
    model: "str | Path | nn.Module | Predictor", setting: EvaluationSetting[Input], kind: ModelKind[Input]
) -> Iterator[EvaluatedModel[Input]]:
    """Prepare a model for evaluation and, on leaving, put a given module's training flags back.

    Args:
        model: any name of a model (see `zoo.names`), a file that an entry point of the group `zoo.predictors` reads
            (by suffix), a module, or a predictor.
        setting: how to run it.
        kind: `zoo.evaluation.image_evaluation.IMAGES` or `zoo.evaluation.text_evaluation.TEXTS`.

    Raises:
        ConfigurationError: device, precision or preprocessing do not fit the model; it takes the other kind of input.
        ShapeError: the model does not take inputs of that size or number of channels.
        WeightsNotFoundError: no such file.
    """
    from torch import nn

    if setting.precision not in PRECISIONS:
        raise ConfigurationError(f"Unknown precision {setting.precision!r}; choose one of {', '.join(PRECISIONS)}.")
    reader = reader_of(model)
    if isinstance(model, nn.Module):
        with eval_mode(model):
            yield _identified(_from_module(model, type(model).__name__, setting, kind), model)
        return
    if reader is None and isinstance(model, str | Path):
        from zoo.names import open_model

        named = open_model(model, img_size=setting.img_size)
        module = named.model.float() if setting.precision == "float32" else named.model
        subject = _from_module(module.to(setting.device).eval(), str(model), setting, kind)
        # These are the weights it was made from, also where its positions were resampled.
        yield replace(subject, tag=named.tag.name if named.tag else None, sha256=named.sha256)
        return
    if setting.precision != "float32":
        raise ConfigurationError(
            f"Asked for precision {setting.precision}, but {model} computes in the one it was saved with. "
            "Leave --precision out."
        )
    if reader is None:
        yield _from_predictor(model, setting, kind)
    else:
        yield _from_file(Path(str(model)), reader, setting, kind)


def default_device(model: Any) -> str | None:
    """Return the default device: a module's own, for a file CUDA or the CPU; None: wherever is best."""
    import torch

    if isinstance(model, torch.nn.Module):
        return next((str(parameter.device) for parameter in model.parameters()), None)
    return "cpu" if reader_of(model) is not None and not torch.cuda.is_available() else None


def _from_module(
    module: "nn.Module", name: str, setting: EvaluationSetting[Input], kind: ModelKind[Input]
) -> EvaluatedModel[Input]:
    device = setting.device
    here = next((p.device for p in module.parameters()), device)
    if here.type != device.type or (None not in (here.index, device.index) and here.index != device.index):
        raise ConfigurationError(f"Asked to evaluate on {device}; {name} is on {here}. Move it: model.to('{device}').")
    return EvaluatedModel(
        predict=ModulePredictor(module, device, setting.precision),
        preprocess=kind.of_module(module, name, setting),
        name=name,
        labels=setting.labels_for(labels_of(module), name),
        runtime={"kind": "torch"},
    )


def _identified(subject: EvaluatedModel[Input], module: "nn.Module") -> EvaluatedModel[Input]:
    from zoo.weights.identity import identity_of

    found = identity_of(module)
    tag = found.tag
    return replace(
        subject,
        tag=tag.name if tag else None,
        sha256=tag.sha256 if tag else None,
        changed_since=found.changed_since,
    )


def _from_file(
    path: Path, reader: Any, setting: EvaluationSetting[Input], kind: ModelKind[Input]
) -> EvaluatedModel[Input]:
    said = {"preprocess": setting.preprocess, "labels": setting.labels}
    given = {key: value for key, value in said.items() if value}
    subject = _from_predictor(
        open_file(path, reader, setting.device, setting.threads, **given), setting, kind, str(path)
    )
    described = subject.runtime
    return replace(
        subject,
        name=str(path),
        tag=described.get("tag"),
        sha256=described.get("file_sha256") or sha256_of(path),
        changed_since=described.get("changed_since") or "",
        runtime=described | {"kind": reader.name},
    )


def _from_predictor(
    predictor: Any, setting: EvaluationSetting[Input], kind: ModelKind[Input], file: str | None = None
) -> EvaluatedModel[Input]:
    name = type(predictor).__name__
    used = kind.of_predictor(predictor, file or name, setting)
    described: dict[str, Any] = getattr(predictor, "describe", dict)()
    labels = setting.labels_for(getattr(predictor, "labels", None) or (), file or name)
    return EvaluatedModel(predictor, used, name, labels, runtime={"kind": name} | described)
