"""The proof of a file in integers: against what its export measured, and against its own definition."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from export.export_target import ExportTarget
from export.inputs.image import InputSpec
from export.inputs.source import Source
from export.parity.parity_check import Samples, check_parity
from export.parity.parity_report import ParityReport
from export.parity.probes import EXTREME
from export.parity.shipped import default_images
from export.quantize.exactness import check_exactness
from export.quantize.measured import Measured, held_against
from export.quantize.running import logits_of
from export.runtime.session import open_session

EXACT = 8
"""Images that the integer operators are compared with their definition on."""


def prove_integers(
    source: Source,
    file: bytes,
    target: ExportTarget,
    measured: Measured,
    *,
    samples: Samples | None = None,
    threads: int | None = None,
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> ParityReport:
    """Compare a file in integers with what its export measured, and its integers with the file's definition.

    The images of this package and the extremes are always among what is compared, since they are the same everywhere.

    Args:
        source: the model.
        file: the bytes of the file.
        target: where it is to run.
        measured: the record in the file.
        samples: further images; see `check_parity`.
        threads: of the runtime's sessions.
        on_progress: see `check_parity`.

    Returns:
        The report, whatever the verdict.

    Raises:
        As `check_parity`.
    """
    options: dict[str, Any] = {"precision": "int8", "threads": threads, "on_progress": on_progress}
    report = held_against(check_parity(source, file, target, **options), measured, own=True)
    if samples is not None:
        given = check_parity(source, file, target, samples=samples, **options)
        given = replace(given, results=tuple(r for r in given.results if r.kind != EXTREME))
        results = held_against(given, measured, own=False).results
        report = replace(report, results=results + report.results, samples=f"{given.samples}, {report.samples}")
    assert isinstance(source.input, InputSpec)  # there are no integers for texts
    images = default_images(source.input.transform)[0]
    answers = measured.other_answers(logits_of(open_session(file, threads=threads, spin=False), images))
    first, exact = report.results[0], check_exactness(file, images[:EXACT], threads)
    kept = replace(first, problems=(*first.problems, *answers, *exact.problems))
    return replace(report, results=(kept, *report.results[1:]))
