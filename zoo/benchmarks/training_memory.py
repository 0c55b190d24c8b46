"""Memory of a training step: what autograd keeps, counted, and the peak, measured in a process of its own."""

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from zoo.activations.dispatch import Kernel
from zoo.benchmarks.step import Learner, StepSetting
from zoo.errors import BenchmarkError
from zoo.memory import last_line, peak_resident_bytes, reset_peak, resident_bytes, run_fresh

WARMUP = 2
"""Steps before the measured one: they make the optimiser's state, load code and compile."""
_ENVIRONMENT = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}
"""Lets glibc return what is freed, so that the peak is that of live memory and not of what its heap kept."""


@dataclass(frozen=True, kw_only=True)
class StepMemory:
    """Of one training step.

    Args:
        saved_bytes: what autograd keeps from the forward pass for the backward pass, each storage once, without
            weights and batch; the same in every run.
        peak_bytes: the most the step needs above what is held between two steps, gradients included.
    """

    saved_bytes: int
    peak_bytes: int


@dataclass(frozen=True, kw_only=True)
class MeasuredModel:
    """Model to be measured in a process of its own; the fields are those of `Learner`.

    Args:
        model: its name.
        changes: arguments of the builder.
        setting: of the batch and the precision.
        device: where.
        which: implementation of the activations.
        compiled: whether the network is compiled.
        threads: of PyTorch.
    """

    model: str
    changes: dict[str, str]
    setting: StepSetting
    device: str
    which: Kernel
    compiled: bool
    threads: int


def saved_bytes(forward: Callable[[], object], held: Iterable[Tensor] = ()) -> int:
    """Bytes that autograd keeps for the backward pass of `forward`, each storage counted once and whole.

    Args:
        forward: computes something that has a gradient; what it returns is kept until all is counted.
        held: tensors that exist anyway; their storages are not counted.
    """
    kept: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    known = {tensor.untyped_storage().data_ptr() for tensor in held}
    with saved_tensors_hooks(note, lambda tensor: tensor):
        result = forward()  # keeps the graph, so no storage is freed and its address used again
    del result
    return sum(size for address, size in kept.items() if address not in known)


def step_memory(subject: MeasuredModel) -> StepMemory:
    """Measure in a fresh process.

    Raises:
        BenchmarkError: the process failed.
    """
    done = run_fresh("-m", "zoo.benchmarks._memory_process", json.dumps(asdict(subject)), environment=_ENVIRONMENT)
    if done.returncode != 0:
        raise BenchmarkError(
            f"Measuring the memory of {subject.model} ({', '.join(subject.changes.values()) or 'as it is'}) failed: "
            f"{last_line(done.stderr)}. Measure without --memory, or with a smaller --batch-size."
        )
    return StepMemory(**json.loads(done.stdout.strip().splitlines()[-1]))


def measure_here(given: dict[str, Any]) -> StepMemory:
    """Measure the memory of a step in the fresh process that `step_memory` starts.

    Args:
        given: the fields of a `MeasuredModel` as JSON has them.
    """
    subject = MeasuredModel(**given | {"setting": StepSetting(**given["setting"])})
    torch.set_num_threads(subject.threads)
    device = torch.device(subject.device)
    learner = Learner(subject.model, subject.changes, subject.setting, device)
    call = learner.compiled() if subject.compiled else learner.network
    for _ in range(WARMUP):
        learner.step(call, subject.which)
    peak = _peak_of(lambda: learner.step(call, subject.which), device)
    saved = saved_bytes(lambda: learner.loss(call, subject.which), learner.held())
    return StepMemory(saved_bytes=saved, peak_bytes=peak)


def _peak_of(work: Callable[[], object], device: torch.device) -> int:
    """The most that `work` needs above what is held before it."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        work()
        return torch.cuda.max_memory_allocated(device) - before
    reset_peak()
    before = resident_bytes()
    work()
    return peak_resident_bytes() - before
