"""`export`: a model in, a proven file out."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import nn

from export.cost import Cost, elementwise_cost
from export.inputs.input_spec import ModelInput
from export.inputs.shared import Shared
from export.inputs.source import read_source
from export.parity.parity_check import Samples
from export.parity.parity_report import ParityReport, report_path
from export.pipeline.export_plan import ExportPlan, Step, make_plan
from export.pipeline.job import Job
from export.quantize.quantization_report import AccuracyReport, accuracy_path
from export.quantize.request import Int8Request
from export.quantize.work import Int8Work
from export.targets import get_precision, get_target
from zoo.data.preprocess import Preprocess
from zoo.devices import torch_defaults
from zoo.errors import OutputError
from zoo.files import check_writable


@dataclass(frozen=True, kw_only=True)
class ExportResult:
    """Result of an export.

    Args:
        path: the ONNX file.
        parity_path: the saved report.
        parity: the report.
        model: public name of the model.
        target: name of the target.
        precision: what it computes in.
        size_bytes: of the ONNX file.
        nodes: number of nodes by operator.
        elementwise: how many of them work on each element, and the bytes those move at batch size 1.
        opset: version of the standard operator set.
        ir_version: version of the file format.
        file_sha256: digest of the ONNX file.
        accuracy: for int8, what it costs; saved beside the file as well.
    """

    path: Path
    parity_path: Path
    parity: ParityReport
    model: str
    target: str
    precision: str
    size_bytes: int
    nodes: dict[str, int]
    elementwise: Cost
    opset: int
    ir_version: int
    file_sha256: str
    accuracy: AccuracyReport | None = None

    def to_dict(self) -> dict[str, Any]:
        """Everything, ready for JSON."""
        plain = {k: str(v) if isinstance(v, Path) else v for k, v in vars(self).items()}
        plain |= {"parity": self.parity.to_dict(), "elementwise": self.elementwise.to_dict()}
        return plain | {"accuracy": None if self.accuracy is None else self.accuracy.to_dict()}


@torch_defaults("cpu")
def export(
    model: str | Path | nn.Module,
    path: str | Path | None = None,
    *,
    target: str = "portable",
    precision: str | None = None,
    opset: int | None = None,
    input_spec: ModelInput | None = None,
    labels: Sequence[str] = (),
    preprocess: Preprocess | None = None,
    samples: Samples | None = None,
    calibration: Samples | None = None,
    evaluation: Samples | None = None,
    budget: float | None = None,
    pretrained: bool = True,
    img_size: int | None = None,
    threads: int | None = None,
    on_plan: Callable[[ExportPlan], None] = lambda _: None,
    on_step: Callable[[Step], None] = lambda _: None,
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> ExportResult:
    """Export a model to an ONNX file that is proven to compute what PyTorch computes, or write nothing.

    The module given is left as it was; a copy is traced in evaluation mode, in float32, on the CPU.

    Args:
        model: a name, folder or file for `zoo.create_model`, or any module.
        path: the file, ending in .onnx; None means `MODEL.TAG.TARGET.onnx` here, see
            `ExportTarget.file_name`. The report goes to `<path>.parity.json`; reports about an older file are removed.
        target: one of `list_targets()`.
        precision: what the file computes in, one of the target's `precisions`; None means its first.
        opset: version of the standard operator set, one of `export.export_target.OPSETS`; None means the target's own.
        input_spec: the input of a module that does not describe it itself: `InputSpec` or `TextInputSpec`.
        labels: class names in the order of the logits, in place of the model's own.
        preprocess: how an image becomes the input, in place of the model's own; it says the input's size as well.
        samples: images for the parity check: a preprocessed tensor, a folder of images, or a sequence of PIL images
            or (image, label); for a text model a sequence of texts or pairs, a text file, or a dictionary of its
            inputs. None uses CIFAR-10 test images or English sentences of this package, and made-up ones for a model
            with other than one or three channels, or without a tokenizer.
        calibration: for int8, real images to take the ranges of activations from, in the forms of `samples`.
        evaluation: for int8, (image, class number) pairs or a pair of tensors to measure Top-1 on; images alone
            measure agreement with float32, and None does that on calibration images.
        budget: for int8, points of accuracy the file may lose; there is no file without it.
        pretrained: for a name, load its published weights.
        img_size: another height and width than the model's own.
        threads: of the parity check's session.
        on_plan: called once with the plan, before anything runs.
        on_step: called with each step as it starts.
        on_progress: called after each parity probe with how many are done and how many there are.

    Returns:
        The file, its report and its size.

    Raises:
        TargetError: no such target, or it does not compute in that precision.
        LoweringError: PyTorch cannot export the model, or the graph is not portable.
        ParityError: file and model disagree, or padding changes what a text model says.
        OutputError: the file cannot be written, or its name does not end in .onnx; checked before the work starts.
        ShapeError: the model does not run on the stated input.
        ConfigurationError: samples or arguments are for another kind of model, int8 has no budget, or no file in that
            precision is written in that opset.
        CalibrationError: calibration images are missing or have the wrong shape.
        BudgetError: in int8 the model loses more accuracy than the budget.
        WeightsMismatchError: a weight is NaN or infinite.
        ZooError: the model cannot be created.
    """
    chosen = get_target(target)
    computes_in = get_precision(chosen, precision)
    chosen = chosen if opset is None else chosen.at_opset(opset, computes_in)
    given = None if path is None else _check_output(Path(path))
    source = read_source(
        model, input_spec=input_spec, labels=labels, preprocess=preprocess, pretrained=pretrained, img_size=img_size
    )
    if computes_in != "float32":  # such a graph is proven more than once
        source = replace(source, shared=Shared())
    request = Int8Request(calibration=calibration, evaluation=evaluation, budget=budget)
    request.check(computes_in, source.input)
    file = given or _check_output(Path(chosen.file_name(source.full_name, computes_in)))
    job = Job(
        source=source,
        target=chosen,
        precision=computes_in,
        path=file,
        samples=samples,
        threads=threads,
        on_progress=on_progress,
        int8=Int8Work(request=request),
    )
    plan = make_plan(job)
    on_plan(plan)
    for step in plan.steps:
        on_step(step)
        step.run(job)
    return _result(job)


def _result(job: Job) -> ExportResult:
    model, report = job.need_graph(), job.need_parity()
    nodes = Counter(node.op_type for node in model.graph)
    return ExportResult(
        path=job.path,
        parity_path=report_path(job.path),
        parity=report,
        model=job.source.full_name,
        target=job.target.name,
        precision=job.precision,
        size_bytes=len(job.file),
        nodes=dict(nodes.most_common()),
        elementwise=elementwise_cost(model.graph),
        opset=model.opset_imports[""],
        ir_version=model.ir_version,
        file_sha256=report.file_sha256,
        accuracy=job.int8.accuracy,
    )


def _check_output(file: Path) -> Path:
    """The absolute path, if it and its report's can be written: fail before minutes of work, not after them."""
    for path in (file, report_path(file), accuracy_path(file)):
        check_writable(path)
    if file.suffix.lower() != ".onnx":
        raise OutputError(
            f"Cannot write {file.absolute()}: the name of an ONNX file ends in .onnx; `zoo evaluate` knows it by that. "
            f"Use {file.name}.onnx."
        )
    return file.absolute()
