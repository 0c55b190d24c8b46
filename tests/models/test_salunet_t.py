"""What is particular to the transformers: the attention scale, the doubly gated MLP, the positions."""

import math

import pytest
import timm
import torch
from torch import nn

from zoo.activations import GALU, SWALU
from zoo.errors import ConfigurationError, ShapeError
from zoo.models import build_model, fit_positions
from zoo.models.salunet_t import FullWidthAttention, TwiceGatedMlp

from .cases import images, meta_model, small_model


def count(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def reference_attention(attention: FullWidthAttention, x: torch.Tensor) -> torch.Tensor:
    n, t, width = x.shape
    heads = attention.num_heads
    q, k, v = attention.qkv(x).view(n, t, 3, heads, width // heads).permute(2, 0, 3, 1, 4)
    weights = torch.softmax(q @ k.transpose(-1, -2) / math.sqrt(width), dim=-1)
    return attention.proj((weights @ v).transpose(1, 2).reshape(n, t, width))


@pytest.mark.parametrize("fused", [True, False])
def test_attention_divides_by_the_root_of_the_full_width(fused: bool) -> None:
    torch.manual_seed(0)
    attention = FullWidthAttention(48, 4, qkv_bias=True)
    nn.init.normal_(attention.qkv.weight)
    attention.fused_attn = fused
    x = torch.randn(2, 5, 48)
    torch.testing.assert_close(attention(x), reference_attention(attention, x), rtol=1e-5, atol=1e-5)


def test_every_block_of_the_cifar_model_uses_that_attention() -> None:
    model = meta_model("salunet_t_cifar")
    assert len(model.blocks) == 7
    for block in model.blocks:
        assert isinstance(block.attn, FullWidthAttention)
        assert (block.attn.num_heads, block.attn.q_norm.factor) == (12, pytest.approx(math.sqrt(32 / 384)))
        assert isinstance(block.mlp, TwiceGatedMlp)
        assert block.mlp.fc1.weight.shape == block.mlp.fc2.weight.shape == (384, 384)


def test_mlp_gates_after_both_linear_layers() -> None:
    mlp = TwiceGatedMlp(6, 10, act_layer=nn.GELU)
    x = torch.randn(3, 4, 6)
    gelu = nn.functional.gelu
    torch.testing.assert_close(mlp(x), gelu(mlp.fc2(gelu(mlp.fc1(x)))))
    gated = TwiceGatedMlp(6, 10, act_layer=SWALU)
    assert gated.act1 is not gated.act2


def test_parameter_counts() -> None:
    baseline = meta_model("salunet_t_cifar", norm="layernorm", act="gelu")
    assert count(baseline) == 6_268_810
    norms = 15 * 2 * 384
    assert count(meta_model("salunet_t_cifar")) == 6_268_810 - norms + 2 * (15 + 14)


@pytest.mark.parametrize("size", ["tiny", "small", "base"])
def test_baseline_is_timms_vision_transformer(size: str) -> None:
    ours = meta_model(f"salunet_t_{size}", norm="layernorm", act="gelu")
    with torch.device("meta"):
        theirs = timm.create_model(f"vit_{size}_patch16_224")
    assert {k: v.shape for k, v in ours.state_dict().items()} == {k: v.shape for k, v in theirs.state_dict().items()}


def test_positions_start_standard_normal_in_the_cifar_model_only() -> None:
    torch.manual_seed(0)
    model = build_model("salunet_t_cifar")
    assert model.pos_embed.shape == (1, 65, 384)
    assert model.pos_embed.std().item() == pytest.approx(1, abs=0.02)
    assert model.cls_token.std().item() == pytest.approx(1, abs=0.15)
    # torch's own start of a linear layer: uniform with deviation 1/sqrt(3·fan_in).
    assert model.blocks[0].mlp.fc1.weight.std().item() == pytest.approx(1 / math.sqrt(3 * 384), rel=0.02)
    assert build_model("salunet_t_tiny").pos_embed.std().item() == pytest.approx(0.02, rel=0.1)


@pytest.mark.parametrize(("norm", "act"), [("layernorm", "gelu"), ("salu", "swalu"), ("dyt", "gelu"), ("derf", "silu")])
def test_other_parts_train(norm: str, act: str) -> None:
    model = small_model("salunet_t_cifar", norm=norm, act=act)
    model(images("salunet_t_cifar")).square().sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())
    assert bool([m for m in model.modules() if isinstance(m, SWALU)]) == (act == "swalu")
    assert not [m for m in model.modules() if isinstance(m, GALU)]


def test_image_size_lays_out_the_positions() -> None:
    model = meta_model("salunet_t_tiny", img_size=(96, 160))
    assert model.pos_embed.shape == (1, 6 * 10 + 1, 192)
    assert model.pretrained_cfg["input_size"] == (3, 96, 160)
    assert model(torch.empty(1, 3, 96, 160, device="meta")).shape == (1, 1000)
    for size in (30, (32, 30)):
        with pytest.raises(ShapeError, match=r"does not divide into 4x4 patches. Use \(32, 32\)"):
            build_model("salunet_t_cifar", img_size=size)


def test_dynamic_image_size_takes_what_divides_into_patches() -> None:
    model = meta_model("salunet_t_cifar", dynamic_img_size=True)
    assert model.pretrained_cfg["fixed_input_size"] is False
    assert model(torch.empty(1, 3, 48, 40, device="meta")).shape == (1, 10)


def test_a_model_of_any_size_computes_the_same_at_its_own() -> None:
    growing = small_model("salunet_t_cifar", dynamic_img_size=True).eval()
    fixed = small_model("salunet_t_cifar").eval()
    fixed.load_state_dict(growing.state_dict())
    x = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(fixed(x), growing(x))


def test_weights_move_to_another_image_size() -> None:
    source, target = small_model("salunet_t_cifar"), meta_model("salunet_t_cifar", img_size=48)
    state = fit_positions(source.state_dict(), target)
    assert state["pos_embed"].shape == target.pos_embed.shape == (1, 145, 384)
    torch.testing.assert_close(state["pos_embed"][:, 0], source.pos_embed[:, 0])
    assert state["cls_token"] is source.state_dict()["cls_token"] or torch.equal(state["cls_token"], source.cls_token)
    same = fit_positions(source.state_dict(), source)
    assert torch.equal(same["pos_embed"], source.pos_embed)


@pytest.mark.parametrize("shape", [(1, 65, 192), (1, 61, 384)])
def test_positions_that_cannot_be_resampled_stay_for_the_loader_to_judge(shape: tuple[int, ...]) -> None:
    table = torch.zeros(shape)
    assert fit_positions({"pos_embed": table}, meta_model("salunet_t_cifar", img_size=48))["pos_embed"] is table


def test_batchnorm_is_refused_with_the_norms_that_fit() -> None:
    with pytest.raises(ConfigurationError, match="use one of salu, layernorm, dyt, derf"):
        build_model("salunet_t_cifar", norm="batchnorm")
