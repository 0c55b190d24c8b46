"""A network followed step by step, with three figures: second moment, largest value, amplification.

They start as the images' own second moment q, their largest |x|, and 1. Each step has a rule:

    convolution, linear   q: σ_w²·q + mean b², σ_w² the fan-in times the mean square of the weights (mean-field theory:
                          an output is a sum of many independent terms); amplification: the spectral norm, or a bound
    SALU, SWALU, GALU     q: E[f(√q·z)²], z ~ N(0, 1), f all of them directly behind each other;
                          amplification: the largest slope for |x| up to the largest value
    addition              q: the sum, as if the two were uncorrelated; amplification: the sum
    BatchNorm, pooling    no q; amplification: the largest |scale|; the overlap of windows; 1/√positions

The amplification at the end is an upper bound of ‖f(x) - f(y)‖ / ‖x - y‖ over all images. The q are a prediction, as
good as the assumptions of mean-field theory. Attention, LayerNorm and FleS have no rule: behind them there is no bound.

Source: arXiv 2606.02927, section 4.1 and appendix D, for the second moment; the rest is ours.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, cast

from torch import fx, nn

from zoo.analysis._graph import attached_weights, module_of, shape_of, traced
from zoo.analysis._mode import evaluating
from zoo.analysis.geometry import KINDS, describe_layer
from zoo.analysis.propagation_rules import UNKNOWN, Carried, sigma_w2, through_function, through_module
from zoo.analysis.variance_map import VarianceMap, describe_map
from zoo.records import Record


@dataclass(frozen=True)
class Arrival(Record):
    """Theoretical prediction for the input of one SALU, SWALU or GALU.

    Args:
        layer: its path.
        moment: the predicted second moment of its input; None where no rule leads there.
        restarted: whether the prediction goes on from the measured moment here, since none led to this layer.
        radius: an upper bound of |x|; None where none is known.
        lipschitz: an upper bound of the amplification from the image to here; None where none is known.
    """

    layer: str
    moment: float | None
    restarted: bool
    radius: float | None
    lipschitz: float | None


@dataclass(frozen=True)
class Propagation(Record):
    """A network followed from the image to its output.

    Args:
        arrivals: each SALU, SWALU and GALU, in the order they run.
        maps: the variance map of each SALU next to a convolution or linear layer.
        lipschitz: an upper bound of the whole network's Lipschitz constant; None where there is none.
        stopped: the first step without a rule for the bound, with its class; None where there is none.
    """

    arrivals: tuple[Arrival, ...]
    maps: tuple[VarianceMap, ...]
    lipschitz: float | None
    stopped: str | None


def propagate(
    model: nn.Module,
    shape: tuple[int, int, int],
    radius: float,
    moment: float | None = None,
    measured: Mapping[str, float] | None = None,
    *,
    bound: bool = True,
) -> Propagation:
    """Follow a model step by step.

    Args:
        model: a network for images; left in the mode it was in, part by part.
        shape: channels, height and width of an image.
        radius: the largest |x| an image can have.
        moment: E[x²] of the images; None predicts no second moments.
        measured: E[x²] of the inputs of SALU, SWALU and GALU, by path: where the prediction is lost it starts anew.
        bound: whether to carry the amplification as well, which decomposes every convolution.

    Raises:
        ConfigurationError: the forward pass depends on values, so that there is no one graph.
    """
    with evaluating(model):
        graph = traced(model, shape)
    images = Carried(moment, radius, 1.0 if bound else None)
    walk = _Walk(graph, measured or {})
    for node in graph.graph.nodes:
        walk.values[node] = walk.step(node, images)
    end = walk.values[graph.graph.output_node()]
    stopped = walk.stopped if bound and end.lipschitz is None else None
    return Propagation(tuple(walk.arrivals), tuple(_maps(graph)), end.lipschitz, stopped)


class _Walk:
    """The values so far."""

    def __init__(self, graph: fx.GraphModule, measured: Mapping[str, float]) -> None:
        self.graph, self.measured = graph, measured
        self.values: dict[fx.Node, Carried] = {}
        self.arrivals: list[Arrival] = []
        self.stopped: str | None = None

    def step(self, node: fx.Node, images: Carried) -> Carried:
        if node.op == "placeholder":
            return images if shape_of(node) is not None else UNKNOWN
        inputs = [n for n in node.all_input_nodes if shape_of(n) is not None]
        if node.op == "output":
            return self.values[inputs[0]] if len(inputs) == 1 else UNKNOWN
        after = shape_of(node)
        if not inputs or after is None:
            return UNKNOWN
        values, before = [self.values[n] for n in inputs], [cast(tuple[int, ...], shape_of(n)) for n in inputs]
        found = self._apply(node, values, before, after)
        if self.stopped is None and found.lipschitz is None:
            self.stopped = f"{node.name} ({type(module_of(self.graph, node) or node.target).__name__})"
        return found

    def _apply(
        self, node: fx.Node, values: Sequence[Carried], before: Sequence[tuple[int, ...]], after: tuple[int, ...]
    ) -> Carried:
        module = module_of(self.graph, node)
        if module is None or len(values) != 1:
            return through_function(node.target, values, before, after)
        value, path = values[0], str(node.target)
        if isinstance(module, KINDS):
            value = self._arrive(path, value)
        return through_module(path, module, value, before[0], after)

    def _arrive(self, path: str, value: Carried) -> Carried:
        restarted = value.moment is None and path in self.measured
        if restarted:
            value = Carried(self.measured[path], value.radius, value.lipschitz)
        radius = value.radius if value.radius < math.inf else None
        self.arrivals.append(Arrival(path, value.moment, restarted, radius, value.lipschitz))
        return value


def _maps(graph: fx.GraphModule) -> list[VarianceMap]:
    """The map of every SALU, with the weights in front of it or, where there are none, those behind it."""
    found = []
    for node in graph.graph.nodes:
        module = module_of(graph, node)
        if not isinstance(module, KINDS):
            continue
        layer = describe_layer(str(node.target), module)
        near = next(iter(attached_weights(graph, node)), None)
        if layer.kind != "SALU" or near is None:
            continue
        side, weights = near
        sigma = sigma_w2(cast("nn.Conv2d | nn.Linear", module_of(graph, weights)))
        position = cast(Literal["before", "after"], side)
        found.append(describe_map(layer, str(weights.target), sigma, position))
    return found
