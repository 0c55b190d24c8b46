"""ReLU, GELU, SiLU and Mish are torch's own; here they get their place in the registry.

Sources: ReLU, Nair and Hinton 2010; GELU, arXiv 1606.08415; SiLU, arXiv 1702.03118; Mish, arXiv 1908.08681.
"""

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn import functional as F

from zoo.activations.spec import ACTIVATIONS, ActivationSpec

_ROWS: tuple[tuple[str, str, Callable[..., Tensor], type[nn.Module], str], ...] = (
    ("relu", "max(x, 0)", F.relu, nn.ReLU, "Nair and Hinton, ICML 2010; torch.nn.ReLU"),
    ("gelu", "x · Phi(x), Phi the normal distribution", F.gelu, nn.GELU, "arXiv 1606.08415; torch.nn.GELU"),
    ("silu", "x · sigmoid(x)", F.silu, nn.SiLU, "arXiv 1702.03118; torch.nn.SiLU"),
    ("mish", "x · tanh(softplus(x))", F.mish, nn.Mish, "arXiv 1908.08681; torch.nn.Mish"),
)
for _name, _formula, _functional, _module, _source in _ROWS:
    _spec = ActivationSpec(_name, _formula, _functional, _module, parameters=(), role="gate", source=_source)
    ACTIVATIONS.add(_name, _spec)

TORCH_GATES = tuple(row[0] for row in _ROWS)
"""The names of the gates that are torch's own."""
