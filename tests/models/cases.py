"""The models under test, small enough to run: images are shrunk, never the networks."""

import torch
from torch import Tensor, nn

from zoo.models import MODELS, build_model

ALL = MODELS.names()
# Maps (n, c, h, w); tokens (n, t, c) of one resolution; maps of tokens (n, h, w, c).
CONVOLUTIONAL = [name for name in ALL if MODELS.get(name).channel_axis == 1]
TRANSFORMERS = [name for name in ALL if MODELS.get(name).family in ("salunet_t", "fles_vit")]
WINDOWED = [name for name in ALL if MODELS.get(name).family == "fles_swin"]
# One of each kind, cheap to run with real numbers.
REPRESENTATIVES = ["salunet_c18_cifar", "salunet_t_cifar", "fles_poolformer_cifar", "fles_swin_cifar"]
# Larger or smaller than one of the same kind that is tested by default; `pytest -m slow` tests them too.
COSTLY = {
    "salunet_c34",
    "salunet_c34_cifar",
    "salunet_c50_cifar",
    "salunet_c101",
    "salunet_c101_cifar",
    "salunet_t_base",
    "salunet_t_small",
    "salunet_t_tiny",
    "fles_poolformer_s12",
    "fles_resnet18",
    "fles_resnet50",
    "fles_swin_base",
    "fles_swin_micro",
    "fles_swin_min",
    "fles_swin_tiny",
    "fles_vit_base_patch16",
    "fles_vit_small_patch16",
}


def small_size(name: str) -> int:
    """A side that leaves every model at least one cell: two patches for ViT-B/16, 2x2 cells for a ResNet."""
    side = MODELS.get(name).input_size[1]
    return 32 if side == 32 or name not in CONVOLUTIONAL else 64


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
