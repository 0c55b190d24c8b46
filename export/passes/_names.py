"""Names for nodes that a pass adds after `NameNodes`."""

import onnx_ir as ir

from export.passes.name_nodes import module_of


class Names:
    """Names that occur in a graph, to give others.

    Args:
        graph: with named nodes.
    """

    def __init__(self, graph: ir.Graph) -> None:
        self._taken = {str(node.name) for node in graph}

    def give(self, node: ir.Node, beside: ir.Node | None) -> None:
        """Name a node of one output, and that, after the module of the node beside it."""
        module = "" if beside is None else module_of(str(beside.name))
        base = name = f"{module}/{node.op_type}"
        number = 0
        while name in self._taken:
            number += 1
            name = f"{base}_{number}"
        self._taken.add(name)
        node.name = name
        node.outputs[0].name = f"value of {name}"
