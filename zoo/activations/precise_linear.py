"""A linear layer inside an activation: never in less precision than its input, under autocast either."""

from torch import Tensor
from torch.nn import functional as F

from zoo.activations.recompute import overridable
from zoo.numerics.precision import full_precision


@overridable
def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x·weight' + bias in the precision of x, whatever the parameters are stored in.

    Args:
        x: (n, c).
        weight: (m, c).
        bias: (m,) or None.

    Returns:
        (n, m) in the dtype of x.
    """
    with full_precision(x):
        return F.linear(x, weight.to(x.dtype), None if bias is None else bias.to(x.dtype))
