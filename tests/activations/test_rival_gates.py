"""The rival gates equal their papers' formulas, written here once more and plainly, in float64."""

import math

import pytest
import torch
from timm.layers import SEModule
from torch import Tensor, nn
from torch.autograd import gradcheck
from torch.func import functional_call

from zoo.activations import ACTIVATIONS, make_gate
from zoo.activations.rivals.adashift import AdaShift
from zoo.activations.rivals.dy_relu import DyReLU
from zoo.activations.rivals.frelu import FReLU
from zoo.activations.rivals.meta_acon import MetaACON
from zoo.activations.rivals.prelu import PReLU
from zoo.activations.rivals.pserf import Pserf
from zoo.activations.rivals.pwlu import PWLU
from zoo.activations.rivals.smu import SMU
from zoo.activations.rivals.smu_1 import SMU1
from zoo.errors import ConfigurationError, ShapeError

from .cases import CHANNELS, all_values, make
from .tolerances import CHAIN_FLOAT32, FLES_FLOAT32, FLES_FLOAT64, SUBNORMAL_FLOAT32

ELEMENTWISE = ["pserf", "smu", "smu_1", "star_relu"]
CHANNELWISE = ["acon_c", "adashift", "dy_relu", "meta_acon", "prelu", "pwlu"]
TORCH = ["relu", "gelu", "silu", "mish"]


def sigmoid(z: Tensor) -> Tensor:
    return 1 / (1 + torch.exp(-z))


def batch_norm(z: Tensor, p: dict[str, Tensor], name: str) -> Tensor:
    centred = z - p[f"{name}.running_mean"]
    return centred / (p[f"{name}.running_var"] + 1e-5).sqrt() * p[f"{name}.weight"] + p[f"{name}.bias"]


def pwlu(p: dict[str, Tensor], x: Tensor) -> Tensor:
    out = torch.empty_like(x)
    for place in torch.cartesian_prod(*(torch.arange(n) for n in x.shape)):
        index = tuple(place.tolist())
        c, value = index[-1], x[index].item()
        points, left, right = p["points"][c].tolist(), p["left"][c].item(), p["right"][c].item()
        d = (right - left) / (len(points) - 1)
        if value < left:
            y = points[0] + (value - left) * p["slope_left"][c].item()
        elif value >= right:
            y = points[-1] + (value - right) * p["slope_right"][c].item()
        else:
            i = min(math.floor((value - left) / d), len(points) - 2)
            y = points[i] + (points[i + 1] - points[i]) * (value - left - i * d) / d
        out[index] = y
    return out


def definition(name: str, module: nn.Module, x: Tensor) -> Tensor:
    """The formula for tokens (n, positions, c) in float64."""
    p = {key: value.detach().double() for key, value in module.state_dict().items()}
    x = x.double()
    mean = x.mean(1) if x.ndim == 3 else x
    if name == "pserf":
        return x * torch.erf(p["gamma"] * torch.log1p(torch.exp(p["delta"] * x)))
    if name == "smu":
        return (1.01 * x + 0.99 * x * torch.erf(p["mu"] * 0.99 * x)) / 2
    if name == "smu_1":
        return (1.01 * x + torch.sqrt((0.99 * x) ** 2 + p["mu"] ** 2)) / 2
    if name == "star_relu":
        return p["scale"] * x.clamp_min(0) ** 2 + p["bias"]
    if name == "prelu":
        return torch.where(x > 0, x, p["weight"] * x)
    if name == "pwlu":
        return pwlu(p, x)
    if name == "adashift":
        level = (mean - mean.mean(1, keepdim=True)) / (mean.var(1, correction=0, keepdim=True) + 1e-6).sqrt()
        return sigmoid(x + (level * p["weight"] + p["bias"])[:, None]) * x
    if name == "dy_relu":
        hidden = (mean @ p["fc1.weight"].T + p["fc1.bias"]).clamp_min(0)
        theta = 2 * sigmoid(hidden @ p["fc2.weight"].T + p["fc2.bias"]) - 1
        a1, a2, b1, b2 = theta.view(len(x), 4, 1, -1).unbind(1)
        return torch.maximum((1 + a1) * x + b1 / 2, a2 * x + b2 / 2)
    beta = p.get("beta")
    if name == "meta_acon":
        hidden = batch_norm(mean @ p["fc1.weight"].T + p["fc1.bias"], p, "bn1")
        beta = sigmoid(batch_norm(hidden @ p["fc2.weight"].T + p["fc2.bias"], p, "bn2"))[:, None]
    d = (p["p1"] - p["p2"]) * x
    return d * sigmoid(beta * d) + p["p2"] * x


