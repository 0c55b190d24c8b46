"""Range check of a graph before it is converted: the nodes that come near the largest float16."""

import numpy as np
import onnx
from onnx import TensorProto, helper

from export.digest import load_to_change
from export.inputs.input_spec import Feeds
from export.runtime.session import open_session, run_session

LARGEST = 65504.0
MASK = 1e38
"""What stands for minus infinity in an attention mask, the lowest float32, is no measurement."""
NEAR = 0.25
"""Share of it from which a node is listed: another image may well be four times brighter."""


def largest_values(file: bytes, feeds: Feeds, threads: int | None = None) -> dict[str, float]:
    """The largest finite or infinite |value| that each node of a float32 graph computes, by the node's name.

    The largest number of each value is found inside the graph, so that no more than the usual memory is needed.

    Args:
        file: a graph with named nodes.
        feeds: what to run it on.
        threads: of the session.

    Raises:
        ExportError: ONNX Runtime does not load or run it.
    """
    proto = onnx.shape_inference.infer_shapes(load_to_change(file))
    known = {value.name: value.type.tensor_type.elem_type for value in (*proto.graph.value_info, *proto.graph.output)}
    watched = {
        f"largest |{name}|": (name, node.name)
        for node in proto.graph.node
        for name in node.output
        if known.get(name) == TensorProto.FLOAT
    }
    for label, (name, _) in watched.items():
        proto.graph.node.append(helper.make_node("Abs", [name], [f"{label} of each"]))
        proto.graph.node.append(helper.make_node("ReduceMax", [f"{label} of each"], [label], keepdims=0))
    del proto.graph.output[:]
    proto.graph.output.extend(helper.make_tensor_value_info(label, TensorProto.FLOAT, []) for label in watched)
    session = open_session(proto.SerializeToString(), threads=threads, spin=False)
    found = run_session(session, {name: value.numpy() for name, value in feeds.items()}, list(watched))
    sizes: dict[str, float] = {}
    for (_, node), value in zip(watched.values(), found, strict=True):
        sizes[node] = max(sizes.get(node, 0.0), float(np.max(value)))
    return sizes


def near_largest(sizes: dict[str, float], limit: float = LARGEST) -> tuple[str, ...]:
    """The nodes that come near the limit or exceed it, with their largest value, the largest first; no masks."""
    near = sorted(((size, node) for node, size in sizes.items() if NEAR * limit <= size < MASK), reverse=True)
    return tuple(f"{node} {size:.3g}" for size, node in near)
