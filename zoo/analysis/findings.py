"""Everything the analysis finds in one model, as one result."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn

from zoo.activations.fles import FleS
from zoo.analysis.coefficients import LayerCoefficients, coefficients
from zoo.analysis.geometry import LayerGeometry, StageGeometry, geometry, learned_pairs, stage_geometry
from zoo.analysis.jacobian import network_gains
from zoo.analysis.lipschitz import LayerBound, layer_bounds
from zoo.analysis.propagation import Propagation, propagate
from zoo.analysis.representation import StageRepresentation, representation
from zoo.analysis.signals import LayerSignal, signals
from zoo.errors import ConfigurationError

Batches = Callable[[], Iterable[Tensor]]
GAIN_IMAGES = 8
"""The network's own amplification is measured at so many images, the first of the first batch."""


@dataclass(frozen=True)
class Findings:
    """Findings in one model; empty or None where there is nothing to find, and `notes` say why.

    Args:
        geometry: S and W of each SALU, SWALU and GALU.
        stages: the same by stage.
        representation: by stage; needs images.
        signals: of each activation and norm; needs images.
        bounds: of each SALU, SWALU and GALU.
        propagation: the network followed step by step.
        coefficients: of each FleS; needs images.
        input_moment: E[x²] of the images; None without them.
        network_gains: lower bounds of the largest singular value of the Jacobian at some images.
        notes: what is missing, and why.
    """

    geometry: tuple[LayerGeometry, ...] = ()
    stages: tuple[StageGeometry, ...] = ()
    representation: tuple[StageRepresentation, ...] = ()
    signals: tuple[LayerSignal, ...] = ()
    bounds: tuple[LayerBound, ...] = ()
    propagation: Propagation | None = None
    coefficients: tuple[LayerCoefficients, ...] = ()
    input_moment: float | None = None
    network_gains: tuple[float, ...] = ()
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """All of it, ready for JSON."""
        lists = ("geometry", "stages", "representation", "signals", "bounds", "coefficients")
        return {name: [entry.to_dict() for entry in getattr(self, name)] for name in lists} | {
            "propagation": self.propagation.to_dict() if self.propagation else None,
            "input_moment": self.input_moment,
            "network_gains": list(self.network_gains),
            "notes": list(self.notes),
        }


def look_into(
    model: nn.Module, shape: tuple[int, int, int], radius: float, batches: Batches | None = None, *, bound: bool = True
) -> Findings:
    """Find everything that weights alone, or weights and images, say of a model.

    Args:
        model: a network for images; left in the mode it was in, part by part.
        shape: channels, height and width of an image.
        radius: the largest |x| a preprocessed image can have.
        batches: called for each pass over the images: batches (n, channels, height, width) on the model's device, the
            same every time. None: only what the weights say.
        bound: whether to compute the bound of the whole network, which decomposes every convolution.

    Raises:
        ConfigurationError: a batch does not fit, or a layer's a or b is not finite.
    """
    notes: list[str] = []
    layers = geometry(model) if any(True for _ in learned_pairs(model)) else []
    if not layers:
        notes.append("This network has no SALU, SWALU or GALU: no S and W, no bounds of their slopes, no variance map.")
    seen = _measure(model, batches, notes)
    moments = {signal.layer: signal.input_moment for signal in seen.get("signals", ())}
    walk = _attempt(
        notes, "The network as a whole", lambda: propagate(
            model, shape, radius, seen.get("input_moment"), moments, bound=bound
        )
    )  # fmt: skip
    radii = {arrival.layer: arrival.radius for arrival in walk.arrivals} if walk else {}
    return Findings(
        tuple(layers),
        tuple(stage_geometry(layers)),
        bounds=tuple(layer_bounds(layers, seen.get("signals", ()), radii)),
        propagation=walk,
        notes=tuple(notes),
        **seen,
    )


def _measure(model: nn.Module, batches: Batches | None, notes: list[str]) -> dict[str, Any]:
    """The parts that need images."""
    if batches is None:
        notes.append("Computed from the weights alone: no images were given, so nothing was measured.")
        return {}
    found: dict[str, Any] = {"input_moment": _mean_square(batches())}
    found["representation"] = tuple(_attempt(notes, "Representation", lambda: representation(model, batches())) or ())
    found["signals"] = tuple(_attempt(notes, "Signals", lambda: signals(model, batches())) or ())
    first = next(iter(islice(batches(), 1)))[:GAIN_IMAGES]
    found["network_gains"] = tuple(network_gains(model, first))
    if any(isinstance(module, FleS) for module in model.modules()):
        found["coefficients"] = tuple(coefficients(model, batches()))
    return found


def _attempt(notes: list[str], part: str, work: Callable[[], Any]) -> Any:
    """A part that some networks do not allow is left out with a note; the others do not suffer."""
    try:
        return work()
    except ConfigurationError as error:
        notes.append(f"{part}: {error}")
        return None


def _mean_square(batches: Iterable[Tensor]) -> float:
    total, count = 0.0, 0
    for batch in batches:
        total += float(batch.square().sum(dtype=torch.float64))
        count += batch.numel()
    if not count:
        raise ConfigurationError("There is no image to look at; give at least one.")
    return total / count
