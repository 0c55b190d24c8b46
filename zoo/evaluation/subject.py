"""What is evaluated: a name, a folder, a file, a module or any predictor, brought to one form."""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.data.preprocess import Preprocess
from zoo.errors import ConfigurationError, ShapeError, WeightsNotFoundError
from zoo.evaluation.task import Predictor

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

PRECISIONS = ("float32", "bfloat16", "float16")


@dataclass(frozen=True)
class Subject:
    """A predictor and what is known about it.

    Args:
        predict: the model.
        preprocess: what its inputs are made with.
        name: what to call it in messages and results.
        labels: class names, or empty if unknown.
        tag: name of its published weights.
        sha256: of its weights or file.
        runtime: what runs it.
    """

    predict: Predictor
    preprocess: Preprocess
    name: str
    labels: tuple[str, ...] = ()
    tag: str | None = None
    sha256: str | None = None
    runtime: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Setting:
    """How a model is to be run.

    Args:
        device: where a created model goes. A given module must be there already: it is not moved.
        precision: one of `PRECISIONS`.
        img_size: evaluate at this size instead of the model's own.
        preprocess: overrides the model's own.
    """

    device: "torch.device"
    precision: str = "float32"
    img_size: int | None = None
    preprocess: Preprocess | None = None


class ModulePredictor:
    """A `nn.Module` on one device in one precision, as a predictor.

    Args:
        module: the model, already on `device`.
        device: where it is.
        precision: "float32", or the type `torch.autocast` computes in.
    """

    def __init__(self, module: "nn.Module", device: "torch.device", precision: str) -> None:
        self.module, self.device, self.precision = module, device, precision

    def __call__(self, batch: "Tensor") -> "Tensor":
        """Scores of one batch, without gradients."""
        import torch

        if self.precision == "float32":
            arithmetic = _no_tf32(self.device)
        else:
            arithmetic = torch.autocast(self.device.type, getattr(torch, self.precision))
        with torch.inference_mode(), arithmetic:
            outputs: Tensor = self.module(batch.to(self.device))
        return outputs


@contextmanager
def open_subject(model: "str | Path | nn.Module | Predictor", setting: Setting) -> Iterator[Subject]:
    """Prepare a model for evaluation and, on leaving, put a given module's training flags back.

    Args:
        model: a name or folder for `zoo.create_model`, a file that an entry point of the group `zoo.predictors` reads
            (by suffix), a module, or a predictor.
        setting: how to run it.

    Raises:
        ConfigurationError: device, precision or preprocessing do not fit the model.
        ShapeError: the model does not take inputs of that size or number of channels.
        WeightsNotFoundError: no such file.
    """
    from torch import nn

    if setting.precision not in PRECISIONS:
        raise ConfigurationError(f"Unknown precision {setting.precision!r}; choose one of {', '.join(PRECISIONS)}.")
    reader = _reader(model)
    if isinstance(model, nn.Module) or (reader is None and isinstance(model, str | Path)):
        module = model if isinstance(model, nn.Module) else _created(model, setting)
        name = type(model).__name__ if isinstance(model, nn.Module) else str(model)
        with _eval_mode(module):
            yield _from_module(module, name, setting)
        return
    if setting.precision != "float32":
        raise ConfigurationError(
            f"Asked for precision {setting.precision}, but {model} computes in the one it was saved with. "
            "Leave --precision out."
        )
    yield _from_predictor(model, setting) if reader is None else _from_file(Path(str(model)), reader, setting)


def _created(model: Any, setting: Setting) -> "nn.Module":
    """A model by name; one with positions for a single image size is built for the size asked for."""
    from zoo.pretrained.create import create_model

    size, created = setting.img_size, create_model(model, pretrained=True)
    cfg: Any = created.pretrained_cfg
    if size is not None and cfg.get("fixed_input_size") and tuple(cfg["input_size"][1:]) != (size, size):
        created = create_model(model, pretrained=True, img_size=size)
    return created.to(setting.device)


