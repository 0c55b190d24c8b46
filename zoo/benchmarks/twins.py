"""The network a model is timed against: the same backbone from the same builder, without what this project adds."""

from zoo.models.build import find_spec
from zoo.models.text_models import TEXT_MODELS

# By family; a text model has its LayerNorm anyway.
_TWINS: dict[str, dict[str, str]] = {
    "salunet_c": {"norm": "batchnorm", "act": "relu"},
    "salunet_t": {"norm": "layernorm", "act": "gelu"},
    "fles_resnet": {"act": "silu"},
    "fles_swin": {"act": "gelu"},
    "fles_vit": {"act": "gelu"},
    "fles_poolformer": {"act": "gelu"},
}
_TEXT_TWIN = {"act": "gelu"}


def twin_of(model: str) -> dict[str, str]:
    """Arguments of `zoo.create_model` that turn a model into its twin, such as {"norm": "batchnorm", "act": "relu"}.

    Args:
        model: an architecture's name.

    Raises:
        UnknownNameError: there is no such model.
    """
    return dict(_TEXT_TWIN if model in TEXT_MODELS else _TWINS[find_spec(model).family])  # type: ignore[union-attr]
