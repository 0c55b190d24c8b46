"""Small networks for the tests of the analysis."""

import torch
from timm.models.resnet import BasicBlock, ResNet
from torch import Tensor, nn

from zoo.activations import SALU, SWALU


def tiny_resnet(norm=SALU, act=SWALU, seed: int = 0) -> ResNet:
    """A ResNet of four blocks and few channels, with a learned look: every a and b moved from its start."""
    torch.manual_seed(seed)
    net = ResNet(BasicBlock, (1, 1, 1, 1), num_classes=5, channels=(8, 16, 16, 24), norm_layer=norm, act_layer=act)
    net.pretrained_cfg = {"classifier": "fc"}
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, SALU | SWALU):
                module.a.mul_(0.5 + 1.5 * torch.rand(()))
                module.b.mul_(0.2 + 2 * torch.rand(()))
    return net.eval()


def batches(count: int = 3, size: int = 4, pixels: int = 32) -> list[Tensor]:
    """Noise of unit variance; what is tested here does not depend on what is in a picture."""
    return [torch.randn(size, 3, pixels, pixels, generator=torch.Generator().manual_seed(i)) for i in range(count)]


class Nothing(nn.Module):
    """A network without stages, activations or norms."""

    def __init__(self) -> None:
        super().__init__()
        self.only = nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.only(x.mean((2, 3)))
