"""The only call of `torch.onnx.export`."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import onnx_ir as ir
import torch
from onnxscript import opset18 as op
from torch import Tensor

from export.errors import LoweringError
from export.export_target import ExportTarget
from export.inputs.input_spec import Feeds
from export.inputs.source import Source
from export.lower.lean_attention import traceable
from export.lower.older_opset import ToOpset17
from export.lower.trace_activations import one_node_each
from zoo.errors import ConfigurationError, ShapeError

OUTPUT = "logits"
# The exporter specialises a dynamic size that it sees as 0 or 1, so it has to see another one.
TRACE_BATCH = 2
# PyTorch writes 18 and newer, and leaves some operators where it is asked for an older one.
_OLDEST_TRACED = 18
# Protobuf holds no message of 2 GiB or more; the margin is for the graph around the weights.
LARGEST_FILE_BYTES = 2**31 - 2**24


def lower(source: Source, target: ExportTarget) -> ir.Model:
    """Trace a model into an ONNX graph with a dynamic batch size, for texts also with a dynamic number of tokens.

    Args:
        source: the model and its input.
        target: gives opset and IR version.

    Returns:
        A graph with the inputs of `source.input`, such as `image` (batch, channels, height, width), and one output
        `logits` (batch, classes). Every SALU, SWALU and GALU in it is one node; see `export.operators.nodes`.

    Raises:
        ShapeError: the model does not run on an input of the stated size.
        LoweringError: its output is not one tensor (batch, classes), PyTorch cannot export it, or the weights exceed
            what one ONNX file can hold.
        ConfigurationError: there are more or fewer labels than logits.
    """
    for trial in source.input.trials(TRACE_BATCH):
        _check_model(source, trial)
    example = source.input.example(TRACE_BATCH)
    with _quiet(), one_node_each(source.model), traceable(source.model) as model_to_trace:
        try:
            program = torch.onnx.export(  # noqa: TID251 the one place
                model_to_trace,
                tuple(example.values()),
                dynamo=True,
                input_names=list(example),
                output_names=[OUTPUT],
                opset_version=max(target.opset, _OLDEST_TRACED),
                dynamic_shapes=_free_axes(source, len(example)),
                custom_translation_table={torch.ops.aten.softplus.default: _softplus},
                optimize=True,
                verbose=False,
            )
        except (RuntimeError, ValueError, TypeError, torch.onnx.errors.OnnxExporterError) as error:
            raise LoweringError(_explain(source, error)) from error
    if program is None:
        raise LoweringError(f"torch.onnx.export returned nothing for {source.full_name}; PyTorch {torch.__version__}.")
    model: ir.Model = program.model
    model.ir_version = target.ir_version
    if target.opset < _OLDEST_TRACED:
        ToOpset17()(model)
    _check_graph(model, source, target)
    return model


def _softplus(x: Any, beta: float = 1.0, threshold: float = 20.0) -> Any:
    """log(1 + exp(β·x)) / β as ONNX has it, without PyTorch's threshold: that costs a comparison and changes no bit."""
    return op.Softplus(x) if beta == 1 else op.Div(op.Softplus(op.Mul(x, beta)), beta)


def _free_axes(source: Source, inputs: int) -> tuple[dict[int, Any], ...]:
    """The axes that any size may take, for each input: the leading ones, by their names."""
    sizes = source.input.axes.items()
    dims = {i: torch.export.Dim(name, **({} if top is None else {"max": top})) for i, (name, top) in enumerate(sizes)}
    return (dims,) * inputs


def _check_model(source: Source, example: Feeds) -> None:
    """Run the model once, so that a wrong size or output is reported in its own terms and not by the tracer."""
    shape = tuple(next(iter(example.values())).shape)
    try:
        with torch.inference_mode():
            output = source.model(*example.values())
    except (RuntimeError, AssertionError, ValueError, TypeError, IndexError) as error:
        raise ShapeError(
            f"{source.full_name} does not run on an input of shape {shape} {source.input.layout}: "
            f"{_first_line(error)}. Give the size it was made for."
        ) from error
    if not isinstance(output, Tensor) or output.ndim != 2 or output.shape[0] != shape[0]:
        found = f"shape {tuple(output.shape)}" if isinstance(output, Tensor) else type(output).__name__
        raise LoweringError(
            f"Export needs a classifier that returns one tensor (batch, classes); {source.full_name} returns {found} "
            f"for a batch of {shape[0]}. Wrap it in a module that does, and leave features_only off."
        )
    labels, classes = source.input.labels, output.shape[1]
    if labels and len(labels) != classes:
        raise ConfigurationError(
            f"{source.full_name} has {classes} logits but {len(labels)} labels; give one for each."
        )


def _check_graph(model: ir.Model, source: Source, target: ExportTarget) -> None:
    if model.opset_imports.get("") != target.opset:
        raise LoweringError(
            f"Target {target.name} needs opset {target.opset}, PyTorch {torch.__version__} wrote "
            f"{dict(model.opset_imports)}: an operator of the model has no form in that opset."
        )
    size = sum(value.const_value.nbytes for value in model.graph.initializers.values() if value.const_value is not None)
    if size > LARGEST_FILE_BYTES:
        raise LoweringError(
            f"{source.full_name} has {size / 2**30:.2f} GiB of weights; one self-contained ONNX file holds at most "
            f"{LARGEST_FILE_BYTES / 2**30:.2f} GiB. Export a smaller model."
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter's chatter off the user's terminal; its errors are raised, not logged."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "torch.export", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            # Inputs that share an axis make it say so for each of them.
            warnings.filterwarnings("ignore", message="# The axis name", category=UserWarning)
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _explain(source: Source, error: Exception) -> str:
    """The innermost cause, which names the operator or line; the exporter wraps it in a screen of advice."""
    cause: BaseException = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    return (
        f"PyTorch {torch.__version__} cannot turn {source.full_name} into ONNX: {_first_line(cause)}. "
        "Rewrite that part of its forward as plain tensor code, without branches on tensor values."
    )


def _first_line(error: Any) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__).rstrip(".")[:300]
