"""From a target to the ordered steps of an export, known and printed before the first of them runs."""

from collections.abc import Callable
from dataclasses import dataclass, field

from export.parity.collect import describe_samples
from export.pipeline import int8_steps, steps, steps_16bit
from export.pipeline.job import Job
from export.runtime.engine import engine_here
from export.value_types import stored_in


@dataclass(frozen=True)
class Step:
    """One step: a short name, what it does here, and the code."""

    name: str
    detail: str
    run: Callable[[Job], None] = field(repr=False)


@dataclass(frozen=True)
class ExportPlan:
    """The steps of one export in order."""

    title: str
    steps: tuple[Step, ...]

    def render(self) -> str:
        """The plan as text: a title and one numbered line per step."""
        width = max(len(step.name) for step in self.steps)
        lines = (f"  {i}. {step.name:<{width}}  {step.detail}" for i, step in enumerate(self.steps, 1))
        return "\n".join((self.title, *lines))


def make_plan(job: Job) -> ExportPlan:
    """Decide the steps for a job's target; nothing runs.

    Args:
        job: the model, target and output.

    Raises:
        ConfigurationError: the samples given are of another kind than the model's input.
    """
    target, source = job.target, job.source
    text, samples = "tokens" in source.input.axes, describe_samples(source.input, job.samples)
    sizes = "any batch size and number of tokens" if text else "any batch size"
    engine = engine_here(target, job.precision)
    checks = f"{engine.name} against PyTorch: {samples} at batches 1, 3, 8; extremes"
    if text:
        checks += "; neither padding nor company changes a text"
    if engine.not_run:
        checks += f"; {engine.not_run}"
    loads = f"IR version {target.ir_version} (ONNX Runtime {target.oldest_runtime} or newer)"
    kinds = "standard and our own" if target.own_operators else "standard"
    int8 = job.precision == "int8"
    reports = "its parity and accuracy reports, all or none" if int8 else "its parity report, both or neither"
    return ExportPlan(
        f"{source.full_name} for target {target.name} in {job.precision}, to {job.path}",
        (
            *_images(job),
            Step("trace", f"torch.onnx.export at {source.input.summary()}, {sizes}, opset {target.opset}", steps.trace),
            *_rewrites(job),
            Step("name", "name nodes after their modules, drop the exporter's notes", steps.name_nodes),
            *_conversion(job),
            Step("stamp", "put labels, preprocessing, digests and versions into the file", steps.stamp),
            Step("check", f"{kinds} operators only, {loads}, onnx.checker", steps.check),
            Step("parity", checks, steps.parity),
            Step("write", f"the file and {reports}", steps.write),
        ),
    )


def _rewrites(job: Job) -> tuple[Step, ...]:
    """Choose the rewrites of SALU and its gates, each of which is traced as one node."""
    if job.precision == "float16":
        half = "SALU and its gates as standard operators that stay within float16"
        more = "merge SALU after SALU, pair SALU and SWALU, fold heights and widths into weights"
        return Step("simplify", more, steps_16bit.simplify), Step("write out", half, steps_16bit.write_out)
    if job.target.own_operators:
        fold = Step("fold", "BatchNorm into the weights of the layer before it", int8_steps.fold_batch_norm)
        fuse = Step("fuse", "SALU, the shortcut's addition and SWALU into one operator of ours each", steps.fuse)
        return (fold, fuse) if job.precision == "int8" else (fuse,)
    return (
        Step("simplify", "merge SALU after SALU, pair SALU and SWALU, fold heights into weights", steps.simplify),
        Step("write out", "SALU and its gates as standard operators that cannot overflow", steps.write_out),
    )


_PROVE = "the graph in float32 against PyTorch, by the tolerances of float32"


def _conversion(job: Job) -> tuple[Step, ...]:
    """Choose the further steps for 16-bit and 8-bit weights and activations; OpenVINO rounds a float32 file itself."""
    precision = job.precision
    if precision == "int8":
        return _quantisation(job)
    if stored_in(job.target, precision) != precision:
        return (Step("prove", _PROVE, steps.prove_float32),)
    if precision not in steps_16bit.PRECISIONS:
        return ()
    probe = Step("range", "list the nodes that come near 65,504 on the samples", steps_16bit.probe_range)
    cast = f"weights and activations in {precision}; inputs, logits, sums and statistics stay float32"
    convert = Step("convert", cast, steps_16bit.convert)
    return (probe, convert) if precision == "float16" else (convert,)


def _images(job: Job) -> tuple[Step, ...]:
    """Return the step that 8-bit integers need first."""
    if job.precision != "int8":
        return ()
    return (Step("images", f"open up to {int8_steps.LIMIT} calibration images", int8_steps.open_images),)


def _quantisation(job: Job) -> tuple[Step, ...]:
    """From a proven float32 graph to integers within the accuracy budget."""
    evaluated = "images given" if job.int8.request.evaluation is not None else "calibration images (agreement only)"
    ranges = (
        f"ranges of activations from up to {int8_steps.LIMIT // 2} calibration images; of extremes and percentiles "
        "those that keep the logits of as many others closest to float32"
    )
    alone = f"every layer alone in integers: noise of the logits on {int8_steps.ranked_on(job)} images"
    return (
        Step("prove", _PROVE, steps.prove_float32),
        Step("calibrate", ranges, int8_steps.calibrate),
        Step("rank", alone, int8_steps.rank),
        Step(
            "quantise",
            f"uint8 activations, int8 weights per channel; accuracy on the {evaluated}, at most "
            f"{job.int8.request.budget} points lost, else the worst layers stay in float32",
            int8_steps.quantise,
        ),
    )