def tokens(dtype: torch.dtype = torch.float32) -> Tensor:
    return (torch.randn(3, 7, CHANNELS, generator=torch.Generator().manual_seed(5)) * 2).to(dtype)


@pytest.mark.parametrize("name", [*ELEMENTWISE, *CHANNELWISE])
def test_values(name: str) -> None:
    module, x = make(name), tokens()
    expected = definition(name, module, x)
    torch.testing.assert_close(module(x).double(), expected, rtol=FLES_FLOAT32, atol=FLES_FLOAT32)
    torch.testing.assert_close(module.double()(x.double()), expected, rtol=FLES_FLOAT64, atol=FLES_FLOAT64)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("name", [*ELEMENTWISE, "prelu", "acon_c"])
def test_every_finite_half_precision_value(name: str, dtype: torch.dtype) -> None:
    module = make(name)
    x = all_values(dtype)
    x = x[x.abs() < 1e15]  # beyond, squares leave float32's range
    x = x[: len(x) // CHANNELS * CHANNELS].view(-1, CHANNELS)
    y = module(x)
    assert y.dtype == dtype
    exact = definition(name, module, x)
    error = CHAIN_FLOAT32 * (exact.abs() + x.double().abs()) + SUBNORMAL_FLOAT32
    assert ((y >= (exact - error).to(dtype)) & (y <= (exact + error).to(dtype))).all()


@pytest.mark.parametrize("name", CHANNELWISE)
def test_maps_and_tokens_are_the_same_function(name: str) -> None:
    x = torch.randn(2, CHANNELS, 3, 5)
    maps, rows = make(name, channel_axis=1), make(name)
    torch.testing.assert_close(maps(x), rows(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2))


@pytest.mark.parametrize("name", [*ELEMENTWISE, *CHANNELWISE, "frelu"])
def test_gradients(name: str) -> None:
    module = make(name, channel_axis=1).double()
    x = torch.randn(2, CHANNELS, 2, 1, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    parameters = dict(module.named_parameters())

    def call(x: Tensor, *values: Tensor) -> Tensor:
        return functional_call(module, dict(zip(parameters, values, strict=True)), (x,))

    assert gradcheck(call, (x.requires_grad_(), *parameters.values()))


@pytest.mark.parametrize("name", CHANNELWISE)
@pytest.mark.parametrize(("shape", "axis"), [((2, 5), -1), ((2, 5, 3, 3), 1), ((), -1)], ids=str)
def test_wrong_shapes_are_named(name: str, shape: tuple, axis: int) -> None:
    with pytest.raises(ShapeError, match=rf"axis {axis} must hold {CHANNELS} channels"):
        make(name, channel_axis=axis)(torch.zeros(shape))


@pytest.mark.parametrize("name", TORCH)
def test_torchs_own_are_used(name: str) -> None:
    assert ACTIVATIONS.get(name).module.__module__.startswith("torch.nn")
    x = tokens()
    torch.testing.assert_close(make_gate(name)(x), ACTIVATIONS.get(name).functional(x))


def test_funnel() -> None:
    module = make("frelu")
    x = torch.randn(2, CHANNELS, 5, 4, dtype=torch.float64)
    p = {key: value.double() for key, value in module.state_dict().items()}
    padded = nn.functional.pad(x, (1, 1, 1, 1))
    pooled = torch.zeros_like(x)
    for i in range(3):
        for j in range(3):
            pooled += p["conv.weight"][:, 0, i, j].view(-1, 1, 1) * padded[:, :, i : i + 5, j : j + 4]
    pooled = (pooled + p["conv.bias"].view(-1, 1, 1)).movedim(1, -1)
    expected = torch.maximum(x, batch_norm(pooled, p, "bn").movedim(-1, 1))
    torch.testing.assert_close(module.double()(x), expected)
    with pytest.raises(ShapeError, match=r"needs maps \(n, c, h, w\)"):
        module(torch.zeros(2, CHANNELS))
    with pytest.raises(ShapeError, match="must hold 4 channels"):
        module(torch.zeros(2, 5, 3, 3))
    with pytest.raises(ConfigurationError, match=r"takes .* maps; use 1"):
        FReLU(4, -1)


def test_funnel_starts_he_normal_by_fan_out() -> None:
    gate = FReLU(4096)
    for _ in range(2):
        weight = gate.conv.weight
        assert weight.std().item() == pytest.approx((2 / (9 * 4096)) ** 0.5, rel=0.02)  # four standard errors
        assert weight.abs().max() > 3 * weight.std()  # of no uniform distribution
        gate.reset_parameters()


def test_meta_acon_learns_its_statistics_in_training_only() -> None:
    gate = MetaACON(6, reduction=2)
    before = gate.bn1.running_mean.clone()
    gate(torch.randn(4, 3, 6))
    assert not torch.equal(gate.bn1.running_mean, before)
    x = torch.randn(4, 3, 6)
    gate.eval()
    torch.testing.assert_close(gate(x[:1]), gate(x)[:1])
    assert gate.fc1.out_features == 3


def test_dy_relu_and_prelu_and_adashift_start_where_their_papers_say() -> None:
    x = tokens()
    gate = DyReLU(CHANNELS)
    nn.init.zeros_(gate.fc2.weight)
    nn.init.zeros_(gate.fc2.bias)
    torch.testing.assert_close(gate(x), x.relu())
    torch.testing.assert_close(PReLU(CHANNELS)(x), nn.PReLU()(x))
    assert (AdaShift(CHANNELS)(x) - nn.functional.silu(x)).abs().max() < 0.05
    torch.testing.assert_close(Pserf(gamma=1.0, delta=1.0)(x), x * torch.erf(nn.functional.softplus(x)))
    gelu = SMU(alpha=0.0, mu=1 / math.sqrt(2))
    torch.testing.assert_close(gelu(x), nn.functional.gelu(x))
    torch.testing.assert_close(SMU1()(x), nn.functional.leaky_relu(x, 0.01))


def test_pwlu_starts_as_relu_and_is_realigned() -> None:
    gate, x = PWLU(CHANNELS), tokens()
    torch.testing.assert_close(gate(x), x.relu())
    mean, deviation = torch.tensor([0.0, 1.0, -1.0, 0.5]), torch.tensor([1.0, 0.5, 2.0, 0.1])
    gate.realign(mean, deviation)
    torch.testing.assert_close(gate.left, mean - 3 * deviation)
    torch.testing.assert_close(gate(gate.right[None]), gate.right[None].relu())
    with pytest.raises(ShapeError, match="one number for each of the 4 channels"):
        gate.realign(torch.zeros(3), torch.ones(3))
    with pytest.raises(ConfigurationError, match="intervals must be a positive integer"):
        PWLU(4, intervals=0)


def test_pwlu_survives_crossed_bounds_and_nan() -> None:
    gate = PWLU(1)
    with torch.no_grad():
        gate.right.copy_(gate.left - 1)
    x = torch.tensor([[-5.0], [-4.0], [0.0], [7.0]], requires_grad=True)
    gate(x).sum().backward()
    assert x.grad.isfinite().all()
    assert all(p.grad.isfinite().all() for p in gate.parameters())
    assert gate(torch.tensor([[torch.nan], [1.0]])).isnan().flatten().tolist() == [True, False]


def test_smu_1_has_a_slope_where_its_root_has_none() -> None:
    gate = SMU1(mu=0.0)
    x = torch.zeros(3, requires_grad=True)
    gate(x).sum().backward()
    assert x.grad.isfinite().all()
    assert gate.mu.grad.isfinite()


def test_squeeze_and_excitation_is_timms() -> None:
    gate = make("se")
    assert isinstance(gate, SEModule)
    x = torch.randn(2, CHANNELS, 3, 3)
    scale = (gate(x) / x)[:, :, 0, 0]
    torch.testing.assert_close(gate(x), ACTIVATIONS.get("se").functional(x, scale[:, :, None, None]))
    assert ((scale > 0) & (scale < 1)).all()


@pytest.mark.parametrize("module", [Pserf, SMU, SMU1])
def test_wrong_initial_values_are_refused(module: type[nn.Module]) -> None:
    name = "gamma" if module is Pserf else "mu"
    with pytest.raises(ConfigurationError, match=rf"{module.__name__}\({name}=nan\): {name} must be a finite number"):
        module(**{name: math.nan})
    with pytest.raises(TypeError, match="unexpected keyword argument 'width'"):
        module(width=1)


@pytest.mark.parametrize("name", CHANNELWISE)
def test_wrong_sizes_are_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match="number of channels"):
        ACTIVATIONS.get(name).module(0)
