"""Basis of kernels and activations: the saturating unit, constants, axes, precision, the table of operators."""
