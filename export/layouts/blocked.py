"""Our operators inside ONNX Runtime's blocked convolution layout (NCHWc), arranged on the machine that runs the file.

At full optimisation ONNX Runtime keeps convolutions in a layout of its own and converts to and from it around every
operator it does not know. So stand-ins that it knows take our operators' places, it optimises and saves the graph, and
ours are put back: see `export.layouts.placeholders`. SALU and its gates are pointwise and 0 at 0, so neither the layout
nor channels of padding matter to them; FleS's operators are told the size of a block. The result fits this processor
and this release of ONNX Runtime only.
"""

from functools import lru_cache

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime

from export.layouts.optimised import optimised
from export.layouts.placeholders import NCHWC, sites_of
from export.operators.nodes import DOMAIN, VERSION, is_operator


def arrange(file: bytes) -> bytes | None:
    """The same graph in the blocked layout, to be opened with ONNX Runtime's optimisation off.

    Returns:
        The arranged file, or None where none of our operators works on maps, or ONNX Runtime keeps no convolution of
        the graph in that layout.

    Raises:
        BlockedLayoutError: what came back of the stand-ins is not what was put in.
    """
    graph = ir.from_proto(onnx.load_from_string(file))
    sites = sites_of(graph.graph)
    if not sites:
        return None
    for site in sites:
        site.put_in(graph.graph)
    if not any(is_operator(node) for node in graph.graph):
        graph.opset_imports.pop(DOMAIN, None)
    arranged = ir.from_proto(optimised(ir.to_proto(graph).SerializeToString()))
    if not any(node.domain == NCHWC for node in arranged.graph):
        return None
    block = block_size()
    for site in sites:
        site.put_back(arranged.graph, block)
    kept = {name for site in sites for name in site.kept}
    for value in [value for value in arranged.graph.outputs if value.name in kept]:
        arranged.graph.outputs.remove(value)
    arranged.opset_imports[DOMAIN] = VERSION
    arranged.metadata_props.update(graph.metadata_props)
    return bytes(ir.to_proto(arranged).SerializeToString())


@lru_cache
def block_size() -> int:
    """Find how many channels ONNX Runtime keeps together on this processor, from what it makes of 64 in order."""
    shape = (1, 64, 1, 2)
    names = (onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape) for name in "xy")
    reorder = onnx.helper.make_node("ReorderInput", ["x"], ["y"], domain=NCHWC)
    graph = onnx.helper.make_graph([reorder], "block", [next(names)], [next(names)])
    opsets = [onnx.helper.make_opsetid("", 20), onnx.helper.make_opsetid(NCHWC, 1)]
    model = onnx.helper.make_model(graph, opset_imports=opsets, ir_version=10)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(  # noqa: TID251 a question to the runtime, no model
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    given = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    found = np.asarray(session.run(None, {"x": given})[0]).ravel()
    # Position 1 of channel 0 is the number 1; before it lie the channels of the first block.
    return int(np.flatnonzero(found == 1)[0])
