"""Readable node names, and nothing of the machine that exported."""

import ast
import re
from collections import Counter

import onnx_ir as ir

from export.operators.nodes import is_operator

SCOPES_KEY = "pkg.torch.onnx.name_scopes"
# What PyTorch writes where it made a node itself, outside any module.
_NO_MODULE = "_empty_nn_module_stack"


_MEAN = "positive_mean"


class NameMeans(ir.passes.InPlacePass):
    """Name the statistics of FleS after its module, so that they are found in whatever becomes of the graph.

    The output of a PositiveMean in module `layer1.0.act1` becomes `layer1.0.act1/positive_mean`, that of the module's
    next call `layer1.0.act1/positive_mean_1`, and so on.
    """

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Rename in place."""
        found = [node for node in model.graph if is_operator(node, "PositiveMean")]
        calls: Counter[str] = Counter()
        for node in found:
            name = f"{_module_path(node)}/{_MEAN}"
            node.outputs[0].name = name if not calls[name] else f"{name}_{calls[name]}"
            calls[name] += 1
        return ir.passes.PassResult(model, modified=bool(found))


class NameNodes(ir.passes.InPlacePass):
    """Name every node after the module it comes from, then drop the exporter's notes.

    1. A node traced inside module `layer1.0.bn1` becomes `layer1.0.bn1/Mul`, `layer1.0.bn1/Mul_1`, and so on.
    2. A node without a scope, such as one an optimiser made, becomes `/Mul`.
    3. The exporter's per-node notes go: they hold stack traces with the paths of the exporting machine.
    """

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Rename in place."""
        taken: Counter[str] = Counter()
        for node in model.graph:
            name = f"{_module_path(node)}/{node.op_type}"
            node.name = name if not taken[name] else f"{name}_{taken[name]}"
            taken[name] += 1
            node.metadata_props.clear()
            node.doc_string = None
            for value in node.outputs:
                value.metadata_props.clear()
        for value in (*model.graph.inputs, *model.graph.initializers.values()):
            value.metadata_props.clear()
        model.graph.metadata_props.clear()
        model.metadata_props.clear()
        return ir.passes.PassResult(model, modified=True)


def module_of(name: str) -> str:
    """The module path in a name that `NameNodes` or `NameMeans` gave; empty for code outside any submodule."""
    return name.rpartition("/")[0]


def is_mean(name: str) -> bool:
    """True if a value's name is one that `NameMeans` gave."""
    return re.fullmatch(rf"{_MEAN}(_\d+)?", name.rpartition("/")[2]) is not None


def _module_path(node: ir.Node) -> str:
    """The scopes of a node are its chain of module paths and, last, its own name."""
    text = node.metadata_props.get(SCOPES_KEY)
    scopes = ast.literal_eval(text) if text else []
    path = str(scopes[-2]).partition("@")[0] if len(scopes) > 1 else ""
    return "" if path.startswith(_NO_MODULE) else path
