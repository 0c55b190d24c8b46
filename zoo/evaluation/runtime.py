"""Runtime of a model: a module on a device in a precision, or a file that a plug-in opens."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import ConfigurationError, WeightsNotFoundError

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

PRECISIONS = ("float32", "bfloat16", "float16")


class ModulePredictor:
    """A `nn.Module` on one device in one precision, as a predictor.

    Args:
        module: the model, already on `device`.
        device: where it is.
        precision: "float32", or the type `torch.autocast` computes in.
    """

    def __init__(self, module: "nn.Module", device: "torch.device", precision: str) -> None:
        self.module, self.device, self.precision = module, device, precision

    def __call__(self, batch: "Tensor | Mapping[str, Tensor]") -> "Tensor":
        """Scores of one batch, without gradients: a tensor, or keyword arguments for the module."""
        import torch

        if self.precision == "float32":
            arithmetic = _no_tf32(self.device)
        else:
            arithmetic = torch.autocast(self.device.type, getattr(torch, self.precision))
        with torch.inference_mode(), arithmetic:
            if isinstance(batch, Mapping):
                outputs = self.module(**{name: value.to(self.device) for name, value in batch.items()})
            else:
                outputs = self.module(batch.to(self.device))
        # transformers' models return an object with the scores in it.
        scores: Tensor = getattr(outputs, "logits", outputs)
        return scores


def reader_of(model: Any) -> Any:
    """The entry point that reads this file, or None.

    Raises:
        ConfigurationError: it is an ONNX file, and nothing that reads one is installed.
    """
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


def open_file(path: Path, reader: Any, device: "torch.device", threads: int | None, **described: Any) -> Any:
    """The predictor in a file.

    Args:
        path: the file.
        reader: the entry point that reads it.
        device: where it is to run.
        threads: see `EvaluationSetting`.
        **described: what the caller says of it, `preprocess` and `labels`.

    Raises:
        WeightsNotFoundError: no such file.
        ConfigurationError: a file does not run on such a device.
    """
    if not path.is_file():
        raise WeightsNotFoundError(f"Asked to evaluate {path}: there is no such file. Write it with `zoo export`.")
    return reader.load()(path, device=_device(path, device), threads=threads, **described)


@contextmanager
def eval_mode(module: "nn.Module") -> Iterator[None]:
    """Evaluation mode for the block; afterwards every part is in the mode it was in."""
    flags = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for part, training in flags:
            part.training = training


def _device(path: Path, device: "torch.device") -> str:
    """A device that a file can run on; which runtime runs it there is written in the file."""
    if device.type not in ("cpu", "cuda"):
        raise ConfigurationError(f"Asked to evaluate {path} on {device}; a file runs on cpu or cuda.")
    return str(device)


def _no_tf32(device: "torch.device") -> Any:
    """float32 means float32: cuDNN's convolutions use TF32 unless told not to, and differ by 1e-3."""
    import torch

    return torch.backends.cudnn.flags(enabled=True, allow_tf32=False) if device.type == "cuda" else nullcontext()
