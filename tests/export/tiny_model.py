"""Small classifiers to export."""

import torch
from torch import Tensor, nn

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
