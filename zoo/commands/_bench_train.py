"""`zoo bench train`: training steps against those of the usual twin."""

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

if TYPE_CHECKING:
    from zoo.benchmarks.training_memory import StepMemory
    from zoo.benchmarks.training_speed import TrainingSpeed, TrainRow

USUAL = ("salunet_c18_cifar", "salunet_c50", "salunet_t_cifar")
PRECISIONS = ("float32", "bfloat16", "float16")
MODES = ("eager", "compiled", "both")

Models = Annotated[
    list[str] | None,
    typer.Argument(metavar="MODEL", help=f"Default: {', '.join(USUAL)}."),
]
BatchSize = Annotated[
    int | None, typer.Option(min=2, help="Default: 128; 16 on a CPU for images of more than 64 pixels.")
]
Size = Annotated[int | None, typer.Option(min=1, help="Height and width of the images. Default: each model's own.")]
Precision = Annotated[str, typer.Option(help=f"{', '.join(PRECISIONS)}.", autocompletion=lambda: PRECISIONS)]
ChannelsLast = Annotated[bool, typer.Option("--channels-last/--contiguous", help="Layout of images and weights.")]
Mode = Annotated[
    str, typer.Option(help="eager (with and without fused kernels), compiled or both.", autocompletion=lambda: MODES)
]
Memory = Annotated[
    bool, typer.Option("--memory", help="Measure memory as well, each side in a process of its own; on a CPU: Linux.")
]
Runs = Annotated[int, typer.Option(min=1, help="Timed runs of each side; they take turns.")]


def train_command(
    model: Models = None,
    device: Device = None,
    batch_size: BatchSize = None,
    size: Size = None,
    precision: Precision = "bfloat16",
    channels_last: ChannelsLast = True,
    mode: Mode = "both",
    memory: Memory = False,
    runs: Runs = 20,
    warmup: Warmup = 3,
    threads: Threads = None,
    mark_gpu: Mark = False,
    output: Output = None,
    as_json: AsJson = False,
) -> None:
    """Time a training step of a model beside that of its twin, in turns.

    The twin is the same backbone with BatchNorm and ReLU, for tokens with LayerNorm and GELU. A step is forward, loss,
    backward and SGD with momentum on random images that stay on the device. The ratio has a 95 % interval.
    """
    from zoo.benchmarks.training_speed import bench_train
    from zoo.files import check_writable

    if output is not None:
        check_writable(output)
    result = bench_train(
        model,
        device=device,
        batch_size=batch_size,
        size=size,
        precision=precision,  # type: ignore[arg-type]
        channels_last=channels_last,
        mode=mode,  # type: ignore[arg-type]
        memory=memory,
        runs=runs,
        warmup=warmup,
        threads=threads,
        on_case=announce,
    )
    deliver(result.to_dict(), partial(_print, result, memory, mark_gpu), output, as_json)


_MODE = {"eager": "eager", "plain": "eager, unfused", "compiled": "compiled"}


def _print(result: "TrainingSpeed", memory: bool, mark_gpu: bool) -> None:
    from zoo.console.tables import print_table

    first = result.rows[0].setting
    layout = "channels last" if first.channels_last else "contiguous"
    title = f"{place_of(result.machine)}, {first.precision}, {layout}, {result.runs} runs each, in turns"
    names = ["model", "twin", "mode", "images", "ms", "twin's ms", "ratio", "95 %"]
    names += ["saved MB", "twin's saved MB", "peak MB", "twin's peak MB"] if memory else []
    rows = [(*_cells(row), *_memory_cells(row.memory, row.twin_memory)) for row in result.rows]
    if mark_gpu and result.machine.device == "cpu":
        spare = [""] * (len(names) - 5)
        rows += [(r.model, r.twin, f"{_MODE[r.mode]}, on a GPU", "", NOT_MEASURED, *spare) for r in result.rows]
    print_table(columns_of(names, 3, ("images", "twin's ms")), rows, title)


def _cells(row: "TrainRow") -> tuple[str, ...]:
    return (
        row.model,
        row.twin,
        _MODE[row.mode],
        f"{row.setting.batch_size} x {row.setting.size} px",
        f"{row.times.median_ms:.1f}",
        f"{row.twin_times.median_ms:.1f}",
        f"{row.ratio.median:.3f}",
        f"{row.ratio.low:.2f} to {row.ratio.high:.2f}",
    )


def _memory_cells(own: "StepMemory | None", twin: "StepMemory | None") -> tuple[str, ...]:
    if own is None or twin is None:
        return ()
    figures = (own.saved_bytes, twin.saved_bytes, own.peak_bytes, twin.peak_bytes)
    return tuple(f"{figure / 1e6:.1f}" for figure in figures)
