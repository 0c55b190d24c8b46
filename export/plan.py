"""From a target to the ordered steps of an export, known and printed before the first of them runs."""

from collections.abc import Callable
from dataclasses import dataclass, field

from export import steps
from export.job import Job
from export.parity.collect import describe_samples
from export.targets import ExportTarget


@dataclass(frozen=True)
class Step:
    """One step: a short name, what it does here, and the code."""

    name: str
    detail: str
    run: Callable[[Job], None] = field(repr=False)


@dataclass(frozen=True)
class Plan:
    """The steps of one export in order."""

    title: str
    steps: tuple[Step, ...]

    def render(self) -> str:
        """The plan as text: a title and one numbered line per step."""
        width = max(len(step.name) for step in self.steps)
        lines = (f"  {i}. {step.name:<{width}}  {step.detail}" for i, step in enumerate(self.steps, 1))
        return "\n".join((self.title, *lines))


def make_plan(job: Job) -> Plan:
    """Decide the steps for a job's target; nothing runs.

    Args:
        job: the model, target and output.

    Raises:
        ConfigurationError: the samples given are of another kind than the model's input.
    """
    target, source = job.target, job.source
    text, samples = "tokens" in source.input.axes, describe_samples(source.input, job.samples)
    sizes = "any batch size and number of tokens" if text else "any batch size"
    checks = f"ONNX Runtime against PyTorch: {samples} at batches 1, 3, 8; extremes"
    if text:
        checks += "; neither padding nor company changes a text"
    loads = f"IR version {target.ir_version} (ONNX Runtime {target.oldest_runtime} or newer)"
    kinds = "standard and our own" if target.own_operators else "standard"
    return Plan(
        f"{source.full_name} for target {target.name} in {job.precision}, to {job.path}",
        (
            Step("trace", f"torch.onnx.export at {source.input.summary()}, {sizes}, opset {target.opset}", steps.trace),
            *_rewrites(target),
            Step("name", "name nodes after their modules, drop the exporter's notes", steps.name_nodes),
            Step("stamp", "put labels, preprocessing, digests and versions into the file", steps.stamp),
            Step("check", f"{kinds} operators only, {loads}, onnx.checker", steps.check),
            Step("parity", checks, steps.parity),
            Step("write", "the file and its parity report, both or neither", steps.write),
        ),
    )


def _rewrites(target: ExportTarget) -> tuple[Step, ...]:
    """What becomes of SALU and its gates, each of which is traced as one node."""
    if target.own_operators:
        return (Step("fuse", "SALU, the shortcut's addition and SWALU into one operator of ours each", steps.fuse),)
    return (
        Step("simplify", "merge SALU after SALU, pair SALU and SWALU, fold heights into weights", steps.simplify),
        Step("write out", "SALU and its gates as standard operators that cannot overflow", steps.write_out),
    )
