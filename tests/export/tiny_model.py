"""Small classifiers to export."""

import torch
from torch import Tensor, nn

from zoo.activations import SALU, SWALU

SIZE = (3, 8, 8)
LABELS = ("ant", "bee", "cat", "dog")


class Stabiliser(nn.Module):
    """The SALU formula with its scalars, written out: these tests are about export, not about the zoo's module."""

    def __init__(self):
        super().__init__()
        self.a = nn.Parameter(torch.tensor(1.2))
        self.b = nn.Parameter(torch.tensor(0.8))

    def forward(self, x: Tensor) -> Tensor:
        u = (torch.sqrt(self.a * self.b) * x).clamp(-1e18, 1e18)
        return torch.sqrt(self.a / self.b) * u * torch.rsqrt(1 + u * u)


class Tiny(nn.Module):
    """A residual block, two stabilisers, a pool and a classifier."""

    def __init__(self, classes: int = len(LABELS), channels: int = SIZE[0]):
        super().__init__()
        self.stem = nn.Conv2d(channels, 8, 3, padding=1, bias=False)
        self.norm1 = Stabiliser()
        self.conv = nn.Conv2d(8, 8, 3, padding=1)
        self.norm2 = Stabiliser()
        self.dropout = nn.Dropout(0.5)
        self.head = nn.Linear(8, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm1(self.stem(x))
        x = x + self.norm2(self.conv(x))
        return self.head(self.dropout(x.mean((2, 3))))


def tiny(seed: int = 0, **kwargs) -> Tiny:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return Tiny(**kwargs)


def own_activations() -> nn.Module:
    """A layer with the zoo's own modules, which `edge_cpu` and `edge_int8` make operators of ours."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layers = (nn.Conv2d(SIZE[0], 8, 3, padding=1), SALU(a=1.2, b=0.7), SWALU(a=0.9, b=1.4))
        return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, len(LABELS))).eval()
