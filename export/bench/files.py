"""Exported files side by side: the same runtime, threads and input, in turns."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from export.bench.feeds import random_feeds
from export.bench.latency import USUAL_TOKENS, Percentiles, alternate, passed_report
from export.bench.memory import peak_memory
from export.runtime.session import Session, open_session, run_session
from zoo._environment import hardware, library_versions
from zoo.errors import ConfigurationError


@dataclass(frozen=True, kw_only=True)
class FileSpeed:
    """One file.

    Args:
        label: what it is called in tables.
        model: public name of the model.
        target: its export target.
        latency: of one image or text.
        ratio: its median over that of the first file.
        memory_bytes: peak of a process that runs it; see `peak_memory`.
        size_bytes: of the file.
        parity: the one-line summary of its passed check.
    """

    label: str
    model: str
    target: str
    latency: Percentiles
    ratio: float
    memory_bytes: int
    size_bytes: int
    parity: str


@dataclass(frozen=True, kw_only=True)
class BenchResult:
    """All files of one run, with what is needed to repeat it.

    Args:
        rows: in the order given; the first is what the ratios refer to.
        tokens: length of the text; None for images.
        runs: timed runs per file.
        threads: of every session.
        cpu: what it ran on.
        versions: Python and libraries.
    """

    rows: tuple[FileSpeed, ...]
    tokens: int | None
    runs: int
    threads: int
    cpu: str
    versions: dict[str, str]

    def to_dict(self) -> dict[str, Any]:
        """Everything, ready for JSON."""
        return asdict(self)


def bench_files(
    files: Sequence[tuple[str, Path]],
    *,
    tokens: int = USUAL_TOKENS,
    runs: int = 50,
    warmup: int = 10,
    threads: int | None = None,
) -> BenchResult:
    """Time exported files at batch size 1 on the CPU, in turns, so that all see the same machine.

    Threads do not spin while they wait: those of one file would disturb the next.

    Args:
        files: (label, file), the baseline first; each written by `export`, its parity report beside it.
        tokens: length of the text for text models.
        runs: timed runs per file.
        warmup: runs per file before that.
        threads: of every session; None means what PyTorch is set to.

    Raises:
        ConfigurationError: there is no file, or the files take different inputs.
        ParityError: a report says that its file has not passed: its speed means nothing.
        ModelMismatchError: a report is about other bytes.
        OnnxFileError: a file or its report is missing or damaged.
    """
    if not files:
        raise ConfigurationError("There are no files to time; give at least one.")
    count = threads or torch.get_num_threads()
    reports = [passed_report(file) for _, file in files]
    sessions = [open_session(file, threads=count, spin=False) for _, file in files]
    feeds = random_feeds(sessions[0], tokens)
    for session, (label, _) in zip(sessions, files, strict=True):
        if _inputs(session) != _inputs(sessions[0]):
            raise ConfigurationError(f"{label} takes {_inputs(session)}, {files[0][0]} takes {_inputs(sessions[0])}.")
    sides = tuple(lambda session=session: run_session(session, feeds) for session in sessions)  # type: ignore[misc]
    times = [Percentiles.of(taken) for taken in alternate(sides, runs, warmup)]
    rows = tuple(
        FileSpeed(
            label=label,
            model=report.model,
            target=report.target,
            latency=taken,
            ratio=taken.p50_ms / times[0].p50_ms,
            memory_bytes=peak_memory(file, count, tokens),
            size_bytes=file.stat().st_size,
            parity=report.summary(),
        )
        for (label, file), report, taken in zip(files, reports, times, strict=True)
    )
    return BenchResult(
        rows=rows,
        tokens=tokens if "input_ids" in feeds else None,
        runs=runs,
        threads=count,
        cpu=hardware(torch.device("cpu")),
        versions=library_versions(),
    )


def _inputs(session: Session) -> list[tuple[str, str]]:
    return [(given.name, str(given.shape)) for given in session.get_inputs()]
