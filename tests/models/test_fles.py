"""What is particular to the FleS models: where FleS stands, that they start as SiLU nets, whose backbones they are."""

import pytest
import timm
import torch
from torch import nn
from torch.nn.functional import softplus

from zoo.activations import FleS
from zoo.errors import ConfigurationError, ShapeError, UnknownNameError
from zoo.models import MODELS, build_model, fit_positions

from .cases import images, meta_model, small_model

FAMILY = [name for name in MODELS if MODELS.get(name).family.startswith("fles")]
SMALL = ["fles_poolformer_cifar", "fles_swin_cifar", "fles_resnet18_cifar", "fles_vit_tiny_patch16"]
TWINS = [
    ("fles_swin_tiny", "swin_tiny_patch4_window7_224", "gelu"),
    ("fles_swin_base", "swin_base_patch4_window7_224", "gelu"),
    ("fles_vit_tiny_patch16", "vit_tiny_patch16_224", "gelu"),
    ("fles_vit_base_patch16", "vit_base_patch16_224", "gelu"),
    ("fles_poolformer_s12", "poolformer_s12", "gelu"),
    ("fles_resnet18", "resnet18", "relu"),
    ("fles_resnet50", "resnet50", "relu"),
]
# Widths of the FleS in each model, in order.
WIDTHS = {
    "fles_swin_min": [384, 768, 1536, 3072],
    "fles_swin_micro": [384, 768, 768, 1536, 1536, 3072, 3072],
    "fles_vit_tiny_patch16": [768] * 12,
    "fles_poolformer_cifar": [256, 256, 512, 512, 1024, 1024],
    "fles_poolformer_s12": [256] * 2 + [512] * 2 + [1280] * 6 + [2048] * 2,
    "fles_resnet50": [64, 256] * 3 + [128, 512] * 4 + [256, 1024] * 6 + [512, 2048] * 3,
    "fles_resnet18_cifar": [64] * 4 + [128] * 4 + [256] * 4 + [512] * 4,
}


def gates(model: nn.Module) -> list[FleS]:
    return [module for module in model.modules() if isinstance(module, FleS)]


def shapes(model: nn.Module) -> dict[str, torch.Size]:
    return {key: value.shape for key, value in model.state_dict().items()}


@pytest.mark.parametrize("name", WIDTHS)
def test_where_fles_stands(name: str) -> None:
    model = meta_model(name)
    assert [gate.num_features for gate in gates(model)] == WIDTHS[name]
    assert {gate.channel_axis for gate in gates(model)} == {MODELS.get(name).channel_axis}
    rest = sum(isinstance(module, nn.SiLU) for module in model.modules())
    assert rest == {"fles_resnet50": 17, "fles_resnet18_cifar": 1}.get(name, 0)


@pytest.mark.parametrize(("name", "twin", "act"), TWINS)
def test_backbone_is_timms(name: str, twin: str, act: str) -> None:
    ours = meta_model(name, act=act)
    with torch.device("meta"):
        theirs = timm.create_model(twin)
    assert shapes(ours) == shapes(theirs)


@pytest.mark.parametrize(
    ("name", "twin", "arguments"),
    [
        ("fles_swin_cifar", "swin_tiny_patch4_window7_224", MODELS.get("fles_swin_cifar").numbers),
        ("fles_poolformer_s12", "poolformer_s12", {}),
    ],
)
def test_baseline_computes_what_timms_backbone_computes(name: str, twin: str, arguments: dict[str, object]) -> None:
    batch = images(name)
    ours = small_model(name, act="gelu", num_classes=5).eval()
    sized = {"img_size": batch.shape[-1]} if arguments else {}
    theirs = timm.create_model(twin, num_classes=5, **sized, **arguments).eval()
    theirs.load_state_dict(ours.state_dict())
    with torch.no_grad():
        torch.testing.assert_close(ours(batch), theirs(batch), rtol=0, atol=0)


@pytest.mark.parametrize("name", SMALL)
def test_a_fresh_model_is_its_silu_twin_bit_for_bit(name: str) -> None:
    fles = small_model(name, act_args={"start": "identity"}).eval()
    silu = small_model(name, seed=5, act="silu").eval()
    left = silu.load_state_dict(fles.state_dict(), strict=False)
    assert not left.missing_keys
    batch = images(name)
    with torch.no_grad():
        assert torch.equal(fles(batch), silu(batch))


