"""timm's residual blocks, with SALU and the gate behind it evaluated together.

The parameters, their names and the values are those of timm's blocks. Whatever wants to see the modules one by one gets
timm's own forward pass: torch.export, torch.fx, torch.jit, a hook on one of them, another module in
the place of one, drop-block, anti-aliasing, attention, or `zoo.activations.kernel("plain")`. torch.jit.script compiles
the source of what `wraps` names, which is timm's method, with the names of this module, `torch` among them.
"""

from functools import wraps

import torch
from timm.models.resnet import BasicBlock, Bottleneck, ResNet
from torch import nn
from torch.nn.modules import module as torch_module

from zoo.activations.composites import salu_add_salu_swalu, salu_add_swalu, salu_swalu
from zoo.activations.dispatch import current, exported
from zoo.activations.salu import SALU
from zoo.activations.swalu import SWALU
from zoo.models.decay import Undecayed


class FusedBasicBlock(BasicBlock):  # type: ignore[misc]
    """`BasicBlock` with SALU and SWALU; see the module docstring."""

    @wraps(BasicBlock.forward)
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (n, c, h, w) as timm's block does."""
        if not _plain_block(self, x) or not _untouched(self.bn1, self.act1, self.bn2, self.act2):
            return super().forward(x)  # type: ignore[no-any-return]
        y = self.conv2(_pair(self.bn1, self.act1, self.conv1(x)))
        return _end(self, y, x, self.bn2, self.act2)


class FusedBottleneck(Bottleneck):  # type: ignore[misc]
    """`Bottleneck` with SALU and SWALU; see the module docstring."""

    @wraps(Bottleneck.forward)
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (n, c, h, w) as timm's block does."""
        sites = (self.bn1, self.act1, self.bn2, self.act2, self.bn3, self.act3)
        if not _plain_block(self, x) or not _untouched(*sites):
            return super().forward(x)  # type: ignore[no-any-return]
        y = self.conv2(_pair(self.bn1, self.act1, self.conv1(x)))
        y = self.conv3(_pair(self.bn2, self.act2, y))
        return _end(self, y, x, self.bn3, self.act3)


class UndecayedResNet(Undecayed, ResNet):  # type: ignore[misc]
    """timm's ResNet, which names the parameters of its activations as not to be decayed."""


class FusedResNet(UndecayedResNet):
    """`ResNet` whose stem's SALU and SWALU are evaluated together; see the module docstring."""

    @wraps(ResNet.forward_features)
    def forward_features(self, x: torch.Tensor) -> torch.Tensor:
        """Map images to the last feature map, as timm's network does."""
        if self.grad_checkpointing or not _computes(x) or not _untouched(self.bn1, self.act1):
            return super().forward_features(x)  # type: ignore[no-any-return]
        x = self.maxpool(_pair(self.bn1, self.act1, self.conv1(x)))
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = stage(x)
        return x


FUSED = {BasicBlock: FusedBasicBlock, Bottleneck: FusedBottleneck}
"""timm's block -> the same with SALU and SWALU taken together."""


def _computes(x: object) -> bool:
    """True if x is a tensor to compute with and no stand-in for one, in a graph that others are to read."""
    return type(x) is torch.Tensor and not exported() and current() != "plain"


def _plain_block(block: BasicBlock | Bottleneck, x: object) -> bool:
    """True if nothing but SALU stands between a convolution and its gate, and x is to be computed with now."""
    alone = isinstance(block.drop_block, nn.Identity) and isinstance(block.aa, nn.Identity) and block.se is None
    return alone and _computes(x)


def _untouched(*modules: nn.Module) -> bool:
    """True if these are SALU and SWALU in turns, called by nobody but their block and watched by nobody."""
    kinds = all(type(module) is (SALU, SWALU)[i % 2] for i, module in enumerate(modules))
    return kinds and not any(map(_watched, modules)) and not torch_module._has_any_global_hook()


def _watched(module: nn.Module) -> bool:
    hooks = (module._forward_hooks, module._forward_pre_hooks, module._backward_hooks, module._backward_pre_hooks)
    return any(hooks) or "forward" in vars(module)


def _pair(norm: SALU, act: SWALU, x: torch.Tensor) -> torch.Tensor:
    return salu_swalu(x, norm.a, norm.b, act.a, act.b)


def _end(block: BasicBlock | Bottleneck, y: torch.Tensor, x: torch.Tensor, norm: SALU, act: SWALU) -> torch.Tensor:
    """act(norm(y) + shortcut(x))."""
    a, b, c, d = norm.a, norm.b, act.a, act.b
    down, drop = block.downsample, block.drop_path
    dropping = drop is not None and not isinstance(drop, nn.Identity)
    if dropping:
        z: torch.Tensor = act(drop(norm(y)) + (x if down is None else down(x)))
        return z
    if down is None:
        return salu_add_swalu(y, a, b, x, c, d)
    last = down[-1] if isinstance(down, nn.Sequential) else None
    if not isinstance(last, SALU) or not _untouched(last) or _watched(down):
        return salu_add_swalu(y, a, b, down(x), c, d)
    for module in down[:-1]:
        x = module(x)
    return salu_add_salu_swalu(y, a, b, x, last.a, last.b, c, d)
