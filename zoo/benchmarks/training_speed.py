"""Training benchmark: time of a step beside that of the same backbone with a usual norm and activation."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from zoo.activations.dispatch import Kernel
from zoo.benchmarks.machine import Machine, bench_device, host_threads
from zoo.benchmarks.step import Learner, StepSetting
from zoo.benchmarks.time_statistics import Ratio, Times
from zoo.benchmarks.training_memory import MeasuredModel, StepMemory, step_memory
from zoo.benchmarks.turns import Side, alternate, always, synchronised
from zoo.errors import ConfigurationError, suggestion
from zoo.models.build import find_spec
from zoo.models.text_models import TextSpec
from zoo.records import Record
from zoo.training.recipe import Precision

Mode = Literal["eager", "compiled", "both"]
MODELS = ("salunet_c18_cifar", "salunet_c50", "salunet_t_cifar")
STEPS_ON_GPU = 4
"""Steps of a run on a GPU, where the host queues one step while the device works on another."""


@dataclass(frozen=True, kw_only=True)
class TrainRow:
    """A model against its twin, computed one way.

    Args:
        model: its name.
        twin: what the same backbone has instead, such as "batchnorm + relu".
        mode: "eager"; "plain" for eager mode without fused kernels; "compiled" for torch.compile on both sides.
        setting: of batch and precision.
        times: of the model's step.
        twin_times: of the twin's.
        ratio: the model's time over the twin's, turn by turn.
        memory: of the model's step; None if it was not asked for.
        twin_memory: of the twin's.
    """

    model: str
    twin: str
    mode: str
    setting: StepSetting
    times: Times
    twin_times: Times
    ratio: Ratio
    memory: StepMemory | None = None
    twin_memory: StepMemory | None = None


@dataclass(frozen=True, kw_only=True)
class TrainingSpeed(Record):
    """All rows, with what is needed to repeat them.

    Args:
        rows: model by model.
        runs: timed runs of each side; they took turns.
        warmup: turns before that.
        machine: where.
    """

    rows: tuple[TrainRow, ...]
    runs: int
    warmup: int
    machine: Machine


@dataclass(frozen=True, kw_only=True)
class _Way:
    """Execution mode of a side."""

    twin: bool
    compiled: bool
    which: Kernel


_WAYS: dict[str, tuple[_Way, _Way]] = {
    "eager": (_Way(twin=False, compiled=False, which="auto"), _Way(twin=True, compiled=False, which="auto")),
    "plain": (_Way(twin=False, compiled=False, which="plain"), _Way(twin=True, compiled=False, which="auto")),
    "compiled": (_Way(twin=False, compiled=True, which="auto"), _Way(twin=True, compiled=True, which="auto")),
}
"""Mode to the ways of the model and of its twin, which has no kernel to choose."""


def bench_train(
    models: Sequence[str] | None = None,
    *,
    device: str | None = None,
    batch_size: int | None = None,
    size: int | None = None,
    precision: Precision = "bfloat16",
    channels_last: bool = True,
    mode: Mode = "both",
    memory: bool = False,
    runs: int = 20,
    warmup: int = 3,
    threads: int | None = None,
    on_case: Callable[[str], None] = lambda _: None,
) -> TrainingSpeed:
    """Time a step of SGD with momentum on random images that stay on the device; the sides take turns.

    The twin comes from the same builder: `zoo.create_model(name, norm="batchnorm", act="relu")` and the like.

    Args:
        models: names of models for images; None takes `MODELS`.
        device: "cpu", "cuda" or "cuda:N"; None takes a GPU if there is one.
        batch_size: images of a step; None takes 128, and 16 on a CPU where images are larger than 64 pixels.
        size: height and width of the images; None takes each model's own.
        precision: as in `StepSetting`.
        channels_last: layout of images and weights.
        mode: "eager" (also without fused kernels), "compiled" or "both".
        memory: whether to measure memory as well, each side in a process of its own.
        runs: timed runs of each side.
        warmup: turns before that; compilation falls into the first.
        threads: of PyTorch; None leaves them.
        on_case: called with what is done next.

    Raises:
        UnknownNameError: there is no such model.
        ConfigurationError: an argument is unknown, the device is not here, or a model takes texts.
        DivergedError: a loss is not finite after the timed steps.
        BenchmarkError: a process that measures memory failed.
    """
    where = bench_device(device)
    for what, given, known in (("mode", mode, get_args(Mode)), ("precision", precision, get_args(Precision))):
        if given not in known:
            raise ConfigurationError(f"{what}={given!r} is not one of the choices. {suggestion(given, known)}")
    ways = {name: _WAYS[name] for name in {"eager": ("eager", "plain"), "compiled": ("compiled",)}.get(mode, _WAYS)}
    settings = {name: _setting(name, where, batch_size, size) for name in models or MODELS}
    rows: list[TrainRow] = []
    with host_threads(threads):
        for name, (images, side) in settings.items():
            on_case(name)
            setting = StepSetting(batch_size=images, size=side, precision=precision, channels_last=channels_last)
            rows += _rows(name, setting, where, ways, runs, warmup, memory)
        machine = Machine.here(where)
    return TrainingSpeed(rows=tuple(rows), runs=runs, warmup=warmup, machine=machine)


def _setting(name: str, device: torch.device, batch_size: int | None, size: int | None) -> tuple[int, int]:
    """Images of a step, and their side."""
    spec = find_spec(name)
    if isinstance(spec, TextSpec):
        raise ConfigurationError(f"{name} takes texts; training steps are timed on images. Choose a model for images.")
    side = size or spec.input_size[-1]
    return batch_size or (16 if device.type == "cpu" and side > 64 else 128), side


def _rows(
    name: str,
    setting: StepSetting,
    device: torch.device,
    ways: dict[str, tuple[_Way, _Way]],
    runs: int,
    warmup: int,
    memory: bool,
) -> list[TrainRow]:
    changes = dict(find_spec(name).twin)
    learners = {twin: Learner(name, changes if twin else {}, setting, device) for twin in (False, True)}
    used = dict.fromkeys(way for pair in ways.values() for way in pair)
    steps = STEPS_ON_GPU if device.type == "cuda" else 1
    sides = [_side(learners[way.twin], way, steps) for way in used]
    taken = alternate(sides, runs, warmup, synchronised(device))
    for twin, learner in learners.items():
        learner.check(f"{name}{', its twin' if twin else ''}")
    torch.compiler.reset()
    del learners, sides
    seconds = {way: [value / steps for value in values] for way, values in zip(used, taken, strict=True)}
    needed: dict[_Way, StepMemory] = {}
    if memory:
        needed = {way: step_memory(_subject(name, changes, setting, device, way)) for way in used}
    return [
        TrainRow(
            model=name,
            twin=" + ".join(changes.values()),
            mode=mode,
            setting=setting,
            times=Times.of(seconds[own]),
            twin_times=Times.of(seconds[twin]),
            ratio=Ratio.of(seconds[own], seconds[twin]),
            memory=needed.get(own),
            twin_memory=needed.get(twin),
        )
        for mode, (own, twin) in ways.items()
    ]


def _side(learner: Learner, way: _Way, steps: int) -> Side:
    call: Callable[[Tensor], Tensor] = learner.compiled() if way.compiled else learner.network

    def run() -> None:
        for _ in range(steps):
            learner.step(call, way.which)

    return always(run)


def _subject(
    name: str, changes: dict[str, str], setting: StepSetting, device: torch.device, way: _Way
) -> MeasuredModel:
    return MeasuredModel(
        model=name,
        changes=changes if way.twin else {},
        setting=setting,
        device=str(device),
        which=way.which,
        compiled=way.compiled,
        threads=torch.get_num_threads(),
    )
