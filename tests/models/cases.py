"""The models under test, small enough to run: images are shrunk, never the networks."""

import torch
from torch import Tensor, nn

from zoo.models import MODELS, build_model

ALL = MODELS.names()
CONVOLUTIONAL = [name for name in ALL if MODELS.get(name).family == "salunet_c"]
TRANSFORMERS = [name for name in ALL if MODELS.get(name).family == "salunet_t"]
# One of each kind, cheap to run with real numbers.
REPRESENTATIVES = ["salunet_c18_cifar", "salunet_t_cifar"]


def small_size(name: str) -> int:
    """A side that leaves every model at least one cell: two patches for ViT-B/16, 2x2 cells for a ResNet."""
    side = MODELS.get(name).input_size[1]
    return 32 if side == 32 or name in TRANSFORMERS else 64


def small_model(name: str, seed: int = 0, **kwargs: object) -> nn.Module:
    torch.manual_seed(seed)
    return build_model(name, img_size=small_size(name), **kwargs)


def images(name: str, batch: int = 2, channels: int = 3) -> Tensor:
    side = small_size(name)
    return torch.randn(batch, channels, side, side, generator=torch.Generator().manual_seed(1))


def meta_model(name: str, **kwargs: object) -> nn.Module:
    """A full-size model without memory: shapes and names are real, numbers are not."""
    return build_model(name, device="meta", **kwargs).eval()


def meta_images(name: str, batch: int = 2) -> Tensor:
    return torch.empty(batch, *MODELS.get(name).input_size, device="meta")