def _from_module(module: "nn.Module", name: str, setting: Setting) -> Subject:
    device = setting.device
    here = next((p.device for p in module.parameters()), device)
    if here.type != device.type or (None not in (here.index, device.index) and here.index != device.index):
        raise ConfigurationError(f"Asked to evaluate on {device}; {name} is on {here}. Move it: model.to('{device}').")
    tag = getattr(module, "pretrained_tag", None)
    cfg = getattr(module, "pretrained_cfg", None) or {}
    cfg = cfg if isinstance(cfg, Mapping) else asdict(cfg)
    used = setting.preprocess or Preprocess.of(module)
    if setting.img_size is not None:
        used = _resized(used, cfg, setting.img_size, name)
    _check_channels(module, used, name)
    return Subject(
        predict=ModulePredictor(module, device, setting.precision),
        preprocess=used,
        name=name,
        labels=tuple(getattr(tag, "labels", None) or cfg.get("label_names") or ()),
        tag=getattr(tag, "name", None),
        sha256=getattr(tag, "sha256", None),
        runtime={"kind": "torch"},
    )


def _resized(own: Preprocess, cfg: Mapping[str, Any], size: int, name: str) -> Preprocess:
    """The model's preprocessing at another size; its published test size comes with its own crop share."""
    if size == own.input_size[1] == own.input_size[2]:
        return own
    if cfg.get("fixed_input_size"):
        raise ShapeError(f"Asked for {size} px; {name} takes {own.input_size[1:]} only. Leave --img-size out.")
    at_test_size = tuple(cfg.get("test_input_size") or ())[1:] == (size, size)
    return own.for_size(size, cfg.get("test_crop_pct") if at_test_size else None)


def _check_channels(module: "nn.Module", used: Preprocess, name: str) -> None:
    from torch import nn

    takes = next((m.in_channels for m in module.modules() if isinstance(m, nn.Conv2d)), used.input_size[0])
    if takes != used.input_size[0]:
        raise ShapeError(
            f"{name} takes {takes} channels, its preprocessing gives {used.input_size[0]}. Pass a Preprocess with "
            f"input_size ({takes}, height, width), or build the model with in_chans={used.input_size[0]}."
        )


def _reader(model: Any) -> Any:
    """The entry point that reads this file, or None."""
    if not isinstance(model, str | Path):
        return None
    readers = {entry.name: entry for entry in entry_points(group="zoo.predictors")}
    suffix = Path(model).suffix.removeprefix(".").lower()
    if suffix == "onnx" and suffix not in readers:
        raise ConfigurationError(
            f"Nothing that reads {model} is installed (entry points zoo.predictors: {', '.join(readers) or 'none'}). "
            "Install the project: pip install salu-zoo, or pip install -e . in a checkout."
        )
    return readers.get(suffix)


def _from_file(path: Path, reader: Any, setting: Setting) -> Subject:
    if not path.is_file():
        raise WeightsNotFoundError(f"Asked to evaluate {path}: there is no such file. Write it with `zoo export`.")
    provider = "CUDAExecutionProvider" if setting.device.type == "cuda" else "CPUExecutionProvider"
    subject = _from_predictor(reader.load()(path, providers=[provider]), setting)
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return replace(subject, name=str(path), sha256=digest, runtime=subject.runtime | {"kind": reader.name})


def _from_predictor(predictor: Any, setting: Setting) -> Subject:
    name = type(predictor).__name__
    used = setting.preprocess or getattr(predictor, "preprocess", None)
    if used is None:
        raise ConfigurationError(f"{name} has no attribute `preprocess`. Pass evaluate(..., preprocess=...) for it.")
    if setting.img_size is not None:
        used = used.for_size(setting.img_size)
    described: dict[str, Any] = getattr(predictor, "describe", dict)()
    labels = tuple(getattr(predictor, "labels", None) or ())
    return Subject(predictor, used, name, labels, runtime={"kind": name} | described)


@contextmanager
def _eval_mode(module: "nn.Module") -> Iterator[None]:
    flags = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for part, training in flags:
            part.training = training


def _no_tf32(device: "torch.device") -> Any:
    """float32 means float32: cuDNN's convolutions use TF32 unless told not to, and differ by 1e-3."""
    import torch

    return torch.backends.cudnn.flags(enabled=True, allow_tf32=False) if device.type == "cuda" else nullcontext()
