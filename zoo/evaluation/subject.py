"""What is evaluated: a name, a folder, a file, a module or any predictor, brought to one form."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo._files import sha256_of
from zoo.data.preprocess import Preprocess, config_of, labels_of, resized
from zoo.errors import ConfigurationError, WeightsNotFoundError
from zoo.evaluation.task import Predictor
from zoo.models import MODELS, check_input

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from zoo.pretrained import PretrainedTag

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
        threads: for a runtime with threads of its own; None leaves the number to it.
    """

    device: "torch.device"
    precision: str = "float32"
    img_size: int | None = None
    preprocess: Preprocess | None = None
    threads: int | None = None


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
    if isinstance(model, nn.Module):
        with _eval_mode(model):
            yield _from_module(model, type(model).__name__, setting)
        return
    if reader is None and isinstance(model, str | Path):
        module, tag = _created(model, setting)
        subject = _from_module(module.eval(), str(model), setting)
        # The model carries no tag where its positions were resampled, but these are the weights it was made from.
        yield replace(subject, tag=tag.name, sha256=tag.sha256)
        return
    if setting.precision != "float32":
        raise ConfigurationError(
            f"Asked for precision {setting.precision}, but {model} computes in the one it was saved with. "
            "Leave --precision out."
        )
    yield _from_predictor(model, setting) if reader is None else _from_file(Path(str(model)), reader, setting)


def default_device(model: Any) -> str | None:
    """Where a model runs if nobody says: a module where it is, a file on CUDA or the CPU; None: wherever is best."""
    import torch

    if isinstance(model, torch.nn.Module):
        return next((str(parameter.device) for parameter in model.parameters()), None)
    return "cpu" if _reader(model) is not None and not torch.cuda.is_available() else None


def _created(model: str | Path, setting: Setting) -> "tuple[nn.Module, PretrainedTag]":
    """A model by name with its tag; one with positions for a single image size is built for the size asked for."""
    from zoo.pretrained.create import create_model, find_tag

    tag, size = find_tag(model), setting.img_size
    fixed = MODELS.get(tag.model).pretrained_cfg()["fixed_input_size"]
    other = size is not None and tag.preprocess.input_size[1:] != (size, size)
    created = create_model(model, pretrained=True, img_size=size if fixed and other else None)
    return created.to(setting.device), tag


def _from_module(module: "nn.Module", name: str, setting: Setting) -> Subject:
    device = setting.device
    here = next((p.device for p in module.parameters()), device)
    if here.type != device.type or (None not in (here.index, device.index) and here.index != device.index):
        raise ConfigurationError(f"Asked to evaluate on {device}; {name} is on {here}. Move it: model.to('{device}').")
    used = setting.preprocess or Preprocess.of(module)
    if setting.img_size is not None:
        used = resized(config_of(module), used, setting.img_size, name)
    check_input(module, (1, *used.input_size))
    tag = getattr(module, "pretrained_tag", None)
    return Subject(
        predict=ModulePredictor(module, device, setting.precision),
        preprocess=used,
        name=name,
        labels=labels_of(module),
        tag=getattr(tag, "name", None),
        sha256=getattr(tag, "sha256", None),
        runtime={"kind": "torch"},
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
            "Install the project: pip install -e . in its checkout."
        )
    return readers.get(suffix)


def _from_file(path: Path, reader: Any, setting: Setting) -> Subject:
    if not path.is_file():
        raise WeightsNotFoundError(f"Asked to evaluate {path}: there is no such file. Write it with `zoo export`.")
    predictor = reader.load()(path, providers=[_provider(path, setting.device)], threads=setting.threads)
    subject = _from_predictor(predictor, setting)
    described = subject.runtime
    return replace(
        subject,
        name=str(path),
        tag=described.get("tag"),
        sha256=described.get("file_sha256") or sha256_of(path),
        runtime=described | {"kind": reader.name},
    )


def _provider(path: Path, device: "torch.device") -> str | tuple[str, dict[str, int]]:
    """ONNX Runtime's name for a device, with the number of the GPU."""
    if device.type == "cuda":
        return "CUDAExecutionProvider", {"device_id": device.index}
    if device.type != "cpu":
        raise ConfigurationError(f"Asked to evaluate {path} on {device}; a file runs on cpu or cuda.")
    return "CPUExecutionProvider"


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
