"""Kind of a module for a conversion: an activation or a norm layer of a known kind, or neither."""

import re

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from zoo.activations.parameters import activation_spec

# An activation is recognised by its exact class: a subclass may compute something else.
_CLASSES = {
    "torch.nn.modules.activation": {
        "SiLU": "silu",
        "GELU": "gelu",
        "ReLU": "relu",
        "ReLU6": "relu6",
        "Hardswish": "hardswish",
        "Mish": "mish",
        "LeakyReLU": "leaky_relu",
        "PReLU": "prelu",
        "ELU": "elu",
        "SELU": "selu",
        "CELU": "celu",
        "Softplus": "softplus",
    },
    "timm.layers.activations": {
        "Swish": "silu",
        "GELU": "gelu",
        "GELUTanh": "gelu",
        "QuickGELU": "gelu",
        "HardSwish": "hardswish",
        "Mish": "mish",
        "HardMish": "hard_mish",
        "PReLU": "prelu",
    },
    "transformers.activations": {
        "SiLUActivation": "silu",
        "GELUActivation": "gelu",
        "GELUTanh": "gelu",
        "PytorchGELUTanh": "gelu",
        "NewGELUActivation": "gelu",
        "FastGELUActivation": "gelu",
        "AccurateGELUActivation": "gelu",
        "QuickGELUActivation": "gelu",
        "MishActivation": "mish",
    },
}
USUAL_ACTIVATIONS = ("silu", "gelu", "relu", "relu6", "hardswish")
"""What is replaced if nothing else is asked for; "gelu" covers the exact, the tanh and the sigmoid form."""

_NORM_CLASS = re.compile(r"(Batch|Layer|Group|Instance|RMS|Rms|Simple)Norm(Exp|Act|Fp32|[123]d|1)*$")
_NORM_KINDS = {"rms": "rmsnorm", "simple": "rmsnorm"}
NORMS = ("batchnorm", "layernorm", "groupnorm", "rmsnorm", "instancenorm")

# The name under which torch's function modes see a functional call -> kind.
FUNCTIONS = {name: name for name in ("silu", "gelu", "relu", "relu6", "hardswish", "mish", "leaky_relu", "elu", "selu")}
NORM_FUNCTIONS = {f"{kind[:-4]}_norm": kind for kind in NORMS} | {"rms_norm": "rmsnorm"}


def activation_kind(module: nn.Module) -> str | None:
    """The kind of an activation: one of torch's, timm's or transformers', or the name of one of this project's."""
    cls = type(module)
    kind = _CLASSES.get(cls.__module__, {}).get(cls.__qualname__)
    if kind is not None:
        return kind
    spec = activation_spec(module)
    return spec.name if spec is not None and spec.role == "gate" and spec.module is cls else None


def resembled_kind(module: nn.Module) -> str | None:
    """The kind of the class that an activation of no known kind is derived from; None if there is none."""
    if activation_kind(module) is not None:
        return None
    ancestors = type(module).__mro__[1:]
    kinds = (_CLASSES.get(cls.__module__, {}).get(cls.__qualname__) for cls in ancestors)
    return next((kind for kind in kinds if kind is not None), None)


def norm_kind(module: nn.Module) -> str | None:
    """The kind of a norm layer, or None. timm's norm layers that hold an activation count; containers do not."""
    found = _NORM_CLASS.search(type(module).__name__)
    if isinstance(module, _BatchNorm):
        return "batchnorm"
    if found is None or not {name for name, _ in module.named_children()} <= {"act", "drop"}:
        return None
    word = found[1].lower()
    return _NORM_KINDS.get(word, f"{word}norm")


def norm_channels(module: nn.Module) -> tuple[int | None, int]:
    """Return the number of channels of a norm layer, None if it does not say, and the axis on which they lie."""
    shape = getattr(module, "normalized_shape", None)
    if shape is not None:
        count = shape[0] if len(shape) == 1 else None
    else:
        count = getattr(module, "num_features", None) or getattr(module, "num_channels", None)
    weight = getattr(module, "weight", None)
    if count is None and shape is None and weight is not None and weight.ndim == 1:
        count = len(weight)
    first = norm_kind(module) in ("batchnorm", "groupnorm", "instancenorm") or "2d" in type(module).__name__
    return count, 1 if first else -1
