"""The steps a plan is made of; each takes the job and leaves its result there."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import onnx_ir as ir
import torch

from export.digest import seal
from export.errors import ExportError, ParityError
from export.lower.to_onnx import lower
from export.metadata import FileMetadata
from export.native.operator_identity import operators_record
from export.operators.nodes import DOMAIN
from export.parity.parity_check import check_parity
from export.parity.parity_report import ParityReport, report_path
from export.passes.check_graph import CheckGraph
from export.passes.flatten_chains import FlattenChains
from export.passes.fold_output_scale import FoldOutputScale
from export.passes.fold_pair_scale import FoldPairScale
from export.passes.fuse_add import FuseAdd
from export.passes.fuse_pair import FusePair
from export.passes.merge_salu import MergeSalu
from export.passes.name_nodes import NameMeans, NameNodes
from export.passes.stamp_metadata import StampMetadata
from export.passes.write_out import WriteOut
from export.passes.write_out_fles import WriteOutFles
from export.pipeline.job import Job
from export.quantize.proof import prove_integers
from export.quantize.quantization_report import accuracy_path
from export.runtime.engine import engine_here
from export.versions import version_of
from zoo.files import write_together


def trace(job: Job) -> None:
    """Turn the model into a graph; see `export.lower.to_onnx.lower` and `NameMeans`."""
    source, target = job.source, job.target
    if source.shared is None:
        job.graph = lower(source, target)
    else:
        job.graph = source.shared.graph(target.opset, target.ir_version, lambda: lower(source, target))
    NameMeans()(job.graph)


def simplify(job: Job) -> None:
    """Rewrite SALU and its gates by their exact identities; see the passes."""
    ir.passes.Sequential(MergeSalu(), FusePair(), FoldOutputScale(), FoldPairScale())(job.need_graph())


def fuse(job: Job) -> None:
    """Leave as few operators of ours as there can be; see `MergeSalu`, `FuseAdd` and `FusePair`."""
    ir.passes.Sequential(MergeSalu(), FuseAdd(), FusePair())(job.need_graph())


def write_out(job: Job) -> None:
    """Leave standard operators only; see `WriteOut`, `FlattenChains` and `WriteOutFles`."""
    # Nothing but ONNX Runtime on a CPU has a layout that a flat view keeps it from.
    flat = [FlattenChains()] if job.target.place == "CPU" and not job.target.elsewhere else []
    ir.passes.Sequential(WriteOut(), *flat, WriteOutFles())(job.need_graph())


def name_nodes(job: Job) -> None:
    """Give nodes readable names; see `NameNodes`."""
    NameNodes()(job.need_graph())


def stamp(job: Job) -> None:
    """Write the file's record of itself; see `StampMetadata`."""
    source, target = job.source, job.target
    record = FileMetadata(
        model=source.name,
        tag=source.tag,
        labels=source.input.labels,
        preprocess=source.input.record(),
        limits=source.input.limits(),
        weights_sha256=source.weights_sha256,
        source_sha256=source.source_sha256,
        license=source.license,
        changed_since=source.changed_since,
        target=target.name,
        precision=job.precision,
        not_run=engine_here(target, job.precision).not_run,
        opset=job.need_graph().opset_imports[""],
        zoo_version=version_of("salu-zoo"),
        torch_version=torch.__version__,
        operators=operators_record() if target.own_operators else {},
        measured=job.int8.measured.to_dict() if job.int8.measured is not None else {},
    )
    StampMetadata(record)(job.need_graph())


def check(job: Job) -> None:
    """Check the graph, then seal and serialise it; see `CheckGraph` and `export.digest.seal`.

    Raises:
        LoweringError: the graph is not portable.
    """
    graph = job.need_graph()
    CheckGraph(tuple(job.source.input.axes), [DOMAIN] if job.target.own_operators else [], job.target.place)(graph)
    proto = ir.to_proto(graph)
    # onnx_ir lists stored weights in value_info too; tools that replace weights trip over what it says of the old ones.
    stored = {weight.name for weight in proto.graph.initializer}
    described = [value for value in proto.graph.value_info if value.name not in stored]
    del proto.graph.value_info[:]
    proto.graph.value_info.extend(described)
    seal(proto)
    job.file = proto.SerializeToString()


def parity(job: Job) -> None:
    """Run the bytes that will be written against PyTorch.

    Raises:
        ParityError: they disagree; the message lists the failed probes and the first node that differs.
    """
    measured = job.int8.measured
    if measured is None:
        report = against_torch(job, job.precision)
    else:
        given: dict[str, Any] = {"samples": job.samples, "threads": job.threads, "on_progress": job.on_progress}
        report = prove_integers(job.source, job.file, job.target, measured, **given)
    report = replace(report, near_limit=job.near_limit)
    job.parity = report
    refuse(job, report)


def against_torch(job: Job, precision: str, arranged: bool = True) -> ParityReport:
    """Run the job's file on its samples; the arguments are those of `check_parity`."""
    return check_parity(
        job.source,
        job.file,
        job.target,
        precision=precision,
        samples=job.samples,
        threads=job.threads,
        arranged=arranged,
        on_progress=job.on_progress,
    )


def prove_float32(job: Job) -> None:
    """Hold the graph against PyTorch by the tolerances of float32, before it is quantised or computed more coarsely.

    Raises:
        LoweringError: the graph is not portable.
        ParityError: they disagree.
    """
    check(job)
    report = against_torch(job, "float32", arranged=False)
    refuse(job, report)
    job.int8.float32 = report.summary()


def refuse(job: Job, report: ParityReport) -> None:
    """Raise unless a parity check has passed.

    Raises:
        ParityError: it has not.
    """
    if not report.passed:
        failed = report.failures()
        shown = failed if len(failed) <= 6 else [*failed[:5], f"... and {len(failed) - 5} more"]
        raise ParityError(
            f"The exported {job.source.full_name} does not compute what PyTorch computes; nothing was written.\n"
            + "\n".join(f"  {line}" for line in shown)
            + (f"\nFirst difference: {report.first_difference}." if report.first_difference else "")
        )


def write(job: Job) -> None:
    """Put the reports and the file in place, all or none; the file never appears before its reports.

    A report about what stood there before, such as the accuracy of a file in integers, is removed.

    Raises:
        OutputError: the folder is missing, read-only or full.
    """
    report = job.need_parity()
    texts = {report_path(job.path): report.to_json()}
    if job.int8.accuracy is not None:
        if job.int8.accuracy.file_sha256 != report.file_sha256:
            raise ExportError("The file whose accuracy was measured is not the one that was checked; nothing written.")
        texts[accuracy_path(job.path)] = job.int8.accuracy.to_json()
    files: dict[str | Path, Callable[[Path], object]] = {
        path: partial(Path.write_text, data=text, encoding="utf-8") for path, text in texts.items()
    }
    stale = {report_path(job.path), accuracy_path(job.path)} - files.keys()
    write_together(files | {job.path: lambda file: file.write_bytes(job.file)}, remove=stale)
