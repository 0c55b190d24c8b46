"""FleS's positive means in a program: made outputs or inputs of it, and whether rounding explains the values.

FleS reads t, the mean of a channel's elements >= 0. Where one of k of them passes zero, t changes at once by 1/k of
itself, and with it every logit. Two correct programs that round differently may therefore be far apart. So they are
compared with the same t: the one's means are read from it and given to the other, which says whether they can be.
"""

from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray

from export.digest import load_to_change
from export.operators.operator_table import DOMAIN

NEXT_TO_ZERO = 1e-5
"""Share of the root mean square of a sample's x, a hundred times what float32 rounds off: such x may be positive."""
MAX_GAP = 1e-4
"""By how much t may miss a mean that can be, as `gaps` measures it. A miscounted channel or one negative x is off by
1e-2."""
SMALLEST = float(np.finfo(np.float32).tiny / np.finfo(np.float32).eps)
"""Root mean square, 1e-31, below which this one stands in: what float32 rounds off there is denormal, and no share."""


@dataclass(frozen=True)
class Mean:
    """Place of a PositiveMean in a graph.

    Args:
        t: name of its output, (n, channels).
        x: name of its input.
        axis: of the channels in x.
    """

    t: str
    x: str
    axis: int


def shown(file: bytes, names: list[str]) -> bytes:
    """The file with inner values as further outputs."""
    model = load_to_change(file)
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    return bytes(model.SerializeToString())


def taken(file: bytes) -> tuple[bytes, list[Mean]]:
    """The file with the output of every PositiveMean as an input, and what that operator would read as an output."""
    model = onnx.load_from_string(file)
    graph, means = model.graph, []
    known = {value.name: value for value in graph.value_info}
    for node in [node for node in graph.node if (node.domain, node.op_type) == (DOMAIN, "PositiveMean")]:
        axis = next(attribute.i for attribute in node.attribute if attribute.name == "axis")
        means.append(Mean(node.output[0], node.input[0], axis))
        graph.input.append(known[node.output[0]])
        graph.node.remove(node)
    there = {value.name for value in (*graph.input, *graph.output)}
    further = dict.fromkeys(mean.x for mean in means if mean.x not in there)
    return shown(bytes(model.SerializeToString()), list(further)), means


def gaps(
    t: NDArray[np.floating], x: NDArray[np.floating], axis: int, keep: NDArray[np.bool_] | None = None
) -> NDArray[np.float64]:
    """Measure the distance of t from the nearest mean that x can have.

    Rounding decides which elements next to zero count. With s the sum of all x above the margin, those means are s/k
    for every k from the number of x above it to the number of x above minus the margin.

    Args:
        t: (n, channels).
        x: (n, ..., channels, ...).
        axis: of the channels.
        keep: (n, positions), False where a position does not count; None counts all.

    Returns:
        (n, channels), as a share of the root mean square of the sample's x, at least `SMALLEST`, or of t where that is
        more: a runtime adds 3,136 equal numbers one after the other and is off by 4e-5 of their mean. NaN where x or
        their sum is not finite in float32, or none counts.
    """
    flat, counts = np.moveaxis(x, axis, 1).reshape(*t.shape, -1), True if keep is None else keep.reshape(len(t), 1, -1)
    with np.errstate(all="ignore"):
        square = np.square(flat, dtype=np.float64)
        size = np.sqrt(square.sum((1, 2), where=counts) / np.broadcast_to(counts, flat.shape).sum((1, 2)))[:, None]
        size = np.maximum(size, SMALLEST)
        margin = (NEXT_TO_ZERO * size)[:, :, None]
        above = (flat > margin) & counts
        total = flat.sum(2, dtype=np.float64, where=above)
        least, most = (np.maximum(found.sum(2), 1) for found in (above, (flat > -margin) & counts))
        count = np.where(t > 0, np.clip(total / t, least, most), most)
        gap = np.minimum(*(np.abs(t - total / whole(count)) for whole in (np.floor, np.ceil)))
        gap = np.where(np.isfinite(t), gap / np.maximum(size, t), np.inf)
    return np.where(np.isfinite(size) & (total <= np.finfo(np.float32).max), gap, np.nan)
