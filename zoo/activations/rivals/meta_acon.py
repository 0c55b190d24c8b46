"""Meta-ACON: ACON-C whose β is predicted for each sample and channel from the channels' means.

    β = σ(BN₂(W₂·BN₁(W₁·mean + b₁) + b₂))      with max(16, C // 16) units between

Batch normalisation makes a sample's output depend on its batch while training. Parameters: 2·C·m + 3·m + 7·C for m
units. In a Swin-T, ViT or PoolFormer, where it replaces every GELU, that meets the counts of the FleS slides; their
25.8 M for ResNet-50 stand for the placement in the ACON repository: after the 3×3 convolution of every bottleneck only,
and with a bias in every convolution.

Source: "Activate or Not: Learning Customized Activation", arXiv 2009.04759, section 3 (Meta-ACON, channel-wise); the
batch normalisation and the reduction 16 are those of its repository github.com/nmaac/acon.
"""

from typing import Any

import torch
from torch import Tensor, nn

from zoo.activations.channel_gate import ChannelGate, require_count
from zoo.activations.channel_means import plain_mean
from zoo.activations.precise_linear import linear
from zoo.activations.rivals.acon_c import acon_c
from zoo.activations.spec import ACTIVATIONS, ActivationSpec, ParameterSpec


class MetaACON(ChannelGate):
    """`acon_c` with a predicted beta.

    Args:
        num_features: the number of channels, as an integer or a shape of one number.
        channel_axis: -1 for tokens, 1 for (n, c, h, w) maps.
        reduction: r; max(r, num_features // r) units predict beta.
        inplace: accepted because timm passes it to activations; not used.
        device: where the parameters live.
        dtype: in which precision they are stored.

    Raises:
        ConfigurationError: `num_features` or `reduction` is not one positive integer.

    Source: arXiv 2009.04759.
    """

    def __init__(
        self,
        num_features: int | tuple[int],
        channel_axis: int = -1,
        *,
        reduction: int = 16,
        inplace: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(num_features, channel_axis)
        place: dict[str, Any] = {"device": device, "dtype": dtype}
        units = max(require_count("MetaACON", "reduction", reduction), self.num_features // reduction)
        self.p1 = nn.Parameter(torch.empty(self.num_features, **place))
        self.p2 = nn.Parameter(torch.empty(self.num_features, **place))
        self.fc1 = nn.Linear(self.num_features, units, **place)
        self.bn1 = nn.BatchNorm1d(units, **place)
        self.fc2 = nn.Linear(units, self.num_features, **place)
        self.bn2 = nn.BatchNorm1d(self.num_features, **place)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw p1 and p2 anew and reset the network."""
        nn.init.normal_(self.p1)
        nn.init.normal_(self.p2)
        for layer in (self.fc1, self.bn1, self.fc2, self.bn2):
            layer.reset_parameters()

    def forward(self, x: Tensor) -> Tensor:
        """Return the gated x: its shape and dtype, computed in float32 at least.

        Args:
            x: (n, ..., c, ...) with c on `channel_axis`; more than one sample while training.

        Raises:
            ShapeError: x has another shape.
        """
        mean = plain_mean(x, self.channel_axis, self.num_features)
        hidden = _normalise(self.bn1, linear(mean, self.fc1.weight, self.fc1.bias))
        beta = torch.sigmoid(_normalise(self.bn2, linear(hidden, self.fc2.weight, self.fc2.bias)))
        return acon_c(x, self.p1, self.p2, beta, self.channel_axis)


def _normalise(norm: nn.BatchNorm1d, x: Tensor) -> Tensor:
    return norm(x.to(norm.weight.dtype)).to(x.dtype)  # type: ignore[no-any-return]


_LAYERS = (
    ParameterSpec("p1", None, shape="channel"),
    ParameterSpec("p2", None, shape="channel"),
    ParameterSpec("fc1.weight", None, shape="matrix", weight_decay=True),
    ParameterSpec("fc1.bias", None, shape="channel"),
    ParameterSpec("bn1.weight", 1.0, shape="channel"),
    ParameterSpec("bn1.bias", 0.0, shape="channel"),
    ParameterSpec("fc2.weight", None, shape="matrix", weight_decay=True),
    ParameterSpec("fc2.bias", None, shape="channel"),
    ParameterSpec("bn2.weight", 1.0, shape="channel"),
    ParameterSpec("bn2.bias", 0.0, shape="channel"),
)

ACTIVATIONS.add(
    "meta_acon",
    ActivationSpec(
        name="meta_acon",
        formula="d · sigmoid(beta(x) · d) + p2 · x, d = (p1 - p2) · x",
        functional=acon_c,
        module=MetaACON,
        parameters=_LAYERS,
        role="gate",
        source="arXiv 2009.04759, section 3; github.com/nmaac/acon",
        channelwise=True,
    ),
)
