"""Vision transformers with FleS in the hidden layer of every MLP.

Source: FleS slides (ICLR 2026), table 3, for `fles_vit_base_patch16`; tiny and small follow the same rule [ours]. The
backbone is timm's (arXiv 2010.11929).
"""

from zoo.models.model_spec import MODELS, ModelSpec
from zoo.models.paper import FLES
from zoo.models.salunet_t import LAST_BLOCKS, OPTIONS, Transformer, build


def _row(size: str, width: int, heads: int, source: str) -> None:
    name = f"fles_vit_{size}_patch16"
    MODELS.add(
        name,
        ModelSpec(
            name=name,
            build=build,
            family="fles_vit",
            paper=FLES,
            twin={"act": "gelu"},
            numbers={"cls": Transformer, "patch_size": 16, "embed_dim": width, "depth": 12, "num_heads": heads},
            input_size=(3, 224, 224),
            num_classes=1000,
            reduction=16,
            patch_size=16,
            channel_axis=-1,
            norm="layernorm",
            norms=("layernorm", "salu", "dyt", "derf"),
            act="fles",
            first_conv="patch_embed.proj",
            classifier="head",
            options=OPTIONS,
            feature_cfg=LAST_BLOCKS,
            crop_pct=0.9,
            description=f"ViT-{size.capitalize()}/16 with FleS in every MLP",
            source=source,
        ),
    )


_row("tiny", 192, 3, "the rule of the FleS slides at another width (ours)")
_row("small", 384, 6, "the rule of the FleS slides at another width (ours)")
_row("base", 768, 12, "FleS slides (ICLR 2026), table 3")
