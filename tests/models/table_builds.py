"""The model behind a row of the FleS slides, on the meta device."""

import torch
from torch import nn

from zoo.activations import make_gate
from zoo.models import build_model
from zoo.models.activation_layout import sites

from .fles_tables import Row


def build(row: Row) -> nn.Module:
    model = build_model(row.model, act=row.act, device="meta", **row.options)
    for change in row.changes:
        CHANGES[change](model)
    return model


def stride_first(model: nn.Module) -> None:
    """Halve the resolution in the first convolution of a bottleneck instead of the second, as the first ResNets did."""
    for stage in (model.layer2, model.layer3, model.layer4):
        stage[0].conv1.stride, stage[0].conv2.stride = (2, 2), (1, 1)


def biased(model: nn.Module) -> None:
    """Give every convolution a bias, as the repositories of FReLU, ACON-C and Meta-ACON do."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d) and module.bias is None:
            module.bias = nn.Parameter(torch.empty(module.out_channels, device="meta"))


def frelu_in_three_stages(model: nn.Module) -> None:
    """Put FReLU at every activation of the first three stages, as its repository does."""
    rest = {model, *model.layer4.modules()}
    for site in list(sites(model)):
        if site.owner not in rest:
            setattr(site.owner, site.attribute, make_gate("frelu", site.num_features, 1).to("meta"))


CHANGES = {change.__name__: change for change in (stride_first, biased, frelu_in_three_stages)}
