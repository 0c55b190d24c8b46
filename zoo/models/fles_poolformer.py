"""PoolFormer with FleS: average pooling mixes the positions, and FleS stands in the hidden layer of every MLP.

Source: FleS slides (ICLR 2026), table 2, for `fles_poolformer_s12`; `fles_poolformer_cifar` is ours. The backbone is
timm's MetaFormer with the numbers of arXiv 2111.11418.
"""

from typing import Any

from timm.layers import LayerNorm2d, trunc_normal_
from timm.models.metaformer import MetaFormer
from torch import nn

from zoo.models.decay import Undecayed
from zoo.models.model_spec import CIFAR_MEAN, CIFAR_STD, MODELS, ModelSpec
from zoo.models.paper import FLES
from zoo.models.parts import Parts

OPTIONS = frozenset(["drop_rate", "drop_path_rate", "proj_drop_rate", "global_pool", "layer_scale_init_values"])


class PoolFormer(Undecayed, MetaFormer):  # type: ignore[misc]
    """timm's MetaFormer, which alone among timm's backbones here does not say how its parameters group by depth."""

    def group_matcher(self, coarse: bool = False) -> dict[str, Any]:
        """Parameters by depth, for timm's layer-wise learning rates."""
        fine = [(r"^stages\.(\d+)\.downsample", (0,)), (r"^stages\.(\d+)\.\w+\.(\d+)", None)]
        return {"stem": r"^stem", "blocks": r"^stages\.(\d+)" if coarse else fine}


def build(spec: ModelSpec, parts: Parts, options: dict[str, Any]) -> MetaFormer:
    """Assemble a PoolFormer from a row of numbers.

    Args:
        spec: its `numbers` are timm's MetaFormer arguments and `cifar_stem`.
        parts: factories for normalisation sites and gates. With norm="groupnorm" the norm before the classifier is
            timm's LayerNorm; it sees one position, where the two are the same but for epsilon.
        options: further arguments of timm's MetaFormer.
    """
    numbers = dict(spec.numbers)
    cifar = numbers.pop("cifar_stem")
    model = PoolFormer(
        downsample_norm=None,
        norm_layers=parts.norm,
        output_norm=LayerNorm2d if parts.norm_name == "groupnorm" else parts.norm,
        mlp_act=parts.gate,
        mlp_bias=True,
        res_scale_init_values=None,
        use_mlp_head=False,
        **parts.placement,
        **{**numbers, **options},
    )
    if cifar:
        _set_cifar_stem(model, parts)
    return model


def _set_cifar_stem(model: MetaFormer, parts: Parts) -> None:
    """Halve the resolution of a 32-pixel image instead of quartering it: a 3×3 convolution of stride 2 [ours]."""
    channels, width = model.stem.conv.in_channels, model.stem.conv.out_channels
    model.stem.conv = nn.Conv2d(channels, width, 3, stride=2, padding=1, **parts.placement)
    trunc_normal_(model.stem.conv.weight, std=0.02)
    nn.init.zeros_(model.stem.conv.bias)
    for stage in model.feature_info:
        stage["reduction"] //= 2


def _row(size: str, numbers: dict[str, Any], **fields: Any) -> None:
    name = f"fles_poolformer_{size}"
    common: dict[str, Any] = {
        "build": build,
        "family": "fles_poolformer",
        "paper": FLES,
        "twin": {"act": "gelu"},
        "numbers": numbers,
        "norm": "groupnorm",
        "norms": ("groupnorm", "batchnorm", "layernorm", "salu", "dyt", "derf"),
        "act": "fles",
        "first_conv": "stem.conv",
        "classifier": "head.fc",
        "options": OPTIONS,
        "feature_cfg": {"out_indices": tuple(range(len(numbers["depths"]))), "flatten_sequential": True},
    }
    MODELS.add(name, ModelSpec(name=name, **common, **fields))


_row(
    "s12",
    {"depths": (2, 2, 6, 2), "dims": (64, 128, 320, 512), "layer_scale_init_values": 1e-5, "cifar_stem": False},
    input_size=(3, 224, 224),
    num_classes=1000,
    reduction=32,
    crop_pct=0.9,
    description="PoolFormer-S12 with FleS in every MLP",
    source="FleS slides (ICLR 2026), table 2",
)
_row(
    "cifar",
    {"depths": (2, 2, 2), "dims": (64, 128, 256), "layer_scale_init_values": None, "cifar_stem": True},
    input_size=(3, 32, 32),
    num_classes=10,
    reduction=8,
    mean=CIFAR_MEAN,
    std=CIFAR_STD,
    crop_pct=1.0,
    description="A small PoolFormer for 32-pixel images with FleS in every MLP",
    source="ours, after PoolFormer (arXiv 2111.11418)",
)
