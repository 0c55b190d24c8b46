"""What kernels and activations stand on: the saturating unit, constants, axes, precision, the table of operators."""
