"""Following the channel axis, and what is said where it is lost."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import zoo
from zoo.conversion.layout import ChannelTracker
from zoo.errors import ConfigurationError

CONV = torch.randn(6, 3, 1, 1)
MAPS = torch.randn(2, 3, 4, 5)
TOKENS = torch.randn(2, 7, 3)
WEIGHT = torch.randn(6, 3)


def maps():
    return F.conv2d(MAPS, CONV)


def tokens():
    return F.linear(TOKENS, WEIGHT)


WAYS = {
    "convolution": (maps, 1),
    "one-dimensional convolution": (lambda: F.conv1d(TOKENS.mT, WEIGHT[..., None]), 1),
    "linear": (tokens, -1),
    "linear on maps": (lambda: F.linear(MAPS.permute(0, 2, 3, 1), WEIGHT), -1),
    "matrix product": (lambda: TOKENS @ WEIGHT.T, -1),
    "addmm": (lambda: torch.addmm(torch.zeros(6), TOKENS[0], WEIGHT.T), -1),
    "batch norm": (lambda: F.batch_norm(MAPS, torch.zeros(3), torch.ones(3)), 1),
    "layer norm": (lambda: F.layer_norm(TOKENS, (3,)), -1),
    "layer norm of maps": (lambda: F.layer_norm(maps().permute(0, 2, 3, 1), (6,)).permute(0, 3, 1, 2), 1),
    "sum": (lambda: maps() + 1, 1),
    "in place": (lambda: maps().add_(1), 1),
    "broadcast": (lambda: maps().mean((2, 3), keepdim=True).sigmoid() * maps(), 1),
    "concatenation": (lambda: torch.cat([maps(), maps()], 1), 1),
    "one half": (lambda: tokens().chunk(2, -1)[1], -1),
    "flattened positions": (lambda: maps().flatten(2), 1),
    "as tokens": (lambda: maps().flatten(2).transpose(1, 2), -1),
    "as maps": (lambda: tokens().reshape(2, 7, 1, 6), -1),
    "moved": (lambda: maps().movedim(1, -1), -1),
    "transposed property": (lambda: tokens().mT, 1),
    "pooled": (lambda: F.adaptive_avg_pool2d(maps(), 1).flatten(1), 1),
    "mean of tokens": (lambda: tokens().mean(1), 1),
    "first token": (lambda: tokens()[:, 0], 1),
    "new axes": (lambda: maps().mean((2, 3))[:, :, None, None], 1),
    "padded": (lambda: F.pad(maps(), (1, 1)), 1),
    "resized": (lambda: F.interpolate(maps(), scale_factor=2), 1),
    "through norms": (lambda: F.group_norm(maps(), 2), 1),
    "einsum": (lambda: torch.einsum("nchw->nhwc", maps()), None),
    "attention scores": (lambda: tokens() @ tokens().mT, None),
    "split over heads": (lambda: tokens().reshape(2, 7, 2, 3), None),
    "the input itself": (lambda: MAPS * 2, None),
}


@pytest.mark.parametrize(("way", "axis"), WAYS.values(), ids=WAYS)
def test_the_axis_is_followed(way, axis):
    with ChannelTracker() as tracker:
        x = way()
    assert tracker.axis_of(x) == (None if axis is None else axis % x.ndim)


class Way(nn.Module):
    def __init__(self, way, act=None):
        super().__init__()
        self.conv, self.way, self.act = nn.Conv2d(3, 6, 1), way, act or nn.SiLU()

    def forward(self, x):
        return self.act(self.way(self.conv(x)))


def lost(x):
    return torch.einsum("nchw->nhcw", x)


def test_a_lost_axis_is_asked_for():
    with pytest.raises(
        ConfigurationError, match=r"which axis of \(2, 4, 6, 5\) holds the channels is not clear.*channel_axis"
    ):
        zoo.convert(Way(lost), example=MAPS)
    for axis in (2, -2, {"act": 2}, {"a*": 2, "*": 1}):
        _, report = zoo.convert(Way(lost), example=MAPS, channel_axis=axis)
        assert (report.sites[0].num_features, report.difference) == (6, 0)


@pytest.mark.parametrize(
    ("last", "channels", "axis"),
    [
        (nn.Conv2d(4, 2, 1), 4, 1),
        (nn.Sequential(nn.Dropout(), nn.Conv2d(4, 2, 1)), 4, 1),
        (nn.Linear(5, 2), 5, -1),
        (nn.BatchNorm2d(4), 4, 1),
        (nn.LayerNorm(5), None, None),
    ],
)
def test_the_next_layer_may_tell(last, channels, axis):
    """The site's input is (2, 4, 6, 5), and nothing before it says what is what."""
    model = nn.Sequential(Way(lost), last)
    if axis is None:  # a layer norm takes any axis for its last
        with pytest.raises(ConfigurationError, match="is not clear"):
            zoo.convert(model, example=MAPS)
        return
    _, report = zoo.convert(model, example=MAPS)
    assert (report.sites[0].num_features, report.sites[0].channel_axis) == (channels, axis)


