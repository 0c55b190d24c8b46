"""SaluNet-C: ResNets in which SALU stands for every BatchNorm and SWALU or GALU for every ReLU.

Source: paper, section 5.1 (C-18 with the CIFAR stem, C-50); C-34 and C-101 follow the same rule [ours].
The backbone is timm's, with its initialisation of the convolutions (normal, variance 2/fan_out).
"""

from collections.abc import Callable
from typing import Any

from timm.models.resnet import BasicBlock, Bottleneck, ResNet
from torch import nn

from zoo.errors import ConfigurationError
from zoo.models.fused_resnet import FUSED, FusedResNet, UndecayedResNet
from zoo.models.model_spec import CIFAR_MEAN, CIFAR_STD, MODELS, ModelSpec
from zoo.models.paper import SALUNET, Reported
from zoo.models.parts import Parts

OPTIONS = frozenset(
    [
        "quasi_linear_shortcut",
        "drop_rate",
        "drop_path_rate",
        "drop_block_rate",
        "global_pool",
        "output_stride",
        "zero_init_last",
    ]
)


def build(spec: ModelSpec, parts: Parts, options: dict[str, Any]) -> ResNet:
    """Assemble a ResNet from a row of numbers.

    Args:
        spec: its `numbers` are `block`, `layers`, `cifar_stem` and `quasi_linear_shortcut` (the default below).
        parts: factories for normalisation sites and gates.
        options: timm's ResNet arguments and `quasi_linear_shortcut`: whether the SALU behind each projection of
            a shortcut starts at (a, b) = (1, 0.01), S = W = 10. The default is yes for bottleneck nets: there, with
            the standard start, the signal does not get through the changes of resolution and the training loss
            stays where it began (paper, section 6.5; the values are [ours], their digits are lost). It is a start
            only; training moves these parameters like all others.

    Raises:
        ConfigurationError: a quasi-linear start without SALU, or an output stride the network does not have.
    """
    options = dict(options)
    wanted = options.pop("quasi_linear_shortcut", None)
    if wanted and not parts.learned_norm:
        raise ConfigurationError("quasi_linear_shortcut=True needs norm='salu': no other norm has such a start.")
    cifar = spec.numbers["cifar_stem"]
    if "output_stride" in options:
        options["output_stride"] = _output_stride(spec, options["output_stride"])
    block, network = spec.numbers["block"], UndecayedResNet
    if parts.norm_name == "salu" and parts.act_name == "swalu":
        block, network = FUSED[block], FusedResNet
    model = network(
        block=block,
        layers=spec.numbers["layers"],
        norm_layer=parts.norm,
        act_layer=parts.gate,
        **parts.placement,
        **options,
    )
    if cifar:
        _set_cifar_stem(model, parts)
    if parts.learned_norm and (spec.numbers["quasi_linear_shortcut"] if wanted is None else wanted):
        for module in model.modules():
            if isinstance(module, BasicBlock | Bottleneck) and module.downsample is not None:
                module.downsample[-1] = parts.quasi_linear_salu()
    return model


def _set_cifar_stem(model: ResNet, parts: Parts) -> None:
    """Keep the resolution of a 32-pixel image: a 3×3 convolution of stride 1 and no max-pool."""
    channels, width = model.conv1.in_channels, model.conv1.out_channels
    model.conv1 = nn.Conv2d(channels, width, 3, padding=1, bias=False, **parts.placement)
    nn.init.kaiming_normal_(model.conv1.weight, mode="fan_out", nonlinearity="relu")
    model.maxpool = nn.Identity()
    stem, *stages = model.feature_info
    stem["reduction"] = 1
    for stage in stages:
        stage["reduction"] //= 4


def _output_stride(spec: ModelSpec, wanted: int) -> int:
    """Convert an output stride to timm's, which counts the standard stem's stride of 4; a CIFAR stem lacks it."""
    allowed = (spec.reduction, spec.reduction // 2, spec.reduction // 4)
    if wanted not in allowed:
        raise ConfigurationError(f"{spec.name}: output_stride={wanted!r} is not one of {allowed}.")
    return wanted * 32 // spec.reduction


_IMAGENET: dict[str, Any] = {"input_size": (3, 224, 224), "num_classes": 1000, "reduction": 32}
_CIFAR: dict[str, Any] = {"input_size": (3, 32, 32), "num_classes": 10, "reduction": 8, "crop_pct": 1.0}
_CIFAR |= {"mean": CIFAR_MEAN, "std": CIFAR_STD}


def _row(size: int, block: Callable[..., nn.Module], layers: tuple[int, ...], source: str, **extra: Any) -> None:
    """Register one depth twice: with the ImageNet stem and with the CIFAR stem."""
    common: dict[str, Any] = {
        "build": build,
        "family": "salunet_c",
        "paper": SALUNET,
        "twin": {"norm": "batchnorm", "act": "relu"},
        "norm": "salu",
        "norms": ("salu", "batchnorm", "layernorm", "dyt", "derf"),
        "act": "swalu",
        "first_conv": "conv1",
        "classifier": "fc",
        "options": OPTIONS,
        "source": source,
    }
    numbers = {"block": block, "layers": layers, "quasi_linear_shortcut": block is Bottleneck}
    plain = f"SaluNet-C-{size}: ResNet-{size} without normalisation layers"
    cifar = f"SaluNet-C-{size} with the CIFAR stem (3x3, stride 1, no max-pool)"
    for name, stem, description, fields in (
        (f"salunet_c{size}", False, plain, _IMAGENET | extra),
        (f"salunet_c{size}_cifar", True, cifar, _CIFAR),
    ):
        given = {"numbers": {**numbers, "cifar_stem": stem}, "reported": _REPORTED.get(name, {}), **fields}
        MODELS.add(name, ModelSpec(name=name, description=description, **given, **common))


_MEAN_OF = {"how": "300 epochs, mean of several runs", "section": "5.2"}
_REPORTED = {
    "salunet_c18_cifar": {
        "cifar10": Reported(top1=97.18, top5=99.86, **_MEAN_OF),
        "cifar100": Reported(top1=83.06, top5=96.20, **_MEAN_OF),
    },
    "salunet_c50": {
        "imagenet-1k": Reported(
            top1=78.75, top5=94.48, how="90 epochs, 176/224 px, mean of several runs", section="5.3"
        )
    },
}
_PAPER = "arXiv:2606.02927, section 5.1"
_OURS = "the rule of arXiv:2606.02927 at another depth (ours)"

_row(18, BasicBlock, (2, 2, 2, 2), _PAPER)
_row(34, BasicBlock, (3, 4, 6, 3), _OURS)
_row(50, Bottleneck, (3, 4, 6, 3), _PAPER, test_input_size=(3, 288, 288), test_crop_pct=0.95)
_row(101, Bottleneck, (3, 4, 23, 3), _OURS)
