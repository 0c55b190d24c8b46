"""The steps of an export in 8-bit integers, between the graph in float32 and the file."""

import hashlib
from collections.abc import Sequence

import torch

from export.errors import LoweringError, ParityError
from export.inputs.image import InputSpec
from export.parity.compare_outputs import compare
from export.parity.parity_check import LIMIT as PARITY_LIMIT
from export.parity.parity_check import check_parity
from export.parity.probes import load_samples
from export.parity.shipped import default_images
from export.parity.tolerances import SMALLEST_SCALE
from export.passes.fold_batch_norm import FoldBatchNorm
from export.pipeline import steps
from export.pipeline.job import Job
from export.quantize.accuracy import Reference, Search
from export.quantize.calibration_data import CalibrationImages, calibration_images, evaluation_images
from export.quantize.exactness import check_exactness
from export.quantize.insert import insert
from export.quantize.measured import Measured
from export.quantize.proof import EXACT
from export.quantize.quantization_report import AccuracyReport, Attempt
from export.quantize.quantized_sites import find_sites
from export.quantize.ranges import calibrate as take_ranges
from export.quantize.running import logits_of, open_plain
from export.quantize.sensitivity import rank as rank_sites
from export.quantize.work import Quantisable
from export.runtime.session import open_session

LIMIT = 256
"""Calibration images used: one half for ranges, the other to choose on. With a SaluNet-C-18 on CIFAR-10 that has
9,041 of 10,000 right in float32, ranges of 64 and of 512 images were measured at 9,042 and 9,044."""

_RANKED_PIXELS = 2**17


def ranked_on(job: Job) -> int:
    """Choose the number of images each site alone is run on: 32 small ones, at least 4 of any size."""
    spec = _spec(job)
    return min(32, max(4, _RANKED_PIXELS // (spec.height * spec.width)))


def open_images(job: Job) -> None:
    """Load the calibration images and look at those for evaluation, before minutes of work.

    Raises:
        CalibrationError: calibration images are missing, of the wrong shape, or no images.
        DataNotFoundError: there are no evaluation images.
        ShapeError: those have the wrong shape.
        ConfigurationError: those are of another data set.
    """
    work, spec = job.int8, _spec(job)
    tensor, work.described = calibration_images(work.request.calibration, spec, LIMIT)
    # Ranges are chosen on others than they are taken from, if there are any.
    work.images, work.held_out = (tensor[::2], tensor[1::2]) if len(tensor) > 1 else (tensor, tensor)
    samples = work.request.evaluation
    work.evaluation = evaluation_images(work.held_out if samples is None else samples, spec)


def fold_batch_norm(job: Job) -> None:
    """Fold BatchNorm into the weights; see `FoldBatchNorm`."""
    FoldBatchNorm()(job.need_graph())


def calibrate(job: Job) -> None:
    """Take the ranges of all activations; see `export.quantize.ranges`.

    Raises:
        CalibrationError: an activation is NaN or infinite.
        LoweringError: nothing in the graph can be quantised.
    """
    graph, work = job.need_graph(), job.int8
    sites = find_sites(graph.graph)
    if not sites:
        raise LoweringError(
            f"{job.source.full_name} has no convolution or product with weights of its own, so nothing in it can be "
            "quantised. Use --target edge_cpu."
        )
    found = take_ranges(graph, sites, work.images, work.held_out, _spec(job).transform, job.threads)
    work.given = Quantisable(graph, sites, found)


def rank(job: Job) -> None:
    """Measure how much each site alone changes the logits; see `export.quantize.sensitivity`."""
    given = job.int8.need_given()
    images = job.int8.held_out[: ranked_on(job)]
    job.int8.sensitivity = rank_sites(
        given.graph, given.sites, given.calibration.ranges, images, job.threads, job.on_progress
    )


def quantise(job: Job) -> None:
    """Find a file within the accuracy budget; see `export.quantize.accuracy`.

    Raises:
        BudgetError: there is none.
        ParityError: ONNX Runtime computes something else than the file says.
    """
    given, request = job.int8.need_given(), job.int8.request
    images = job.int8.need_evaluation()
    reference = Reference.of(given.graph, images, job.threads, job.on_progress)

    def make(left: Sequence[str]) -> bytes:
        kept = [site for site in given.sites if site.name not in left]
        job.graph = insert(given.graph, kept, given.calibration.ranges)
        steps.stamp(job)
        steps.check(job)
        return job.file

    budget = float(request.budget or 0.0)
    search = Search(make, images, reference, budget, job.int8.sensitivity, job.threads, job.on_progress)
    file, attempts = search.run()
    job.int8.measured = _measure(job, file)
    steps.stamp(job)
    steps.check(job)
    report = _report(job, job.file, images, reference, budget, attempts)
    if report.exactness.problems:
        shown = "\n".join(f"  {line}" for line in report.exactness.problems[:6])
        raise ParityError(f"ONNX Runtime's integers are not what the file says; nothing was written.\n{shown}")
    job.int8.accuracy = report


def _measure(job: Job, file: bytes) -> Measured:
    """Measure the distance of the file from PyTorch on this package's images, and from the float32 graph on others."""
    own = check_parity(job.source, file, job.target, precision="int8", threads=job.threads, on_progress=job.on_progress)
    steps.refuse(job, own)
    images = [job.int8.held_out]
    if job.samples is not None:
        images.append(load_samples(job.samples, _spec(job).transform, PARITY_LIMIT)[0])
    session = open_session(file, threads=job.threads, spin=False)
    sides = open_plain(job.int8.need_given().graph, job.threads), session
    pairs = ([torch.from_numpy(logits_of(side, part)) for side in sides] for part in images)
    others = [compare(exact, found, None, SMALLEST_SCALE) for exact, found in pairs]
    shipped = default_images(_spec(job).transform)[0]
    defined = logits_of(open_plain(file, job.threads, optimize=False), shipped)
    return Measured.of(own, others, logits_of(session, shipped), defined)


def _report(
    job: Job, file: bytes, images: CalibrationImages, reference: Reference, budget: float, attempts: tuple[Attempt, ...]
) -> AccuracyReport:
    given, work = job.int8.need_given(), job.int8
    return AccuracyReport(
        model=job.source.full_name,
        target=job.target.name,
        file_sha256=hashlib.sha256(file).hexdigest(),
        budget=budget,
        measure=reference.measure,
        images=images.described,
        n=images.count,
        float32_right=reference.float32_right,
        calibration=f"{work.described}: ranges of {len(work.images)}, chosen on {len(work.held_out)}",
        percentile=given.calibration.percentile,
        tried={f"{percentile:g}": ratio for percentile, ratio in given.calibration.tried.items()},
        sensitivity=job.int8.sensitivity,
        attempts=attempts,
        exactness=check_exactness(file, work.held_out[:EXACT], job.threads),
        float32=work.float32,
    )


def _spec(job: Job) -> InputSpec:
    assert isinstance(job.source.input, InputSpec)  # `Int8Request.check` has seen it
    return job.source.input


__all__ = ["calibrate", "fold_batch_norm", "open_images", "quantise", "rank", "ranked_on"]