@pytest.mark.parametrize("name", SMALL)
def test_a_sample_does_not_depend_on_its_batch(name: str) -> None:
    # In float64: the positive mean jumps where an element passes zero, which float32's rounding makes happen.
    model, batch = trained_a_little(small_model(name)).eval().double(), images(name, batch=3).double()
    with torch.no_grad():
        together, alone = model(batch), torch.cat([model(image[None]) for image in batch])
    torch.testing.assert_close(together, alone, rtol=1e-9, atol=1e-10)


def test_proto_depends_on_its_batch() -> None:
    model, batch = small_model("fles_poolformer_cifar", act="fles_proto").eval(), images("fles_poolformer_cifar")
    with torch.no_grad():
        for gate in gates(model):
            gate.vertical_norm.fill_(1.0)
        assert (model(batch)[:1] - model(batch[:1])).abs().max() > 1e-3


def trained_a_little(model: nn.Module) -> nn.Module:
    """With heads that are no longer zero, so that the coefficients follow the sample."""
    for gate in gates(model):
        for parameter in (gate.vertical_norm, gate.vertical_weight, gate.horizontal_weight):
            nn.init.normal_(parameter, std=0.1)
    return model


@pytest.mark.parametrize("act", ["fles_dg", "fles_pn", "fles_adas", "meta_acon", "star_relu", "adashift"])
@pytest.mark.parametrize("name", ["fles_poolformer_cifar", "fles_swin_cifar"])
def test_other_gates_train(name: str, act: str) -> None:
    model = small_model(name, act=act)
    model(images(name)).square().sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())
    assert any(parameter.grad.abs().max() > 0 for parameter in model.parameters())


@pytest.mark.parametrize("name", ["fles_poolformer_cifar", "fles_swin_cifar", "fles_vit_tiny_patch16"])
def test_every_norm_that_fits_trains(name: str) -> None:
    for norm in MODELS.get(name).norms:
        model = small_model(name, norm=norm)
        model(images(name)).square().sum().backward()
        assert all(parameter.grad.isfinite().all() for parameter in model.parameters()), norm


def test_arguments_of_the_gate() -> None:
    model = build_model("fles_poolformer_cifar", act_args={"start": "identity", "steepness": 1.702, "hidden": 8})
    assert {gate.hidden for gate in gates(model)} == {8}
    assert {round(softplus(gate.horizontal_bias).mean().item(), 4) for gate in gates(model)} == {1.702}


def test_places_of_the_gate_in_a_resnet_can_be_chosen() -> None:
    chosen = meta_model("fles_resnet18_cifar", gate_at=("stem", "act1"), rest_act="relu")
    assert len(gates(chosen)) == 1 + 8
    assert isinstance(chosen.layer1[0].act2, nn.ReLU)
    plain = meta_model("fles_resnet18_cifar", act="relu")
    assert not [module for module in plain.modules() if isinstance(module, nn.SiLU)]
    with pytest.raises(ConfigurationError, match=r"no activation 'act3'\. Nearest: act2"):
        build_model("fles_resnet18_cifar", gate_at=("act1", "act3"))
    with pytest.raises(ConfigurationError, match=r"no activation 'act4'\. Nearest: act3"):
        build_model("fles_resnet50", gate_at=("act4",), device="meta")
    with pytest.raises(UnknownNameError, match="Unknown gate 'slu'"):
        build_model("fles_resnet18_cifar", rest_act="slu")


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="maps only"):
        build_model("fles_swin_cifar", act="frelu")
    with pytest.raises(ConfigurationError, match="use one of layernorm, dyt, derf"):
        build_model("fles_swin_cifar", norm="salu")
    with pytest.raises(ShapeError, match=r"does not divide into 2x2 patches. Use \(32, 32\)"):
        build_model("fles_swin_cifar", img_size=33)


def test_weights_of_a_swin_move_to_another_image_size() -> None:
    source, target = small_model("fles_swin_cifar"), build_model("fles_swin_cifar", img_size=16)
    state = fit_positions(source.state_dict(), target)
    target.load_state_dict(state)
    name = "layers.2.blocks.0.attn.relative_position_bias_table"
    assert source.state_dict()[name].shape == (49, 8)
    assert state[name].shape == (9, 8)


@pytest.mark.parametrize("name", FAMILY)
def test_says_whose_paper_it_is(name: str) -> None:
    assert MODELS.get(name).pretrained_cfg()["paper_ids"] == "OpenReview:XGODWn7HeJ"
