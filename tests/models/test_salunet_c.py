"""What is particular to the convolutional SaluNets: their ResNet baselines, stems and starts."""

import math

import pytest
import timm
import torch
from torch import nn

from zoo.activations import SALU, SWALU
from zoo.errors import ConfigurationError
from zoo.models import build_model

from .cases import images, meta_model, small_model

PAIRS = [("salunet_c18", "resnet18"), ("salunet_c34", "resnet34"), ("salunet_c50", "resnet50")]
BASELINES = [
    ("batchnorm", "relu"),
    ("batchnorm", "swalu"),
    ("salu", "relu"),
    ("salu", "galu"),
    ("layernorm", "gelu"),
    ("dyt", "silu"),
    ("derf", "relu"),
]


def count(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def shapes(model: nn.Module) -> dict[str, torch.Size]:
    return {key: value.shape for key, value in model.state_dict().items()}


@pytest.mark.parametrize(("name", "twin"), [*PAIRS, ("salunet_c101", "resnet101")])
def test_baseline_is_timms_resnet(name: str, twin: str) -> None:
    ours = meta_model(name, norm="batchnorm", act="relu")
    with torch.device("meta"):
        theirs = timm.create_model(twin)
    assert shapes(ours) == shapes(theirs)


@pytest.mark.parametrize(("name", "twin"), PAIRS)
def test_cifar_stem_differs_from_timm_in_one_kernel(name: str, twin: str) -> None:
    ours = shapes(meta_model(f"{name}_cifar", norm="batchnorm", act="relu", num_classes=1000))
    with torch.device("meta"):
        theirs = shapes(timm.create_model(twin))
    assert ours.pop("conv1.weight") == (64, 3, 3, 3)
    theirs.pop("conv1.weight")
    assert ours == theirs
    model = meta_model(f"{name}_cifar")
    assert model.conv1.stride == (1, 1)
    assert isinstance(model.maxpool, nn.Identity)


def test_baseline_computes_what_timms_resnet_computes() -> None:
    ours = small_model("salunet_c18", norm="batchnorm", act="relu", num_classes=5).eval()
    theirs = timm.create_model("resnet18", num_classes=5).eval()
    theirs.load_state_dict(ours.state_dict())
    with torch.no_grad():
        torch.testing.assert_close(ours(images("salunet_c18")), theirs(images("salunet_c18")), rtol=0, atol=0)


def test_a_salunet_has_two_scalars_where_batchnorm_had_vectors() -> None:
    model, baseline = meta_model("salunet_c18_cifar"), meta_model("salunet_c18_cifar", norm="batchnorm", act="relu")
    vectors = sum(count(module) for module in baseline.modules() if isinstance(module, nn.BatchNorm2d))
    assert count(model) == count(baseline) - vectors + 2 * (20 + 17) == 11_164_436


@pytest.mark.parametrize(("norm", "act"), BASELINES)
def test_other_parts_train(norm: str, act: str) -> None:
    model = small_model("salunet_c18_cifar", norm=norm, act=act)
    model(images("salunet_c18_cifar")).square().sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())
    extra = [module for module in model.modules() if isinstance(module, SALU | SWALU)]
    assert bool(extra) == (norm == "salu" or act == "swalu")


@pytest.mark.parametrize("norm", ["layernorm", "dyt", "derf"])
def test_per_channel_parts_follow_the_channel_axis(norm: str) -> None:
    model = meta_model("salunet_c18_cifar", norm=norm, act="relu")
    assert model.layer2[0].bn1.weight.shape == (128,)


def starts(model: nn.Module) -> dict[str, tuple[float, float]]:
    salus = {key: module for key, module in model.named_modules() if isinstance(module, SALU)}
    return {key: (round(m.a.item(), 6), round(m.b.item(), 6)) for key, m in salus.items()}


