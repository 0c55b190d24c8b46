"""Swin Transformers with FleS: attention in shifted windows, and FleS in the hidden layer of every MLP.

Source: FleS slides (ICLR 2026), tables 1 to 3, for min, micro, tiny and base; `fles_swin_cifar` is ours. The backbone
is timm's with the numbers of arXiv 2103.14030; min and micro are its Tiny with fewer blocks.
"""

from typing import Any

from timm.models.swin_transformer import SwinTransformer, SwinTransformerBlock
from torch import nn

from zoo.models.decay import Undecayed
from zoo.models.model_spec import CIFAR_MEAN, CIFAR_STD, MODELS, ModelSpec
from zoo.models.paper import FLES
from zoo.models.parts import Parts

OPTIONS = frozenset(
    [
        "drop_rate",
        "proj_drop_rate",
        "attn_drop_rate",
        "drop_path_rate",
        "global_pool",
        "dynamic_img_size",
        "strict_img_size",
    ]
)


class Swin(Undecayed, SwinTransformer):  # type: ignore[misc]
    """timm's SwinTransformer, which names the parameters of its activations as not to be decayed."""


def build(spec: ModelSpec, parts: Parts, options: dict[str, Any]) -> SwinTransformer:
    """Assemble a Swin Transformer from a row of numbers.

    Args:
        spec: its `numbers` are timm's SwinTransformer arguments.
        parts: factories for normalisation sites and gates. norm="layernorm" is torch's with its epsilon of 1e-5, which
            this backbone has and timm's ViT has not.
        options: further arguments of timm's SwinTransformer.
    """
    norm = nn.LayerNorm if parts.norm_name == "layernorm" else parts.norm
    model = Swin(norm_layer=norm, **parts.placement, **{**spec.numbers, **options})
    for block in model.modules():
        if isinstance(block, SwinTransformerBlock):
            block.mlp.act = parts.gate()  # timm fixes GELU here
    return model


def _row(size: str, numbers: dict[str, Any], **fields: Any) -> None:
    name = f"fles_swin_{size}"
    depths = numbers["depths"]
    common: dict[str, Any] = {
        "build": build,
        "family": "fles_swin",
        "paper": FLES,
        "twin": {"act": "gelu"},
        "numbers": {**numbers, "drop_path_rate": 0.0},  # timm starts at 0.1; here a recipe asks for it
        "input_size": (3, 224, 224),
        "num_classes": 1000,
        "reduction": numbers["patch_size"] * 2 ** (len(depths) - 1),
        "patch_size": numbers["patch_size"],
        "channel_axis": -1,
        "norm": "layernorm",
        "norms": ("layernorm", "dyt", "derf"),
        "act": "fles",
        "first_conv": "patch_embed.proj",
        "classifier": "head.fc",
        "options": OPTIONS,
        "feature_cfg": {"out_indices": tuple(range(len(depths))), "feature_cls": "getter"},
        "crop_pct": 0.9,
    }
    MODELS.add(name, ModelSpec(name=name, **{**common, **fields}))


def _row_224(size: str, depths: tuple[int, ...], source: str, width: int = 96, heads: int = 3) -> None:
    numbers = {
        "patch_size": 4,
        "window_size": 7,
        "embed_dim": width,
        "depths": depths,
        "num_heads": tuple(heads * 2**stage for stage in range(4)),
    }
    blocks = "-".join(map(str, depths))
    _row(size, numbers, source=source, description=f"Swin-{size.capitalize()}, depths {blocks}, with FleS in every MLP")


_row_224("min", (1, 1, 1, 1), "FleS slides (ICLR 2026), table 2")
_row_224("micro", (1, 2, 2, 2), "FleS slides (ICLR 2026), tables 1 and 3")
_row_224("tiny", (2, 2, 6, 2), "FleS slides (ICLR 2026), table 3")
_row_224("base", (2, 2, 18, 2), "FleS slides (ICLR 2026), table 1 (there with GELU only)", width=128, heads=4)
_row(
    "cifar",
    {"patch_size": 2, "window_size": 4, "embed_dim": 64, "depths": (2, 2, 2), "num_heads": (2, 4, 8)},
    input_size=(3, 32, 32),
    num_classes=10,
    mean=CIFAR_MEAN,
    std=CIFAR_STD,
    crop_pct=1.0,
    description="A small Swin Transformer for 32-pixel images with FleS in every MLP",
    source="ours, after Swin (arXiv 2103.14030)",
)
