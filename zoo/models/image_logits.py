"""Image classifiers of transformers as training, evaluation and export take them: a tensor in, logits out."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from zoo.errors import ConfigurationError

CLASS_ENDING = "ForImageClassification"
"""How transformers calls a class with one classifier on images."""


class ImageLogits(nn.Module):
    """The logits of a network of transformers for images (n, c, h, w), under timm's names for its classifier.

    Args:
        network: a `...ForImageClassification`, whose last linear layer in `classifier` gives the logits.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    @property
    def config(self) -> Any:
        """The configuration of the network, with its class names."""
        return self.network.config

    def forward(self, images: Tensor) -> Tensor:
        """Images (n, c, h, w) to logits (n, classes)."""
        return self.network(pixel_values=images).logits  # type: ignore[no-any-return]

    def get_classifier(self) -> nn.Module:
        """The part that gives the logits.

        Raises:
            ConfigurationError: the network keeps it under another name than `classifier`.
        """
        found = getattr(self.network, "classifier", None)
        if not isinstance(found, nn.Module) or not any(isinstance(part, nn.Linear) for part in found.modules()):
            raise ConfigurationError(f"{type(self.network).__name__} has no linear layer in `classifier`.")
        return found

    def reset_classifier(self, num_classes: int) -> None:
        """Put a fresh linear layer in place of the last one of the classifier; class names are dropped.

        Raises:
            ConfigurationError: as `get_classifier`.
        """
        name, last = [(n, m) for n, m in self.get_classifier().named_modules() if isinstance(m, nn.Linear)][-1]
        fresh = nn.Linear(last.in_features, num_classes).to(last.weight)
        nn.init.trunc_normal_(fresh.weight, std=getattr(self.config, "initializer_range", 0.02))
        nn.init.zeros_(fresh.bias)
        self.network.set_submodule(f"classifier.{name}".rstrip("."), fresh)
        self.config.num_labels = num_classes  # which also names them LABEL_0, ...


def takes_images(config: Mapping[str, Any]) -> bool:
    """True for the config.json of an image classifier of transformers."""
    names = config.get("architectures")
    return isinstance(names, list) and bool(names) and str(names[0]).endswith(CLASS_ENDING)
