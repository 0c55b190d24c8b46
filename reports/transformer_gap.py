"""Where SaluNet-T-CIFAR loses against its twin with LayerNorm and GELU: one thing changed at a time.

    python reports/transformer_gap.py --data data/cifar10 --report reports/transformer_gap.json
    python reports/transformer_gap.py --show reports/transformer_gap.json

The variants are those of transformer_gap.toml. What the zoo's builder leaves open is set there by recipe fields; what
it fixes, by a model of this script, whose sites, positions and attention scale can be chosen. All of it is ours.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import sweep
import torch
from experiment import Report, start
from timm.layers import Attention
from torch import Tensor, nn

from zoo.activations import SALU
from zoo.models import MODELS
from zoo.models.parts import NORMS

NAME = "salunet_t_sites"
SITES = {"attention": "norm1", "mlp": "norm2"}


class AffineSALU(nn.Module):
    """γ·SALU(x) + β, γ and β for each channel: what a LayerNorm has and SALU has not."""

    def __init__(self, features: int, a: float, b: float) -> None:
        super().__init__()
        self.salu = SALU(a=a, b=b)
        self.gain, self.shift = nn.Parameter(torch.ones(features)), nn.Parameter(torch.zeros(features))

    def forward(self, x: Tensor) -> Tensor:
        """Tokens (n, t, features) to the same shape."""
        return self.salu(x) * self.gain + self.shift  # type: ignore[no-any-return]


def build(spec: Any, parts: Any, options: dict[str, Any]) -> nn.Module:
    """What the zoo calls for the model `salunet_t_sites`."""
    chosen = {key: options.pop(key, None) for key in ("attention", "mlp", "head", "pos_std", "attention_scale")}
    if chosen["attention_scale"] == "head":
        spec = replace(spec, numbers={**spec.numbers, "attn_layer": Attention})
    model: Any = MODELS.get("salunet_t_cifar").build(spec, parts, options)
    for block in model.blocks:
        for site, attribute in SITES.items():
            if chosen[site] is not None:
                setattr(block, attribute, _stabiliser(chosen[site], model.embed_dim))
    if chosen["head"] is not None:
        model.norm = _stabiliser(chosen["head"], model.embed_dim)
    if chosen["pos_std"] is not None:
        for table in (model.pos_embed, model.cls_token):
            nn.init.normal_(table, std=chosen["pos_std"])
    return model  # type: ignore[no-any-return]


def _stabiliser(named: list[Any], features: int) -> nn.Module:
    """["salu", a, b], ["affine", a, b], ["none"] or ["layernorm"] and the like."""
    kind, *start = named
    if kind == "none":
        return nn.Identity()
    makers = {"salu": partial(SALU, features), "affine": partial(AffineSALU, features)}
    return makers[kind](a=start[0], b=start[1]) if kind in makers else NORMS.get(kind)(features, -1)


def register() -> None:
    """Make the model known to `train` by its name."""
    if NAME not in MODELS:
        row = MODELS.get("salunet_t_cifar")
        options = row.options | {"attention", "mlp", "head", "pos_std", "attention_scale"}
        MODELS.add(NAME, replace(row, name=NAME, build=build, options=options))


def main(argv: Sequence[str] | None = None) -> Report:
    """The command line of sweep.py over transformer_gap.toml."""
    register()
    return sweep.main([f"{Path(__file__).with_suffix('.toml')}", *([] if argv is None else argv)])


if __name__ == "__main__":
    import sys

    start(lambda: main(sys.argv[1:]))
