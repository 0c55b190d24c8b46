"""A small convolutional network with every kind of site: stem, pool, pair, shortcut, downsampling, classifier."""

import torch
from torch import Tensor, nn

from export.parity.probes import seeded_images
from zoo.activations import SALU, SWALU
from zoo.data.preprocess import Preprocess

SIZE = (3, 16, 16)
PREPROCESS = Preprocess(SIZE, "bicubic", 1.0, "center", (0.5, 0.4, 0.3), (0.2, 0.25, 0.3))
LABELS = ("ant", "bee", "cat", "dog")


class Small(nn.Module):
    """Two blocks; `wild` spreads the channels of one layer over six decades, which no single scale can hold."""

    def __init__(self, norm=SALU, act=SWALU, wild: bool = False):
        super().__init__()
        make_norm = norm if norm is not nn.BatchNorm2d else None
        self.stem = nn.Conv2d(3, 8, 3, padding=1, bias=False)
        self.norm0, self.act0 = make_norm() if make_norm else norm(8), act()
        self.pool = nn.MaxPool2d(2)
        self.conv1 = nn.Conv2d(8, 8, 3, padding=1)
        self.norm1, self.act1 = make_norm() if make_norm else norm(8), act()
        self.down = nn.Conv2d(8, 16, 1, stride=2)
        self.norm2, self.act2 = make_norm() if make_norm else norm(16), act()
        self.wild = nn.Conv2d(16, 16, 1, bias=False)
        self.mix = nn.Conv2d(16, 16, 1, bias=False)
        self.norm3, self.act3 = make_norm() if make_norm else norm(16), act()
        self.head = nn.Linear(16, len(LABELS))
        if wild:
            with torch.no_grad():
                spread = torch.logspace(-3, 3, 16)
                self.wild.weight.mul_(spread[:, None, None, None])
                self.mix.weight.div_(spread[None, :, None, None])

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(self.act0(self.norm0(self.stem(x))))
        x = self.act1(self.norm1(self.conv1(x)) + x)
        x = self.act2(self.norm2(self.down(x)))
        x = self.act3(self.norm3(self.mix(self.wild(x))))
        return self.head(x.mean((2, 3)))


def prototypes() -> Tensor:
    """One picture of each class."""
    return seeded_images(PREPROCESS, count=len(LABELS), seed=5)


def mixed(first: Tensor, share: float, count: int, seed: int) -> Tensor:
    """Pictures of which `share` is `first` and the rest something else."""
    return share * first + (1 - share) * seeded_images(PREPROCESS, count=count, seed=seed)


def small(seed: int = 0, **options) -> Small:
    """Random features, and a classifier that names the prototype whose features are nearest."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = Small(**options).eval()
    features: list[Tensor] = []
    handle = model.head.register_forward_pre_hook(lambda _module, given: features.append(given[0]))
    with torch.no_grad():
        model(prototypes())
        centres = features[0] - features[0].mean(0)
        scale = centres.square().sum(1).mean() / 10
        model.head.weight.copy_(centres / scale)
        model.head.bias.copy_(-(features[0].square().sum(1)) / (2 * scale))
        model.head.bias.add_(features[0].mean(0).square().sum() / (2 * scale))
    handle.remove()
    return model
