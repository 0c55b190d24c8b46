"""SaluNet-T: vision transformers in which SALU stands for every LayerNorm and GALU or SWALU for every GELU.

Source: paper, section 5.4, and the compact CIFAR transformer it cites for `salunet_t_cifar`; the tiny, small and
base sizes at 224 pixels are timm's [the paper announces them as ongoing].
"""

import math
from collections.abc import Iterator
from typing import Any

from timm.layers import Attention
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from zoo.models.decay import Undecayed
from zoo.models.model_spec import CIFAR_MEAN, CIFAR_STD, MODELS, ModelSpec
from zoo.models.paper import SALUNET, Reported
from zoo.models.parts import Factory, Parts

OPTIONS = frozenset(
    [
        "drop_rate",
        "pos_drop_rate",
        "patch_drop_rate",
        "proj_drop_rate",
        "attn_drop_rate",
        "drop_path_rate",
        "global_pool",
        "dynamic_img_size",
        "dynamic_img_pad",
        "class_token",
        "reg_tokens",
        "no_embed_class",
        "init_values",
        "qk_norm",
    ]
)

LAST_BLOCKS = {"out_indices": 3, "feature_cls": "getter"}
"""Feature maps of a transformer: those of its last blocks."""


class Scale(nn.Module):
    """x · factor, without parameters.

    Args:
        factor: the constant.
    """

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        """Return x · factor, of the shape of `x`."""
        return x * self.factor

    def extra_repr(self) -> str:
        """The factor, for printing."""
        return f"{self.factor:g}"


class FullWidthAttention(Attention):  # type: ignore[misc]
    """Multi-head attention, softmax(q·kᵀ / sqrt(dim))·v: divided by the root of the full width, not of a head's.

    timm divides by sqrt(head_dim), in its own code or inside the fused kernel, which takes no notice of
    `self.scale`. Shrinking q by sqrt(head_dim / dim) beforehand is right for both and adds one multiplication.

    Args:
        dim: width of a token.
        num_heads: number of heads.
        **kwargs: as for timm's `Attention`, without `qk_norm`.

    Source: the CIFAR transformer cited in the paper, section 5.4.
    """

    def __init__(self, dim: int, num_heads: int, **kwargs: Any) -> None:
        super().__init__(dim, num_heads=num_heads, **kwargs)
        self.q_norm = Scale(math.sqrt(self.head_dim / dim))


class TwiceGatedMlp(nn.Module):
    """gate₂(W₂·gate₁(W₁·x + b₁) + b₂): an activation after both linear layers.

    Args:
        in_features: width of a token, in and out.
        hidden_features: width between the two layers.
        act_layer: factory of the gates; called twice, so each has its own (a, b).
        drop: dropout rate after each gate.
        bias: whether the linear layers have a bias.
        norm_layer: accepted because timm passes it; there is no norm inside.
        **placement: `device` and `dtype`.

    Source: the CIFAR transformer cited in the paper, section 5.4.
    """

    def __init__(
        self,
        in_features: int,
        hidden_features: int,
        act_layer: Factory,
        drop: float = 0.0,
        bias: bool = True,
        norm_layer: Factory | None = None,
        **placement: Any,
    ) -> None:
        super().__init__()
        self.fc1 = nn.Linear(in_features, hidden_features, bias=bias, **placement)
        self.act1 = act_layer()
        self.drop1 = nn.Dropout(drop)
        self.fc2 = nn.Linear(hidden_features, in_features, bias=bias, **placement)
        self.act2 = act_layer()
        self.drop2 = nn.Dropout(drop)

    def gate_sites(self) -> Iterator[tuple[str, int]]:
        """Attribute and width of both gates."""
        yield "act1", self.fc1.out_features
        yield "act2", self.fc2.out_features

    def forward(self, x: Tensor) -> Tensor:
        """Map tokens (n, t, in_features) to the same shape."""
        x = self.drop1(self.act1(self.fc1(x)))
        y: Tensor = self.drop2(self.act2(self.fc2(x)))
        return y


