"""Kernel benchmark: each operator's speed relative to a memory copy, side by side with its alternatives."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import get_args

import torch

from zoo.benchmarks.kernel_case import Case, Layout, Pass, make_case
from zoo.benchmarks.machine import Machine, bench_device, host_threads
from zoo.benchmarks.operator_traffic import OPERATORS
from zoo.benchmarks.parity import check_kernel
from zoo.benchmarks.sizes import elements
from zoo.benchmarks.time_statistics import Ratio, Times
from zoo.benchmarks.turns import alternate, on_device
from zoo.errors import ConfigurationError, suggestion
from zoo.records import Record

DTYPES = ("float32", "bfloat16", "float16")
CHECKED_ELEMENTS = 2**16


@dataclass(frozen=True, kw_only=True)
class KernelRow:
    """One side of one operator.

    Args:
        operator: its name.
        side: "fused"; "compiled" and "eager" for the definition under torch.compile and without; "batchnorm_relu" and
            "batchnorm_relu_compiled"; "copy" for `copy_` of a tensor of x's size, "clone" for a copy into new memory.
        step: "forward" without autograd, "backward" alone or "both".
        dtype: of the tensors.
        shape: of x.
        bytes_moved: what this side has to read and write at least; see `zoo.benchmarks.operator_traffic`.
        times: of a run.
        bytes_per_s: `bytes_moved` over the median.
        copy_fraction: that as a part of what `copy_` reaches.
        ratio: this side's time over that of "fused", turn by turn; None for "copy" and "clone".
    """

    operator: str
    side: str
    step: str
    dtype: str
    shape: tuple[int, ...]
    bytes_moved: int
    times: Times
    bytes_per_s: float
    copy_fraction: float
    ratio: Ratio | None


@dataclass(frozen=True, kw_only=True)
class KernelResult(Record):
    """All rows, with what is needed to repeat them.

    Args:
        rows: operator by operator.
        layout: how the tensors lie in memory.
        runs: timed runs of each side; they took turns.
        warmup: turns before that.
        machine: where.
    """

    rows: tuple[KernelRow, ...]
    layout: str
    runs: int
    warmup: int
    machine: Machine


def bench_kernels(
    *,
    device: str | None = None,
    operators: Sequence[str] | None = None,
    dtypes: Sequence[str] | None = None,
    size: str = "64MiB",
    layout: Layout = "contiguous",
    steps: Sequence[Pass] = ("forward", "both"),
    compiled: bool = True,
    runs: int = 30,
    warmup: int = 5,
    threads: int | None = None,
    on_case: Callable[[str], None] = lambda _: None,
) -> KernelResult:
    """Time each operator beside the definition, BatchNorm with ReLU, and a plain copy; they take turns.

    Every kernel is first compared with the definition in float64. On a GPU the time is the device's own, from a cold
    L2 cache; on a CPU it is the host's, and a result larger than the allocator keeps is written into new memory, which
    "clone" pays for too and "copy" does not.

    Args:
        device: "cpu", "cuda" or "cuda:N"; None takes a GPU if there is one.
        operators: names of `OPERATORS`; None takes all.
        dtypes: some of float32, bfloat16, float16; None takes bfloat16 on a GPU and float32 on a CPU.
        size: of x: elements, or bytes with a unit, such as "64MiB".
        layout: "contiguous" or "channels_last".
        steps: "forward" without autograd, "backward" alone, "both" in one run.
        compiled: whether to time torch.compile as well.
        runs: timed runs of each side.
        warmup: turns before that.
        threads: of PyTorch; None leaves them.
        on_case: called with what is timed next.

    Raises:
        ConfigurationError: an argument is unknown, the device is not here, or an operator has no kernel on it.
        UnknownNameError: no such operator.
        KernelMismatchError: a kernel computes something else than the definition.
    """
    where = bench_device(device)
    chosen = [OPERATORS.get(name) for name in operators or OPERATORS]
    kinds = dtypes or ("bfloat16" if where.type == "cuda" else "float32",)
    _check(("dtype", kinds, DTYPES), ("layout", (layout,), get_args(Layout)), ("step", steps, get_args(Pass)))
    rows: list[KernelRow] = []
    with host_threads(threads):
        stopwatch = on_device(where)
        for operator in chosen:
            for dtype in kinds:
                on_case(f"{operator.name}, {dtype}")
                count = elements(size, getattr(torch, dtype))
                small = make_case(operator, min(count, CHECKED_ELEMENTS), dtype, where, layout, compiled)
                check_kernel(operator.name, operator.build(small.tensors[0].shape[1]).to(where), small.tensors)
                case = make_case(operator, count, dtype, where, layout, compiled)
                for step in steps:
                    sides = case.sides(step)
                    times = alternate([side for side, _ in sides.values()], runs, warmup, stopwatch)
                    moved = {label: tensors for label, (_, tensors) in sides.items()}
                    rows += _rows(case, step, moved, dict(zip(sides, times, strict=True)))
                    # The graphs of one case are of no use to the next, and torch.compile keeps eight of a function.
                    torch.compiler.reset()
        machine = Machine.here(where)
    return KernelResult(rows=tuple(rows), layout=layout, runs=runs, warmup=warmup, machine=machine)


def _rows(case: Case, step: Pass, moved: dict[str, int], times: dict[str, list[float]]) -> list[KernelRow]:
    x = case.tensors[0]
    size = math.prod(x.shape) * x.element_size()
    found = {label: Times.of(taken) for label, taken in times.items()}
    speed = {label: moved[label] * size / (own.median_ms / 1e3) for label, own in found.items()}
    return [
        KernelRow(
            operator=case.operator.name,
            side=label,
            step=step,
            dtype=str(x.dtype).removeprefix("torch."),
            shape=tuple(x.shape),
            bytes_moved=moved[label] * size,
            times=own,
            bytes_per_s=speed[label],
            copy_fraction=speed[label] / speed["copy"],
            ratio=None if label in ("copy", "clone") else Ratio.of(times[label], times["fused"]),
        )
        for label, own in found.items()
    ]


def _check(*given: tuple[str, Sequence[str], Sequence[str]]) -> None:
    for what, values, known in given:
        for value in values:
            if value not in known:
                raise ConfigurationError(f"{what}={value!r} is not one of the choices. {suggestion(value, known)}")
