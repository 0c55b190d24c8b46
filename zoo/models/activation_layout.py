"""Sites and widths of a backbone's activations: a gate with parameters for each channel must know its width.

timm calls an activation's factory without telling it the number of channels. A backbone is therefore built with a
`Vacancy` at every activation, and `fill` puts a gate of the right width in its place.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from timm.layers import Mlp
from timm.models.resnet import BasicBlock, Bottleneck, ResNet
from torch import nn

from zoo.errors import ConfigurationError


class Vacancy(nn.Identity):
    """Holds the place of a gate until `fill` knows its width."""


class ActivationSite(NamedTuple):
    """One activation of a backbone.

    Args:
        owner: the block that calls it.
        attribute: its name there.
        num_features: channels of what enters it.
    """

    owner: nn.Module
    attribute: str
    num_features: int


def sites(model: nn.Module) -> Iterator[ActivationSite]:
    """Every activation of a backbone of the zoo, in the order of its modules.

    A block of its own kind says with `gate_sites()`, which yields pairs (attribute, channels), where its gates are.
    """
    for module in model.modules():
        for attribute, num_features in _of_block(module):
            yield ActivationSite(module, attribute, num_features)


def fill(model: nn.Module, make: Callable[[ActivationSite], nn.Module]) -> None:
    """Put `make(site)` at every vacancy of a backbone.

    Raises:
        ConfigurationError: a place stays vacant: the backbone has a block that `sites` does not know.
    """
    for site in list(sites(model)):
        if isinstance(getattr(site.owner, site.attribute), Vacancy):
            setattr(site.owner, site.attribute, make(site))
    vacant = [name for name, module in model.named_modules() if isinstance(module, Vacancy)]
    if vacant:
        raise ConfigurationError(
            f"{type(model).__name__}: no gate was put at {', '.join(vacant)}; see zoo.models.activation_layout."
        )


def _of_block(module: Any) -> Iterator[tuple[str, int]]:
    if isinstance(module, Mlp):
        yield "act", module.fc1.weight.shape[0]
    elif isinstance(module, BasicBlock | Bottleneck):
        yield "act1", module.conv1.out_channels
        yield "act2", module.conv2.out_channels
        if isinstance(module, Bottleneck):
            yield "act3", module.conv3.out_channels
    elif isinstance(module, ResNet):
        yield "act1", module.conv1.out_channels
    elif hasattr(module, "gate_sites"):
        yield from module.gate_sites()