class Transformer(Undecayed, VisionTransformer):  # type: ignore[misc]
    """timm's VisionTransformer, which names the parameters of its activations as not to be decayed."""


class CifarTransformer(Transformer):
    """timm's VisionTransformer with the start of the cited CIFAR code.

    Positions are drawn from the standard normal distribution, and so is the class token [ours: the specification
    names only the positions]. Linear layers keep torch's own start [ours], where timm would use deviation 0.02.
    """

    def init_weights(self, mode: str = "", needs_reset: bool = True) -> None:
        """Draw positions and tokens; see `VisionTransformer.init_weights` for the arguments."""
        super().init_weights(mode or "reset", needs_reset)
        for table in (self.pos_embed, self.cls_token, self.reg_token):
            if table is not None:
                nn.init.normal_(table)


def build(spec: ModelSpec, parts: Parts, options: dict[str, Any]) -> VisionTransformer:
    """Assemble a vision transformer from a row of numbers.

    Args:
        spec: its `numbers` are timm's VisionTransformer arguments and `cls`, the class to call.
        parts: factories for normalisation sites and gates.
        options: further arguments of timm's VisionTransformer.
    """
    numbers = dict(spec.numbers)
    cls = numbers.pop("cls")
    return cls(norm_layer=parts.norm, act_layer=parts.gate, **parts.placement, **numbers, **options)


def _row(size: str, numbers: dict[str, Any], **fields: Any) -> None:
    name = f"salunet_t_{size}"
    common: dict[str, Any] = {
        "build": build,
        "family": "salunet_t",
        "paper": SALUNET,
        "twin": {"norm": "layernorm", "act": "gelu"},
        "norm": "salu",
        "norms": ("salu", "layernorm", "dyt", "derf"),
        "act": "galu",
        "first_conv": "patch_embed.proj",
        "classifier": "head",
        "reduction": numbers["patch_size"],
        "patch_size": numbers["patch_size"],
        "channel_axis": -1,
        "feature_cfg": LAST_BLOCKS,
    }
    MODELS.add(name, ModelSpec(name=name, numbers=numbers, **{"options": OPTIONS, **common, **fields}))


def _row_224(size: str, width: int, heads: int) -> None:
    _row(
        size,
        {"cls": Transformer, "patch_size": 16, "embed_dim": width, "depth": 12, "num_heads": heads},
        input_size=(3, 224, 224),
        num_classes=1000,
        crop_pct=0.9,
        description=f"SaluNet-T-{size.capitalize()}: ViT-{size.capitalize()}/16 without normalisation layers",
        source="timm's ViT with the replacement of arXiv:2606.02927 (announced there as ongoing)",
    )


_CIFAR = {"how": "200 epochs, mean of several runs", "section": "5.4"}
_row(
    "cifar",
    {
        "cls": CifarTransformer,
        "patch_size": 4,
        "embed_dim": 384,
        "depth": 7,
        "num_heads": 12,
        "mlp_ratio": 1.0,
        "attn_layer": FullWidthAttention,
        "mlp_layer": TwiceGatedMlp,
    },
    options=OPTIONS - {"qk_norm"},
    input_size=(3, 32, 32),
    num_classes=10,
    mean=CIFAR_MEAN,
    std=CIFAR_STD,
    crop_pct=1.0,
    description="SaluNet-T-CIFAR: a 7-block vision transformer on 4x4 patches without normalisation layers",
    source="arXiv:2606.02927, section 5.4",
    reported={
        "cifar10": Reported(top1=90.96, top5=None, **_CIFAR),
        "cifar100": Reported(top1=68.00, top5=None, **_CIFAR),
    },
)
_row_224("tiny", 192, 3)
_row_224("small", 384, 6)
_row_224("base", 768, 12)
