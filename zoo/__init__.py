"""Networks whose activations learn their own shape, SaluNet and FleS: define, load, convert, train and measure them.

    import zoo
    model = zoo.create_model("salunet_c18_cifar", pretrained=True)
    print(zoo.list_pretrained())

Every name below loads when it is first used, so that `import zoo` costs nothing and needs no torch. The models are
known to timm once `zoo.models` has been imported.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zoo.activations import list_activations
    from zoo.adoption.adopt import adopt
    from zoo.conversion import convert, load_converted
    from zoo.data.labels import labels_of
    from zoo.data.preprocess import Preprocess
    from zoo.errors import ZooError
    from zoo.evaluation import evaluate, evaluate_text
    from zoo.models import list_models
    from zoo.names import load_model
    from zoo.training import finetune, load_recipe, train
    from zoo.weights.create import create_model
    from zoo.weights.identity import identity_of
    from zoo.weights.locate import list_pretrained

    __version__: str

# Public name -> the module that defines it.
_LAZY = {
    "Preprocess": "zoo.data.preprocess",
    "ZooError": "zoo.errors",
    "adopt": "zoo.adoption.adopt",
    "convert": "zoo.conversion",
    "create_model": "zoo.weights.create",
    "evaluate": "zoo.evaluation",
    "evaluate_text": "zoo.evaluation",
    "finetune": "zoo.training",
    "identity_of": "zoo.weights.identity",
    "labels_of": "zoo.data.labels",
    "list_activations": "zoo.activations",
    "list_models": "zoo.models",
    "list_pretrained": "zoo.weights.locate",
    "load_converted": "zoo.conversion",
    "load_model": "zoo.names",
    "load_recipe": "zoo.training",
    "train": "zoo.training",
}

__all__ = [
    "Preprocess",
    "ZooError",
    "adopt",
    "convert",
    "create_model",
    "evaluate",
    "evaluate_text",
    "finetune",
    "identity_of",
    "labels_of",
    "list_activations",
    "list_models",
    "list_pretrained",
    "load_converted",
    "load_model",
    "load_recipe",
    "train",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return _version()
    if name not in _LAZY:
        raise AttributeError(f"module 'zoo' has no attribute {name!r}")
    value = getattr(importlib.import_module(_LAZY[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])


def _version() -> str:
    """The installed distribution's version; "0+unknown" where the source runs without being installed."""
    found: str | None = importlib.import_module("zoo.environment").version_of("salu-zoo")
    return found or "0+unknown"
