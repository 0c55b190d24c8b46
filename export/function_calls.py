"""Functions in an ONNX file: runtimes put the body of each in the place of every call before anything is computed."""

from collections.abc import Iterable, Iterator

import onnx

from export.errors import OnnxFileError

MOST_NODES, DEEPEST = 1_000_000, 100
"""Nodes of a graph without calls, of which the largest networks have some ten thousand; functions within functions."""

Key = tuple[str, str, str]


def check_calls(model: onnx.ModelProto, name: str) -> None:
    """Refuse a file whose functions call each other so often that no memory holds the graph without calls.

    Raises:
        OnnxFileError: there would be more than `MOST_NODES` nodes, or functions call each other deeper than `DEEPEST`.
    """
    if not model.functions:
        return
    bodies = {(function.domain, function.name, function.overload): function.node for function in model.functions}
    sizes: dict[Key, int] = {}

    def size(nodes: Iterable[onnx.NodeProto], depth: int) -> int:
        total = 0
        for node in _nodes(nodes):
            key = node.domain, node.op_type, node.overload
            if key in bodies and key not in sizes:
                if depth == DEEPEST:
                    raise OnnxFileError(f"{name} has functions that call each other without end. {_ADVICE}")
                sizes[key] = size(bodies[key], depth + 1)
            total = min(total + sizes.get(key, 1), MOST_NODES + 1)
        return total

    if size(model.graph.node, 0) > MOST_NODES:
        raise OnnxFileError(
            f"{name} calls its functions so often that its graph without them has more than {MOST_NODES:,} nodes, the "
            f"most that are run. {_ADVICE}"
        )


_ADVICE = "Take the file from where it was made, or export the model again without functions."


def _nodes(nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.NodeProto]:
    """All nodes, those of subgraphs among them."""
    for node in nodes:
        yield node
        for attribute in node.attribute:
            for graph in (attribute.g, *attribute.graphs):
                yield from _nodes(graph.node)
