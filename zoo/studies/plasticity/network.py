"""The network of the plasticity experiment: Conv(32)-Conv(64)-FC(128)-FC(10) with a PReLU behind all but the last.

From the paper (arXiv 2606.02927, appendix A): the four layers and their widths, PReLU, BatchNorm before each PReLU.
Ours, where it is silent: 3×3 kernels of stride 2 with a padding of 1 (no pooling), one slope per PReLU, starting at
0.25, torch's own initialisation of the weights, biases everywhere, SALU in BatchNorm's place and started at (1, 1).
"""

from typing import Literal, get_args

from torch import Tensor, nn

from zoo.activations import SALU
from zoo.errors import UnknownNameError

Stabiliser = Literal["batchnorm", "none", "salu"]
STABILISERS: tuple[Stabiliser, ...] = get_args(Stabiliser)


class PReLUNet(nn.Module):
    """Four layers for 32-pixel images, three of them followed by stabiliser and PReLU.

    Args:
        stabiliser: what stands before each PReLU: "batchnorm", "none" or "salu".
        classes: how many classes.

    Raises:
        UnknownNameError: no such stabiliser.
    """

    def __init__(self, stabiliser: Stabiliser, classes: int = 10) -> None:
        super().__init__()
        if stabiliser not in STABILISERS:
            raise UnknownNameError("stabiliser", stabiliser, STABILISERS)
        self.layers = nn.Sequential(
            nn.Conv2d(3, 32, 3, stride=2, padding=1),
            _stabiliser(stabiliser, nn.BatchNorm2d, 32),
            nn.PReLU(),
            nn.Conv2d(32, 64, 3, stride=2, padding=1),
            _stabiliser(stabiliser, nn.BatchNorm2d, 64),
            nn.PReLU(),
            nn.Flatten(),
            nn.Linear(64 * 8 * 8, 128),
            _stabiliser(stabiliser, nn.BatchNorm1d, 128),
            nn.PReLU(),
            nn.Linear(128, classes),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Images (n, 3, 32, 32) to logits (n, classes)."""
        return self.layers(x)  # type: ignore[no-any-return]


def slopes(model: nn.Module) -> list[float]:
    """The learned slope of each PReLU in `model`, the first layer's first."""
    return [float(module.weight.detach()) for module in model.modules() if isinstance(module, nn.PReLU)]


def _stabiliser(name: Stabiliser, batchnorm: type[nn.Module], features: int) -> nn.Module:
    if name == "none":
        return nn.Identity()
    return SALU(features) if name == "salu" else batchnorm(features)
