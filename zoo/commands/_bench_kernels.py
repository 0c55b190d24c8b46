"""`zoo bench kernels`: operators against the speed of a copy."""

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from zoo.commands._bench_options import (
    NOT_MEASURED,
    AsJson,
    Device,
    Mark,
    Output,
    Threads,
    Warmup,
    announce,
    columns_of,
    deliver,
    place_of,
)
from zoo.numerics.operators import OPERATORS

if TYPE_CHECKING:
    from zoo.benchmarks.kernels import KernelResult, KernelRow

NAMES = tuple(OPERATORS)
DTYPES = ("float32", "bfloat16", "float16")
STEPS = ("forward", "backward", "both")
LAYOUTS = ("contiguous", "channels_last")

Ops = Annotated[
    list[str] | None,
    typer.Option("--op", help=f"Repeatable: {', '.join(NAMES)}. Default: all.", autocompletion=lambda: NAMES),
]
Dtypes = Annotated[
    list[str] | None,
    typer.Option(
        "--dtype",
        help=f"Repeatable: {', '.join(DTYPES)}. Default: bfloat16 on a GPU, float32 on a CPU.",
        autocompletion=lambda: DTYPES,
    ),
]
Steps = Annotated[
    list[str] | None,
    typer.Option(
        "--step",
        help="Repeatable: forward, backward, both (in one run). Default: forward and both.",
        autocompletion=lambda: STEPS,
    ),
]
Size = Annotated[str, typer.Option(help="Of each tensor: elements, or bytes with a unit, such as 64MiB.")]
Layout = Annotated[str, typer.Option(help=f"{' or '.join(LAYOUTS)}.", autocompletion=lambda: LAYOUTS)]
Runs = Annotated[int, typer.Option(min=1, help="Timed runs of each side; they take turns.")]
Compiled = Annotated[bool, typer.Option("--compile/--no-compile", help="Time torch.compile as well.")]


def kernels_command(
    device: Device = None,
    op: Ops = None,
    dtype: Dtypes = None,
    step: Steps = None,
    size: Size = "64MiB",
    layout: Layout = "contiguous",
    compiled: Compiled = True,
    runs: Runs = 30,
    warmup: Warmup = 5,
    threads: Threads = None,
    mark_gpu: Mark = False,
    output: Output = None,
    as_json: AsJson = False,
) -> None:
    """Time each operator against a copy of memory, the plain definition and BatchNorm with ReLU, in turns.

    The figure is the bytes an operator must read and write, by the time it takes, as a part of what a copy reaches in
    the same run. Every kernel is first compared with the definition in float64.
    """
    from zoo.benchmarks.kernels import bench_kernels
    from zoo.files import check_writable

    if output is not None:
        check_writable(output)
    result = bench_kernels(
        device=device,
        operators=op,
        dtypes=dtype,
        size=size,
        layout=layout,  # type: ignore[arg-type]
        steps=step or ("forward", "both"),  # type: ignore[arg-type]
        compiled=compiled,
        runs=runs,
        warmup=warmup,
        threads=threads,
        on_case=announce,
    )
    deliver(result.to_dict(), partial(_print, result, mark_gpu), output, as_json)


def _print(result: "KernelResult", mark_gpu: bool) -> None:
    from zoo.console.tables import print_table

    title = f"{place_of(result.machine)}, {result.layout}, {result.runs} runs each, in turns"
    names = ("operator", "step", "dtype", "side", "MB", "ms", "quartiles", "GB/s", "of a copy", "time / fused")
    rows = [_cells(row) for row in result.rows]
    if mark_gpu and result.machine.device == "cpu":
        pairs = dict.fromkeys((row.operator, row.step) for row in result.rows)
        rows += [(op, _STEP[step], "", "fused on a GPU", "", NOT_MEASURED, *[""] * 4) for op, step in pairs]
    print_table(columns_of(names, 4, ("dtype", "MB", "quartiles", "GB/s")), rows, title)


_STEP = {"forward": "forward", "backward": "backward", "both": "forward + backward"}
_SIDE = {
    "copy": "copy_",
    "clone": "copy into new memory",
    "compiled": "plain, compiled",
    "eager": "plain, eager",
    "batchnorm_relu": "BatchNorm + ReLU, eager",
    "batchnorm_relu_compiled": "BatchNorm + ReLU, compiled",
}


def _cells(row: "KernelRow") -> tuple[str, ...]:
    ratio = "" if row.ratio is None else f"{row.ratio.median:.2f}"
    return (
        row.operator,
        _STEP[row.step],
        row.dtype,
        _SIDE.get(row.side, row.side),
        f"{row.bytes_moved / 1e6:.1f}",
        f"{row.times.median_ms:.3f}",
        f"{row.times.q1_ms:.3f} to {row.times.q3_ms:.3f}",
        f"{row.bytes_per_s / 1e9:.1f}",
        f"{100 * row.copy_fraction:.0f} %",
        ratio,
    )
