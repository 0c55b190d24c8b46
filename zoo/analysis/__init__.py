"""Looking into trained models: what FleS's coefficients do, and what the order of the samples changes."""

from zoo.analysis.coefficients import LayerCoefficients, coefficients
from zoo.analysis.order import OrderEffect, order_effect
from zoo.analysis.plot import plot_coefficients

__all__ = ["LayerCoefficients", "OrderEffect", "coefficients", "order_effect", "plot_coefficients"]