def test_two_axes_are_never_a_question():
    model = nn.Sequential(nn.SiLU(), nn.Linear(3, 2))
    _, report = zoo.convert(model, example=torch.randn(4, 3))
    assert (report.sites[0].num_features, report.sites[0].channel_axis) == (3, -1)


def test_one_module_on_maps_and_vectors():
    class Both(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.act = nn.Conv2d(3, 6, 1), nn.SiLU()

        def forward(self, x):
            return self.act(self.act(self.conv(x)).mean((2, 3)))

    converted, report = zoo.convert(Both(), example=MAPS)
    assert report.sites[0].channel_axis == 1
    assert report.difference == 0
    assert converted.act.num_features == 6


def test_axis_that_is_not_there_or_not_of_this_size():
    with pytest.raises(ConfigurationError, match=r"the pattern 'acts' fits no site. Nearest: act"):
        zoo.convert(Way(lost), example=MAPS, channel_axis={"acts": 2})
    with pytest.raises(ConfigurationError, match="axis 4 cannot hold the channels"):
        zoo.convert(Way(lost), example=MAPS, channel_axis=4)
    with pytest.raises(ConfigurationError, match="axis 0"):
        zoo.convert(Way(lambda x: x.transpose(0, 1)), example=MAPS)


def test_a_gate_for_maps_refuses_tokens():
    with pytest.raises(ConfigurationError, match="frelu takes \\(n, c, h, w\\) maps only"):
        zoo.convert(Way(lambda x: x.flatten(2).mT), "frelu", example=MAPS)
    _, report = zoo.convert(Way(lambda x: x), "frelu", example=MAPS)
    assert report.sites[0].channel_axis == 1


def test_axis_zero_must_be_the_batch():
    with pytest.raises(ConfigurationError, match=r"axis 0 of its input \(20, 3, 6\) is not the batch of 3"):
        zoo.convert(Way(lambda x: x.flatten(2).permute(2, 0, 1).contiguous() * 1), example=torch.randn(3, 3, 4, 5))


@pytest.mark.parametrize("batch_first", [True, False])
def test_torch_transformer_layers(batch_first):
    layer = nn.TransformerEncoderLayer(8, 2, 16, activation=nn.SiLU(), batch_first=batch_first)
    x = torch.randn(3, 5, 8)
    if not batch_first:
        with pytest.raises(ConfigurationError, match="batch_first=False"):
            zoo.convert(layer, example=x)
        return
    _, report = zoo.convert(layer, example=x)
    assert report.difference == 0
    assert any("src_key_padding_mask" in warning for warning in report.warnings)


def test_torch_transformer_layers_leave_their_fast_path():
    """In eval mode they would compute GELU themselves, whatever module stands there."""
    layer = nn.TransformerEncoderLayer(8, 2, 16, activation=nn.GELU(), batch_first=True)
    model = nn.TransformerEncoder(layer, 2).eval()
    x, mask = torch.randn(3, 5, 8), torch.tensor([[False] * 5] * 2 + [[False] * 3 + [True] * 2])
    converted, report = zoo.convert(model, example=x)
    assert len(report.sites) == 2
    calls = []
    converted.layers[0].activation.register_forward_hook(lambda *_: calls.append(1))
    with torch.no_grad():
        outputs = converted(x, src_key_padding_mask=mask)
        assert calls == [1]
        for site in converted.layers:
            site.activation.vertical_bias.fill_(2)
        assert (converted(x) - model(x)).abs().max() > 1e-3
        assert model.layers[0].activation_relu_or_gelu == 2
        assert model.use_nested_tensor
        model.use_nested_tensor = False  # torch warns of it
        assert (outputs - model(x, src_key_padding_mask=mask))[~mask].abs().max() < 0.05
