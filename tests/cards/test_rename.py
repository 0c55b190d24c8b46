"""Foreign names: wrappers, prefixes, torchvision's and the authors' style, and the user's own table."""

import re

import pytest
import torch
from torchvision.models import VisionTransformer as TorchvisionViT
from torchvision.models import resnet18

from zoo.adoption.rename import rename_state, unwrap
from zoo.errors import ConfigurationError, WeightsMismatchError
from zoo.models import build_model
from zoo.weights.load import differences

WEIGHT = {"w": torch.zeros(1)}
OTHER = {"w": torch.ones(1)}


@pytest.fixture(scope="module")
def convnet() -> dict[str, torch.Tensor]:
    return build_model("salunet_c18", device="meta").state_dict()


@pytest.mark.parametrize(
    ("content", "ema", "found", "path"),
    [
        (WEIGHT, None, WEIGHT, ""),
        ({"state_dict": WEIGHT, "epoch": 3, "optimizer": {}}, None, WEIGHT, "state_dict"),
        ({"model": {"state_dict": WEIGHT}}, None, WEIGHT, "model.state_dict"),
        ({"net": WEIGHT, "acc": 97.2}, None, WEIGHT, "net"),
        ({"state_dict": WEIGHT, "state_dict_ema": OTHER}, None, OTHER, "state_dict_ema"),
        ({"state_dict": WEIGHT, "state_dict_ema": OTHER}, True, OTHER, "state_dict_ema"),
        ({"state_dict": WEIGHT, "state_dict_ema": OTHER}, False, WEIGHT, "state_dict"),
        ({"model": WEIGHT, "model_ema": {"module": OTHER}}, None, OTHER, "model_ema.module"),
        ({"checkpoint": 1, "model": {"ema": OTHER, "net": WEIGHT}}, True, OTHER, "model.ema"),
    ],
)
def test_wrappers(content, ema, found, path):
    state, where, _ = unwrap(content, ema)
    assert (state, where) == (found, path)


def test_what_was_left_aside_is_told():
    assert unwrap({"state_dict": {"ema": OTHER, "x": 1}, "epoch": 3})[2] == ["epoch", "state_dict.x"]


@pytest.mark.parametrize("content", [{}, {"epoch": 3}, [1, 2], None, {"state_dict": {}}, {"state_dict": {"a": 1}}])
def test_no_state_dict(content):
    with pytest.raises(WeightsMismatchError, match="No state dict found"):
        unwrap(content)


def test_averaged_weights_that_are_not_there():
    with pytest.raises(WeightsMismatchError, match="--ema was asked for"):
        unwrap({"state_dict": WEIGHT}, ema=True)


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "model.", "module._orig_mod.", "module.model."])
def test_prefixes(convnet, prefix):
    found = rename_state({prefix + name: value for name, value in convnet.items()}, convnet)
    assert differences(found.state, convnet) == []
    assert found.renamed[f"{prefix}fc.bias"] == "fc.bias"


@pytest.mark.parametrize(
    ("foreign", "ours"),
    [
        ("L4.1.salu1.a", "layer4.1.bn1.a"),
        ("layer4.1.salu1.alpha", "layer4.1.bn1.a"),
        ("layer4.1.swalu2.beta", "layer4.1.act2.b"),
        ("layers.1.0.conv1.weight", "layer1.0.conv1.weight"),
        ("stage2.0.shortcut.0.weight", "layer2.0.downsample.0.weight"),
        ("layer2.0.shortcut.1.b", "layer2.0.downsample.1.b"),
        ("layer2.0.shortcut.conv.weight", "layer2.0.downsample.0.weight"),
        ("layer2.0.downsample.salu.a", "layer2.0.downsample.1.a"),
        ("layer3.0.salu_shortcut.a", "layer3.0.downsample.1.a"),
        ("salu1.a", "bn1.a"),
        ("salu.a", "bn1.a"),
        ("swalu.b", "act1.b"),
        ("stem.conv.weight", "conv1.weight"),
        ("stem.salu.a", "bn1.a"),
        ("stem.0.weight", "conv1.weight"),
        ("stem.2.b", "act1.b"),
        ("linear.weight", "fc.weight"),
        ("classifier.bias", "fc.bias"),
    ],
)
def test_styles_of_a_convolutional_net(convnet, foreign, ours):
    assert rename_state({f"module.{foreign}": convnet[ours]}, convnet).renamed == {f"module.{foreign}": ours}


@pytest.mark.parametrize("shape", [(), (1,), (1, 1)])
def test_scalars_take_the_shape_of_the_model_whatever_theirs(convnet, shape):
    found = rename_state({"L1.0.salu1.a": torch.tensor(2.5).reshape(shape)}, convnet)
    assert found.state["layer1.0.bn1.a"].shape == (1,)
    assert found.state["layer1.0.bn1.a"] == 2.5


def test_torchvision_resnet_fits_our_baseline():
    wanted = build_model("salunet_c18", norm="batchnorm", act="relu", device="meta").state_dict()
    with torch.device("meta"):
        state = resnet18().state_dict()
    assert differences(rename_state(state, wanted).state, wanted) == []


def test_torchvision_vit_fits_our_baseline():
    wanted = build_model("salunet_t_tiny", norm="layernorm", act="gelu", device="meta").state_dict()
    with torch.device("meta"):
        state = TorchvisionViT(224, 16, 12, 3, 192, 768).state_dict()
    assert differences(rename_state(state, wanted).state, wanted) == []


def test_what_is_no_weight_is_left_out_with_a_reason(convnet):
    state = {
        "n_averaged": torch.tensor(3),
        "layer1.total_ops": torch.zeros(1),
        "epoch": 5,
        "fc.bias": torch.zeros(1000),
    }
    found = rename_state(state, convnet)
    assert list(found.state) == ["fc.bias"]
    reasons = ["n_averaged: bookkeeping", "layer1.total_ops: bookkeeping", "epoch: int, not a tensor"]
    assert [line.startswith(reason) for line, reason in zip(found.ignored, reasons, strict=True)] == [True] * 3


def test_an_unknown_name_is_kept_for_the_error(convnet):
    assert list(rename_state({"module.secret.weight": torch.zeros(1)}, convnet).state) == ["secret.weight"]


def test_the_users_table_goes_first(convnet):
    table = {r"^enc\.(\d)\.": r"layer\1.", r"\.first\.": ".conv1.", r"^aux\.": None}
    state = {"enc.1.0.first.weight": convnet["layer1.0.conv1.weight"], "aux.weight": torch.zeros(2)}
    found = rename_state(state, convnet, table)
    assert list(found.state) == ["layer1.0.conv1.weight"]
    assert found.ignored == ["aux.weight: left out by the --rename table"]


@pytest.mark.parametrize("table", [{"(": "x"}, {"fc": r"\7"}, {"[": None}])
def test_a_bad_rule_is_named(convnet, table):
    with pytest.raises(ConfigurationError, match=re.escape(repr(next(iter(table))))):
        rename_state({"fc.bias": torch.zeros(1)}, convnet, table)


def test_two_names_that_become_one(convnet):
    with pytest.raises(WeightsMismatchError, match=r"become 'fc\.bias'; the second is 'linear\.bias'"):
        rename_state({"fc.bias": torch.zeros(1), "linear.bias": torch.zeros(1)}, convnet)
