"""Search for the first place where an exported graph leaves the PyTorch model."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import torch
from numpy.typing import NDArray
from onnx.reference import ReferenceEvaluator
from torch import Tensor, nn

from export.digest import load_to_change
from export.inputs.input_spec import Feeds
from export.parity.given import by_module, run_torch
from export.passes.name_nodes import is_mean, module_of
from export.runtime.session import Session, open_session, run_session

Array = NDArray[Any]


@dataclass(frozen=True)
class _ComparedSite:
    """One call of a module without children: its path and what it returned."""

    path: str
    output: Array


def first_difference(
    model: nn.Module, file: bytes, feeds: Feeds, max_rel: float, opener: Callable[..., Session] = open_session
) -> str:
    """Name the first node that differs, in words.

    PyTorch's modules are run one by one, the graph with all its intermediate values as outputs, and FleS is given the
    graph's means where its input can have them; see `export.parity.given`. A module whose output occurs among the
    values of the graph is confirmed; the first one after the last confirmed module is the suspect (a module that an
    optimiser merged into the next occurs nowhere, so a single absence proves nothing). Among the nodes behind the last
    confirmed value, each is then recomputed alone by onnx's reference evaluator from the runtime's own inputs: a
    difference there means that the runtime is wrong, none means that the graph is.

    Args:
        model: the PyTorch model, in evaluation mode.
        file: the serialised ONNX file.
        feeds: the inputs on which the two disagreed, by name.
        max_rel: largest difference, relative to the largest magnitude of a value, that counts as equal.
        opener: what opens the file, as `open_session` does.
    """
    graph = ir.from_proto(onnx.load_from_string(file)).graph
    nodes = list(graph)
    values = _run_graph(file, feeds, opener)
    sites = _run_modules(model, feeds, values)
    position, confirmed = _last_confirmed(nodes, values, sites, max_rel)
    suspect = next((site.path for site in sites[confirmed + 1 :]), "")
    window = _window(nodes, position, suspect)
    if not window:
        return "none with every intermediate value as an output; the runtime's own graph optimiser is the suspect"
    for node in window:
        if not _agrees_with_reference(node, graph, values, max_rel):
            return f"node {node.name} ({node.op_type}): the runtime computes it differently from onnx's reference"
    after = f"module {sites[confirmed].path} still agrees" if confirmed >= 0 else "no module agrees"
    return (
        f"node {window[0].name} ({window[0].op_type}): {after}, module {suspect or '(none)'} does not; the graph goes "
        f"wrong between {window[0].name} and {window[-1].name}"
    )


def _window(nodes: list[ir.Node], position: int, suspect: str) -> list[ir.Node]:
    """The nodes behind a confirmed one, up to the last of the suspect module, or to the end if it has none there."""
    ahead = nodes[position + 1 :]
    inside = [i for i, node in enumerate(ahead) if suspect and module_of(str(node.name)) == suspect]
    return ahead[: inside[-1] + 1] if inside else ahead


def _run_graph(file: bytes, feeds: Feeds, opener: Callable[..., Session]) -> dict[str, Array]:
    """Every value of the graph, by name; the runtime's optimiser is off so that none is merged away."""
    proto = load_to_change(file)
    given: dict[str, Array] = {name: value.numpy() for name, value in feeds.items()}
    known = {output.name for output in proto.graph.output}
    names = [name for node in proto.graph.node for name in node.output if name]
    proto.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in known)
    session = opener(proto.SerializeToString(), optimize=False, spin=False)
    return dict(zip(names, run_session(session, given, names), strict=True)) | given


def _run_modules(model: nn.Module, feeds: Feeds, values: dict[str, Array]) -> list[_ComparedSite]:
    sites: list[_ComparedSite] = []

    def hook(path: str) -> Any:
        def keep(_module: nn.Module, _inputs: Any, output: Any) -> None:
            if isinstance(output, Tensor) and output.is_floating_point():
                sites.append(_ComparedSite(path, output.detach().numpy().copy()))

        return keep

    leaves = [(name, module) for name, module in model.named_modules() if not any(True for _ in module.children())]
    handles = [module.register_forward_hook(hook(name)) for name, module in leaves]
    means = {name: torch.from_numpy(value) for name, value in values.items() if is_mean(name)}
    try:
        run_torch(model, feeds, by_module(model, means))
    finally:
        for handle in handles:
            handle.remove()
    return sites


def _last_confirmed(
    nodes: list[ir.Node], values: dict[str, Array], sites: list[_ComparedSite], max_rel: float
) -> tuple[int, int]:
    """Position of the node and index of the module that agree and after which no module does; -1 for none."""
    for index in range(len(sites) - 1, -1, -1):
        site = sites[index]
        for position in _candidates(nodes, site.path):
            if _close(values.get(str(nodes[position].outputs[0].name)), site.output, max_rel):
                return position, index
    return -1, -1


def _candidates(nodes: list[ir.Node], path: str) -> Iterator[int]:
    """Nodes that may hold a module's output: its own from the last to the first, then those of the others."""
    own = [i for i, node in enumerate(nodes) if module_of(str(node.name)) == path]
    yield from reversed(own)
    yield from sorted(set(range(len(nodes))) - set(own))


def _agrees_with_reference(node: ir.Node, graph: ir.Graph, values: dict[str, Array], max_rel: float) -> bool:
    """Recompute one node from the runtime's inputs; one that onnx's evaluator cannot run counts as agreeing."""
    feeds: dict[str, Array] = {}
    for value in node.inputs:
        if value is not None and value.name:
            constant = graph.initializers.get(value.name)
            stored = constant.const_value if constant is not None else None
            feeds[value.name] = stored.numpy() if stored is not None else values[value.name]
    proto = ir.to_proto(node)
    given = [
        onnx.helper.make_tensor_value_info(name, onnx.helper.np_dtype_to_tensor_dtype(value.dtype), value.shape)
        for name, value in feeds.items()
    ]
    single = onnx.helper.make_graph([proto], "one", given, [onnx.ValueInfoProto(name=name) for name in proto.output])
    opset = onnx.helper.make_opsetid("", graph.opset_imports[""])
    try:
        with np.errstate(all="ignore"):
            results = ReferenceEvaluator(onnx.helper.make_model(single, opset_imports=[opset])).run(None, feeds)
    except (NotImplementedError, RuntimeError, TypeError, ValueError):
        return True
    pairs = zip(proto.output, results, strict=True)
    return all(_close(values.get(name), np.asarray(result), max_rel) for name, result in pairs)


def _close(value: Array | None, expected: Array, max_rel: float) -> bool:
    """Equal up to `max_rel` of the largest finite magnitude; not-finite entries must be the same ones."""
    if value is None or value.size != expected.size:
        return False
    a, b = value.reshape(-1).astype(np.float64), expected.reshape(-1).astype(np.float64)
    finite = np.isfinite(b)
    if not np.array_equal(np.isfinite(a), finite):
        return False
    scale = np.abs(b[finite]).max(initial=0.0)
    return bool(np.all(np.abs(a[finite] - b[finite]) <= max_rel * scale))
