"""Check of ONNX Runtime's integer arithmetic against the file: layer by layer, and for several batch sizes."""

from dataclasses import dataclass

import numpy as np
import onnx
import onnx_ir as ir
from numpy.typing import NDArray
from torch import Tensor

from export.layouts.means import shown
from export.metadata import DIGEST
from export.quantize.running import open_plain
from export.runtime.session import Session, open_session, run_session

STEPS = 1
"""Integer and float32 arithmetic may round the same number to neighbouring integers, never further apart."""

BATCH_CHANGE = 1e-5
"""Float32 at the end of the file may sum in another order in a larger batch; integers do not change at all."""

_BATCHES = (1, 3, 8)
_MAKERS = ("QuantizeLinear",)


@dataclass(frozen=True, kw_only=True)
class Exactness:
    """Result of the check.

    Args:
        tensors: uint8 tensors compared.
        values: numbers in them.
        worst_steps: largest difference of one, in quantisation steps.
        other: how many differ.
        batch_change: largest change of a logit, relative to the largest |logit| of its image, between batches of 1, 3
            and 8 images.
        problems: what was wrong, in words.
    """

    tensors: int
    values: int
    worst_steps: int
    other: int
    batch_change: float
    problems: tuple[str, ...]


def check_exactness(file: bytes, images: Tensor, threads: int | None) -> Exactness:
    """Compare ONNX Runtime's integer layers with the file's own definition, and the file with itself.

    QuantizeLinear(Conv(DequantizeLinear(x), DequantizeLinear(w))) defines a layer in float32; ONNX Runtime replaces it
    by integer arithmetic. Every uint8 tensor of the graph is computed plainly, without rewriting. Then the graph is cut
    at those tensors, each layer is given the plain numbers, and what ONNX Runtime's integer layers make of them may
    be off by one step. Through a whole network such steps add up, so that comparing logits would prove nothing.

    Args:
        file: the bytes of the file.
        images: preprocessed; as many as the largest batch.
        threads: of the sessions.
    """
    names = _uint8_tensors(file)
    given = open_plain(shown(file, names), threads, optimize=False)
    image = given.get_inputs()[0].name
    exact = dict(zip(names, run_session(given, {image: images.numpy()}, names), strict=True))
    found = _cut_run(file, names, {image: images.numpy()} | exact, threads)
    gaps = [np.abs(found[name].astype(np.int16) - exact[name].astype(np.int16)) for name in names]
    worst = max((int(gap.max()) for gap in gaps), default=0)
    change = _batch_change(open_session(file, threads=threads, spin=False), images)
    problems = [
        f"{name}: ONNX Runtime's integers are {int(gap.max())} steps from the file's definition"
        for name, gap in zip(names, gaps, strict=True)
        if gap.max() > STEPS
    ]
    if change > BATCH_CHANGE:
        problems.append(f"logits of an image change by {change:.1e} of their size with the batch it is in")
    return Exactness(
        tensors=len(names),
        values=sum(gap.size for gap in gaps),
        worst_steps=worst,
        other=sum(int(np.count_nonzero(gap)) for gap in gaps),
        batch_change=change,
        problems=tuple(problems),
    )


def _uint8_tensors(file: bytes) -> list[str]:
    """List the outputs of QuantizeLinear and of our tables, in order."""
    graph = ir.from_proto(onnx.load_from_string(file)).graph
    made = (n for n in graph if n.op_type in _MAKERS or (n.domain != "" and n.outputs[0].dtype == ir.DataType.UINT8))
    return [str(node.outputs[0].name) for node in made]


def _cut_run(
    file: bytes, names: list[str], feeds: dict[str, NDArray[np.generic]], threads: int | None
) -> dict[str, NDArray[np.uint8]]:
    """Compute each uint8 tensor from the given ones before it, by ONNX Runtime at full optimisation."""
    model = cut(file, {name: feeds[name].shape for name in names})
    session = open_plain(model, threads)
    wanted = {i.name for i in session.get_inputs()}
    renamed = {f"{name}/given" if name in names else name: value for name, value in feeds.items()}
    results = run_session(session, {name: value for name, value in renamed.items() if name in wanted}, names)
    return dict(zip(names, results, strict=True))


def cut(file: bytes, shapes: dict[str, tuple[int, ...]]) -> ir.Model:
    """The graph in pieces: each of these uint8 tensors is an output, and `<name>/given` an input in its place."""
    model = ir.from_proto(onnx.load_from_string(file))
    model.metadata_props.pop(DIGEST, None)
    values = {value.name: value for node in model.graph for value in node.outputs}
    for name, shape in shapes.items():
        value = values[name]
        given = ir.Value(name=f"{name}/given", type=ir.TensorType(ir.DataType.UINT8), shape=ir.Shape(shape))
        value.replace_all_uses_with(given)
        model.graph.inputs.append(given)
        if not value.is_graph_output():
            model.graph.outputs.append(value)
    for value in model.graph.outputs:
        value.shape = None
    return model


def _batch_change(session: Session, images: Tensor) -> float:
    """Measure the dependence of an image's logits on the number of images beside it."""
    name, seen = session.get_inputs()[0].name, []
    for size in _BATCHES:
        parts = [run_session(session, {name: part.contiguous().numpy()})[0] for part in images.split(size)]
        seen.append(np.concatenate(parts))
    scale = np.abs(seen[0]).max(axis=1, keepdims=True).clip(1e-30)
    return float(max((np.abs(other - seen[0]) / scale).max() for other in seen[1:]))
