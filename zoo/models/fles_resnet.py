"""ResNets with FleS at the first activation and at the output of every block, and SiLU elsewhere.

Source: FleS slides (ICLR 2026), table 3, for `fles_resnet50`; that these two of a bottleneck's three activations carry
FleS is our reading, which meets the printed number of parameters. In the basic blocks of ResNet-18 they are all there
are [ours].
"""

from collections.abc import Callable
from typing import Any

from timm.models.resnet import BasicBlock, Bottleneck, ResNet
from torch import nn

from zoo.activations.gates import gate_spec, make_gate
from zoo.errors import ConfigurationError, suggestion
from zoo.models import salunet_c
from zoo.models.activation_layout import sites
from zoo.models.model_spec import CIFAR_MEAN, CIFAR_STD, MODELS, ModelSpec
from zoo.models.paper import FLES
from zoo.models.parts import Parts

OPTIONS = salunet_c.OPTIONS | {"gate_at", "rest_act", "attn_layer"}


def build(spec: ModelSpec, parts: Parts, options: dict[str, Any]) -> ResNet:
    """Assemble a ResNet from a row of numbers.

    Args:
        spec: its `numbers` are those of `zoo.models.salunet_c` and `gate_at`, the default below.
        parts: factories for normalisation sites and gates.
        options: those of `zoo.models.salunet_c`, and
            - `gate_at`: the activations that the gate takes, of "stem" and every block's "act1", "act2" and, in a
              bottleneck, "act3"; the last one is the block's output. Default: the first and the last of every block for
              a gate with parameters for each channel, such as FleS; all of them for any other.
            - `rest_act`: the gate of the others, "silu" by default;
            - `attn_layer`: timm's name of an attention module at the end of every residual branch; "se" is the rival
              squeeze-and-excitation.

    Raises:
        UnknownNameError: no such `rest_act`.
        ConfigurationError: an unknown place, or as `zoo.models.salunet_c.build` does.
    """
    options = dict(options)
    chosen, rest = options.pop("gate_at", None), options.pop("rest_act", "silu")
    if "attn_layer" in options:
        options["block_args"] = {"attn_layer": options.pop("attn_layer")}
    model = salunet_c.build(spec, parts, options)
    places = [(site, "stem" if site.owner is model else site.attribute) for site in sites(model)]
    everywhere = {name for _, name in places}
    if chosen is None:
        chosen = spec.numbers["gate_at"] if gate_spec(parts.act_name).channelwise else everywhere
    unknown = sorted(set(chosen) - everywhere)
    if unknown:
        raise ConfigurationError(f"{spec.name} has no activation {unknown[0]!r}. {suggestion(unknown[0], everywhere)}")
    for site, name in places:
        if name not in chosen:
            setattr(site.owner, site.attribute, make_gate(rest, site.num_features, 1).to(**parts.placement))
    return model


def _row(name: str, block: Callable[..., nn.Module], layers: tuple[int, ...], source: str, **fields: Any) -> None:
    gate_at = ("act1", "act3") if block is Bottleneck else ("act1", "act2")
    common: dict[str, Any] = {
        "build": build,
        "family": "fles_resnet",
        "paper": FLES,
        "twin": {"act": "silu"},
        "numbers": {
            "block": block,
            "layers": layers,
            "quasi_linear_shortcut": block is Bottleneck,
            "cifar_stem": name.endswith("_cifar"),
            "gate_at": gate_at,
        },
        "norm": "batchnorm",
        "norms": ("batchnorm", "salu", "layernorm", "dyt", "derf"),
        "act": "fles",
        "first_conv": "conv1",
        "classifier": "fc",
        "options": OPTIONS,
        "source": source,
    }
    MODELS.add(name, ModelSpec(name=name, **common, **fields))


_IMAGENET: dict[str, Any] = {"input_size": (3, 224, 224), "num_classes": 1000, "reduction": 32}
_CIFAR: dict[str, Any] = {
    "input_size": (3, 32, 32),
    "num_classes": 10,
    "reduction": 8,
    "mean": CIFAR_MEAN,
    "std": CIFAR_STD,
    "crop_pct": 1.0,
}
_PAPER = "FleS slides (ICLR 2026), table 3"
_OURS = "the rule of the FleS slides in basic blocks (ours)"

_row("fles_resnet18", BasicBlock, (2, 2, 2, 2), _OURS, description="ResNet-18 with FleS in every block", **_IMAGENET)
_row(
    "fles_resnet18_cifar",
    BasicBlock,
    (2, 2, 2, 2),
    _OURS,
    description="ResNet-18 with the CIFAR stem (3x3, stride 1, no max-pool) and FleS in every block",
    **_CIFAR,
)
_row("fles_resnet50", Bottleneck, (3, 4, 6, 3), _PAPER, description="ResNet-50 with FleS in every block", **_IMAGENET)
