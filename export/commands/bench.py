"""`zoo bench MODEL` or `zoo bench files MODEL`: a model's exported files against its twin."""

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from export.commands.options import Threads
from export.targets import list_targets
from zoo.console.completion import tags

if TYPE_CHECKING:
    from export.bench.timed_files import BenchResult

Model = Annotated[
    str,
    typer.Argument(help="MODEL or MODEL.TAG; a bare model gets random weights.", autocompletion=tags),
]
Targets = Annotated[
    list[str] | None,
    typer.Option("--target", help="Repeatable. Default: all that run here.", autocompletion=list_targets),
]
Norm = Annotated[str | None, typer.Option(help="The twin's norm. Default: batchnorm, for tokens layernorm.")]
Act = Annotated[str | None, typer.Option(help="The twin's activation. Default: relu, silu or gelu, by the backbone.")]
Tokens = Annotated[int, typer.Option(min=2, help="Text models: length of the text.")]
Runs = Annotated[int, typer.Option(min=1, help="Timed runs of each file; they take turns.")]
Keep = Annotated[Path | None, typer.Option(help="Leave the exported files in this folder.")]
Output = Annotated[Path | None, typer.Option(help="Write the result to this JSON file.")]
Plot = Annotated[Path | None, typer.Option(help="Draw it into this PNG file.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON, and nothing else.")]


def bench_command(
    model: Model,
    target: Targets = None,
    norm: Norm = None,
    act: Act = None,
    tokens: Tokens = 128,
    runs: Runs = 50,
    threads: Threads = None,
    keep: Keep = None,
    output: Output = None,
    plot: Plot = None,
    as_json: AsJson = False,
) -> None:
    """Time one image or text through a model's exported files and through its twin's, in turns, on the CPU.

    The twin is the same backbone with a usual norm and activation, in the same runtime and precision; its BatchNorm is
    folded into the convolutions. Every file passes its parity check first, or nothing is timed. What a target loses in
    accuracy is not measured here.
    """
    import tempfile

    from export.bench.contenders import export_contenders, timed_targets
    from export.bench.timed_files import bench_files
    from zoo.console.output import console_err, print_json
    from zoo.files import check_writable, write_json

    for path in (output, plot):
        if path is not None:
            check_writable(path)
    with ExitStack() as stack:
        folder = keep or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        files = export_contenders(
            model,
            timed_targets(target),
            {key: value for key, value in (("norm", norm), ("act", act)) if value is not None},
            folder,
            threads,
            lambda label: console_err.print(f"exporting {label} ..."),
        )
        console_err.print("timing ...")
        result = bench_files(files, tokens=tokens, runs=runs, threads=threads)
    print_json(result.to_dict()) if as_json else _print(model, result)
    if output is not None:
        write_json(output, result.to_dict())
    if plot is not None:
        from export.bench.latency_plot import plot_bench

        plot_bench(result, plot, f"{model}: one at a time, ratio to the twin of the same target")


def _print(name: str, result: "BenchResult") -> None:
    from zoo.console.tables import Column, print_table

    what = f"one text of {result.tokens} tokens" if result.tokens else "one image"
    title = f"{name}: {what}, {result.threads} threads, {result.runs} runs each, {result.cpu}"
    figures = ("p50 ms", "p90 ms", "p99 ms", "ratio", "memory MB", "file MB")
    spare = ("p90 ms", "p99 ms", "memory MB", "file MB")
    rows = []
    for row in result.rows:
        times = (f"{value:.2f}" for value in (row.latency.p50_ms, row.latency.p90_ms, row.latency.p99_ms))
        sizes = (f"{value / 1e6:.0f}" for value in (row.memory_bytes, row.size_bytes))
        rows.append([row.label, row.runtime, *times, "" if row.twin is None else f"{row.ratio:.2f}", *sizes])
    print_table(["file", "runtime", *(Column(f, figures=True, optional=f in spare) for f in figures)], rows, title)