@pytest.mark.parametrize("name", ["salunet_c50", "salunet_c50_cifar"])
def test_quasi_linear_start_sits_on_the_shortcuts_of_bottleneck_nets(name: str) -> None:
    found = starts(build_model(name))
    shortcuts = {f"layer{stage}.0.downsample.1" for stage in (1, 2, 3, 4)}
    assert {key for key, start in found.items() if start == (1.0, 0.01)} == shortcuts
    assert {start for key, start in found.items() if key not in shortcuts} == {(1.5, 0.25)}


def test_quasi_linear_start_can_be_chosen() -> None:
    assert set(starts(build_model("salunet_c18_cifar")).values()) == {(1.5, 0.25)}
    chosen = starts(build_model("salunet_c18_cifar", quasi_linear_shortcut=True))
    assert [key for key, start in chosen.items() if start == (1.0, 0.01)] == [
        f"layer{stage}.0.downsample.1" for stage in (2, 3, 4)
    ]
    assert (1.0, 0.01) not in starts(build_model("salunet_c50", quasi_linear_shortcut=False)).values()
    meta_model("salunet_c50", norm="batchnorm", act="relu")
    with pytest.raises(ConfigurationError, match="needs norm='salu'"):
        build_model("salunet_c50", norm="batchnorm", quasi_linear_shortcut=True)


def test_start_values_reach_every_site_but_the_quasi_linear_ones() -> None:
    model = build_model("salunet_c50_cifar", salu_init=(1.5, 0.75), gate_init=(0.25, 0.125))
    assert set(starts(model).values()) == {(1.5, 0.75), (1.0, 0.01)}
    gates = [module for module in model.modules() if isinstance(module, SWALU)]
    assert len(gates) == 49
    assert all((gate.a.item(), gate.b.item()) == (0.25, 0.125) for gate in gates)


def test_convolutions_start_with_variance_two_over_fan_out() -> None:
    torch.manual_seed(0)
    model = build_model("salunet_c18_cifar")
    for key in ("conv1", "layer2.0.conv1", "layer4.1.conv2"):
        weight = model.get_submodule(key).weight
        wanted = math.sqrt(2 / (weight.shape[0] * weight.shape[2] * weight.shape[3]))
        assert weight.std().item() == pytest.approx(wanted, rel=0.05)


def test_zero_init_of_the_last_norm_stays_with_norms_that_have_a_weight() -> None:
    assert build_model("salunet_c18_cifar", norm="batchnorm").layer1[0].bn2.weight.abs().max() == 0
    assert build_model("salunet_c18_cifar", norm="batchnorm", zero_init_last=False).layer1[0].bn2.weight.min() == 1
    assert build_model("salunet_c18_cifar").layer1[0].bn2.a == 1.5


@pytest.mark.parametrize(("name", "stride"), [("salunet_c18", 16), ("salunet_c18_cifar", 4), ("salunet_c18_cifar", 2)])
def test_output_stride_counts_input_pixels(name: str, stride: int) -> None:
    model = meta_model(name, output_stride=stride)
    assert model.forward_features(torch.empty(1, 3, 64, 64, device="meta")).shape[-1] == 64 // stride
    assert model.feature_info[-1]["reduction"] == stride


def test_any_image_size_is_taken_and_recorded() -> None:
    model = build_model("salunet_c18_cifar", img_size=(40, 48)).eval()
    assert model.pretrained_cfg["input_size"] == (3, 40, 48)
    assert model.pretrained_cfg["pool_size"] == (5, 6)
    with torch.no_grad():
        assert model(torch.randn(1, 3, 40, 48)).shape == (1, 10)
        assert model(torch.randn(1, 3, 33, 17)).shape == (1, 10)


def test_second_evaluation_size_belongs_to_the_default_size() -> None:
    assert meta_model("salunet_c50").pretrained_cfg["test_input_size"] == (3, 288, 288)
    assert "test_input_size" not in meta_model("salunet_c50", img_size=160).pretrained_cfg


def test_bad_output_stride() -> None:
    with pytest.raises(ConfigurationError, match=r"output_stride=16 is not one of \(8, 4, 2\)"):
        build_model("salunet_c18_cifar", output_stride=16)
