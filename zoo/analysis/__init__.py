"""Looking into trained models: what they learned, how it carries the signal, and what the order of samples changes."""

from zoo.analysis.card_plots import plot_coefficients
from zoo.analysis.coefficients import LayerCoefficients, coefficients
from zoo.analysis.findings import Findings, look_into
from zoo.analysis.geometry import LayerGeometry, StageGeometry, geometry, stage_geometry
from zoo.analysis.order import OrderEffect, order_effect
from zoo.analysis.plot_curves import plot_curves
from zoo.analysis.plot_dynamics import plot_bounds, plot_depth, plot_variance_maps
from zoo.analysis.plot_geometry import plot_geometry
from zoo.analysis.plot_representation import plot_representation
from zoo.analysis.propagation import Propagation, propagate
from zoo.analysis.representation import StageRepresentation, representation
from zoo.analysis.signals import LayerSignal, signals

__all__ = [
    "Findings",
    "LayerCoefficients",
    "LayerGeometry",
    "LayerSignal",
    "OrderEffect",
    "Propagation",
    "StageGeometry",
    "StageRepresentation",
    "coefficients",
    "geometry",
    "look_into",
    "order_effect",
    "plot_bounds",
    "plot_coefficients",
    "plot_curves",
    "plot_depth",
    "plot_geometry",
    "plot_representation",
    "plot_variance_maps",
    "propagate",
    "representation",
    "signals",
    "stage_geometry",
]
