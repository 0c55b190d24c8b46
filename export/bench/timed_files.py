"""Exported files side by side: the same threads and input, in turns, each in the runtime of its target."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from export.bench.bench_feeds import random_feeds
from export.bench.file_memory import peak_memory
from export.bench.latency import USUAL_TOKENS, Percentiles, passed_report
from export.errors import OnnxFileError
from export.runtime.engine import Engine, engine_in_file
from export.runtime.session import Session, run_session
from zoo.benchmarks.turns import alternate, always
from zoo.environment import hardware, library_versions
from zoo.errors import ConfigurationError
from zoo.records import Record


@dataclass(frozen=True)
class Contender:
    """A file to time.

    Args:
        label: what it is called in tables.
        path: written by `export`, its parity report beside it.
        twin: label of the file it is compared with; None for one that others are compared with.
    """

    label: str
    path: Path
    twin: str | None = None


@dataclass(frozen=True, kw_only=True)
class FileSpeed:
    """One file.

    Args:
        label: what it is called in tables.
        twin: what its ratio refers to; None for a file that is a twin itself.
        model: public name of the model.
        target: its export target.
        precision: what it computes in.
        runtime: what ran it.
        latency: of one image or text.
        ratio: its median over that of its twin; 1 for a twin.
        memory_bytes: peak of a process that runs it; see `peak_memory`.
        size_bytes: of the file.
        parity: the one-line summary of its passed check.
    """

    label: str
    twin: str | None
    model: str
    target: str
    precision: str
    runtime: str
    latency: Percentiles
    ratio: float
    memory_bytes: int
    size_bytes: int
    parity: str


@dataclass(frozen=True, kw_only=True)
class BenchResult(Record):
    """All files of one run, with what is needed to repeat it.

    Args:
        rows: in the order given.
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


def bench_files(
    files: Sequence[Contender],
    *,
    tokens: int = USUAL_TOKENS,
    runs: int = 50,
    warmup: int = 10,
    threads: int | None = None,
) -> BenchResult:
    """Time exported files at batch size 1 on the CPU, in turns, so that all see the same machine.

    Threads do not spin while they wait: those of one file would disturb the next.

    Args:
        files: what to time.
        tokens: length of the text for text models.
        runs: timed runs per file.
        warmup: runs per file before that.
        threads: of every session; None means what PyTorch is set to.

    Raises:
        ConfigurationError: there is no file, a twin is not among them, or the files take different inputs.
        ProviderError: what the target of a file names does not run here; nothing is timed in its place.
        ParityError: a report says that its file has not passed: its speed means nothing.
        ModelMismatchError: a report is about other bytes.
        OnnxFileError: a file or its report is missing or damaged.
    """
    _check_twins(files)
    count = threads or torch.get_num_threads()
    reports = [passed_report(file.path) for file in files]
    engines = [_engine(file.path) for file in files]
    sessions = [engine.open(file.path, threads=count, spin=False) for engine, file in zip(engines, files, strict=True)]
    feeds = random_feeds(sessions[0], tokens)
    for session, file in zip(sessions, files, strict=True):
        if _inputs(session) != _inputs(sessions[0]):
            raise ConfigurationError(
                f"{file.label} takes {_inputs(session)}, {files[0].label} takes {_inputs(sessions[0])}."
            )
    sides = [always(partial(run_session, session, feeds)) for session in sessions]
    times = [Percentiles.of(taken) for taken in alternate(sides, runs, warmup)]
    medians = {file.label: taken.p50_ms for file, taken in zip(files, times, strict=True)}
    rows = tuple(
        FileSpeed(
            label=file.label,
            twin=file.twin,
            model=report.model,
            target=report.target,
            precision=report.precision,
            runtime=engine.name,
            latency=taken,
            ratio=taken.p50_ms / medians[file.twin or file.label],
            memory_bytes=peak_memory(file.path, count, tokens),
            size_bytes=file.path.stat().st_size,
            parity=report.summary(),
        )
        for file, report, engine, taken in zip(files, reports, engines, times, strict=True)
    )
    return BenchResult(
        rows=rows,
        tokens=tokens if "input_ids" in feeds else None,
        runs=runs,
        threads=count,
        cpu=hardware(torch.device("cpu")),
        versions=library_versions(),
    )


def _check_twins(files: Sequence[Contender]) -> None:
    if not files:
        raise ConfigurationError("There are no files to time; give at least one.")
    labels = [file.label for file in files]
    if len(set(labels)) < len(labels):
        raise ConfigurationError(f"Two files to time have the same label: {', '.join(labels)}.")
    for file in files:
        if file.twin is not None and file.twin not in labels:
            raise ConfigurationError(f"{file.label} is to be compared with {file.twin}, which is not among the files.")


def _engine(path: Path) -> Engine:
    engine = engine_in_file(path)
    if engine is None:
        raise OnnxFileError(f"{path} does not say what it was exported for. Export the model again.")
    return engine


def _inputs(session: Session) -> list[tuple[str, list[int | None]]]:
    """Names and sizes; a free axis has a name in one runtime and none in another."""
    return [(given.name, [n if isinstance(n, int) else None for n in given.shape]) for given in session.get_inputs()]
