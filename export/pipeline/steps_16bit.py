"""The steps that only files of 16-bit weights and activations need."""

import onnx_ir as ir

from export.parity.collect import collect
from export.parity.probes import EXTREME
from export.parity.range_probe import largest_values, near_largest
from export.passes.fold_input_scale import FoldInputScale
from export.passes.fold_output_scale import FoldOutputScale
from export.passes.fuse_pair import FusePair
from export.passes.merge_salu import MergeSalu
from export.passes.sixteen_bits import TYPES, ToSixteenBits
from export.passes.write_out import WriteOut
from export.passes.write_out_fles import WriteOutFles
from export.pipeline.job import Job

PRECISIONS = tuple(TYPES)
PROBED = 8
"""Images or texts that the largest values are looked for in."""


def simplify(job: Job) -> None:
    """As `steps.simplify`, and the factor on the input of a SALU moves into the layer before it as well."""
    ir.passes.Sequential(MergeSalu(), FusePair(), FoldOutputScale(), FoldInputScale())(job.need_graph())


def write_out(job: Job) -> None:
    """Leave standard operators only, in the form for float16; see `export.passes.half_forms`."""
    ir.passes.Sequential(WriteOut(half=True), WriteOutFles())(job.need_graph())


def probe_range(job: Job) -> None:
    """Note which nodes come near the largest float16 on some of the samples; nothing is refused for it.

    A SALU behind such a node saturates as it should; elsewhere infinity may follow, which parity would find.

    Raises:
        ExportError: the float32 graph does not run.
    """
    collected = collect(job.source.input, job.samples, PROBED)
    file = ir.to_proto(job.need_graph()).SerializeToString()
    sizes: dict[str, float] = {}
    for probe in collected.probes:
        if probe.kind != EXTREME:
            found = largest_values(file, probe.feeds, job.threads)
            sizes = {name: max(size, sizes.get(name, 0.0)) for name, size in found.items()}
    job.near_limit = near_largest(sizes)


def convert(job: Job) -> None:
    """Weights and activations in 16 bits; see `ToSixteenBits`."""
    ToSixteenBits(job.precision, job.target.place)(job.need_graph())
