"""Files for every target, made without the parity check: these tests are about what is in them."""

from dataclasses import replace
from pathlib import Path

import onnx
import torch

from export import InputSpec
from export.inputs.shared import Shared
from export.inputs.source import Source, read_source
from export.pipeline.export_plan import make_plan
from export.pipeline.job import Job
from export.targets import get_target, list_targets

STANDARD = [
    (name, precision)
    for name in list_targets()
    if not get_target(name).own_operators
    for precision in get_target(name).precisions
]
"""Targets and precisions of standard operators only."""


def traced_once(model: torch.nn.Module, spec: InputSpec | None = None) -> Source:
    return replace(read_source(model, input_spec=spec), shared=Shared())


def make(source: Source, target: str, precision: str | None = None) -> onnx.ModelProto:
    """The file that `export` would hold against PyTorch."""
    chosen = get_target(target)
    job = Job(source=source, target=chosen, path=Path("made.onnx"), precision=precision or chosen.precisions[0])
    for step in make_plan(job).steps:
        if step.name not in ("range", "prove", "parity", "write"):
            step.run(job)
    return onnx.load_from_string(job.file)
