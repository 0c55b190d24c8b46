"""Small networks for the target `edge_cpu`."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from timm.models.resnet import BasicBlock, ResNet

from export import ExportResult, InputSpec, export
from zoo.activations import SALU, SWALU, FleS

SPEC = InputSpec(3, 32, 32)


def seeded(make: Callable[[], torch.nn.Module]) -> torch.nn.Module:
    """Random weights, and scalars a and b that differ from site to site."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = make().eval()
        with torch.no_grad():
            for key, value in model.named_parameters():
                if key.rsplit(".")[-1] in ("a", "b"):
                    value.mul_(torch.exp(0.3 * torch.randn(())))
    return model


def residual(norm: type = SALU) -> torch.nn.Module:
    """A SaluNet-C of four stages with one block each."""
    return seeded(
        lambda: ResNet(
            BasicBlock, (1, 1, 1, 1), channels=(32, 32, 48, 48), num_classes=10, norm_layer=norm, act_layer=SWALU
        )
    )


class Tokens(torch.nn.Module):
    """Patches as tokens through an activation."""

    def __init__(self, *middle: torch.nn.Module):
        super().__init__()
        self.patches = torch.nn.Conv2d(3, 16, 4, 4)
        self.middle = torch.nn.Sequential(torch.nn.Linear(16, 24), *middle, torch.nn.Linear(24, 10))

    def forward(self, x):
        return self.middle(self.patches(x).flatten(2).transpose(1, 2)).mean(1)


def maps_of_fles(channels: int = 32, variant: str = "fles") -> torch.nn.Module:
    """Convolutions with FleS between them, and one SiLU that stays the runtime's."""
    conv = partial(torch.nn.Conv2d, kernel_size=3, padding=1)
    return seeded(
        lambda: torch.nn.Sequential(
            *(conv(3, channels), FleS(channels, 1, variant=variant), conv(channels, 32), torch.nn.SiLU(), conv(32, 32)),
            *(FleS(32, 1), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(32, 10)),
        )
    )


def export_edge(model: torch.nn.Module, path: Path) -> ExportResult:
    return export(model, path, target="edge_cpu", input_spec=SPEC, threads=1)
