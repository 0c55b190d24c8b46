"""What every model promises: the checks of timm's own model tests, for each name in the registry."""

import pytest
import timm
import torch
from timm.models import create_feature_extractor, get_graph_node_names
from torch import Tensor, nn

from zoo.models import MODELS, build_model
from zoo.models.activation_layout import sites

from .cases import ALL, COSTLY, REPRESENTATIVES, TRANSFORMERS, WINDOWED, images, meta_images, meta_model, small_model

EACH = [pytest.param(name, marks=pytest.mark.slow if name in COSTLY else ()) for name in ALL]


@pytest.fixture(scope="module", params=EACH)
def name(request: pytest.FixtureRequest) -> str:
    """Each model in turn; module scope groups the tests of one model, which share `model` and `features`."""
    return str(request.param)


@pytest.fixture(scope="module")
def model(name: str) -> nn.Module:
    """The full-size model without numbers, as built; tests that change it build their own."""
    return meta_model(name)


@pytest.fixture(scope="module")
def intermediates(name: str, model: nn.Module) -> tuple[Tensor, list[Tensor]]:
    """Its last feature map and those on the way, computed once."""
    with torch.no_grad():
        return model.forward_intermediates(meta_images(name))


@pytest.fixture(scope="module")
def features(intermediates: tuple[Tensor, list[Tensor]]) -> Tensor:
    """Its last feature map."""
    return intermediates[0]


def test_trains_and_reloads(name: str) -> None:
    """Every parameter gets a finite gradient, and another model that takes the state gives the same answer."""
    model, batch = small_model(name).train(), images(name, batch=1)
    logits = model(batch)
    assert logits.shape == (1, MODELS.get(name).num_classes)
    logits.square().mean().backward()
    for key, parameter in model.named_parameters():
        assert parameter.grad is not None, key
        assert parameter.grad.isfinite().all(), key

    # A window's indices are no part of the state, so these must be there already.
    other = small_model(name, seed=3, device="cpu" if name in WINDOWED else "meta")
    other.load_state_dict(model.state_dict(), strict=True, assign=True)
    torch.testing.assert_close(other.train()(batch), logits, rtol=0, atol=0)


def test_describes_itself_like_a_timm_model(name: str, model: nn.Module) -> None:
    spec, cfg = MODELS.get(name), model.default_cfg
    assert cfg is model.pretrained_cfg
    assert cfg["architecture"] == name
    assert cfg["input_size"] == spec.input_size
    assert cfg["num_classes"] == spec.num_classes == model.num_classes
    keys = set(model.state_dict())
    assert f"{cfg['classifier']}.weight" in keys
    assert f"{cfg['first_conv']}.weight" in keys
    assert model.get_submodule(cfg["classifier"]) is model.get_classifier()
    assert len(cfg["mean"]) == len(cfg["std"]) == 3


def test_head_can_be_taken_off_and_replaced(name: str, features: Tensor) -> None:
    model, spec = meta_model(name), MODELS.get(name)
    if name in TRANSFORMERS:
        cells = (spec.input_size[1] // spec.patch_size) ** 2
        assert features.shape == (2, cells + 1, model.num_features)
    elif name in WINDOWED:
        assert features.shape == (2, *model.pretrained_cfg["pool_size"], model.num_features)
    else:
        assert features.shape == (2, model.num_features, *model.pretrained_cfg["pool_size"])
    assert model.forward_head(features, pre_logits=True).shape == (2, model.num_features)
    assert model.forward_head(features).shape == (2, spec.num_classes)

    model.reset_classifier(7)
    assert model.forward_head(features).shape == (2, 7)
    model.reset_classifier(0)
    assert model.forward_head(features).shape == (2, model.num_features)
    model.reset_classifier(0, "")
    assert model.forward_head(features).shape == features.shape
    bare = meta_model(name, num_classes=0, global_pool="")
    assert bare.forward_head(features).shape == features.shape


def test_other_channels_and_classes(name: str) -> None:
    model = meta_model(name, in_chans=1, num_classes=7)
    cfg = model.pretrained_cfg
    assert model.get_submodule(cfg["first_conv"]).in_channels == 1
    assert model.get_classifier().out_features == 7
    assert cfg["input_size"] == (1, *MODELS.get(name).input_size[1:])
    assert cfg["num_classes"] == 7
    assert len(cfg["mean"]) == len(cfg["std"]) == 1
    assert isinstance(meta_model(name, num_classes=0).get_classifier(), nn.Identity)


@pytest.mark.parametrize("name", REPRESENTATIVES)
def test_other_channels_and_classes_run(name: str) -> None:
    with torch.no_grad():
        assert small_model(name, in_chans=1, num_classes=7)(images(name, channels=1)).shape == (2, 7)
        bare = small_model(name, in_chans=5, num_classes=0)
        assert bare(images(name, channels=5)).shape == (2, bare.num_features)


def test_features_only_has_the_announced_channels_and_reductions(name: str, model: nn.Module) -> None:
    spec = MODELS.get(name)
    extractor = meta_model(name, features_only=True)
    with torch.no_grad():
        maps = extractor(meta_images(name))
    info = extractor.feature_info
    assert len(maps) == len(info.channels()) == (3 if name in TRANSFORMERS else len(model.feature_info))
    for feature, channels, reduction in zip(maps, info.channels(), info.reduction(), strict=True):
        side = -(-spec.input_size[1] // reduction)
        assert feature.shape == (2, channels, side, side)
    assert info.reduction()[-1] == spec.reduction


@pytest.mark.parametrize("name", REPRESENTATIVES)
def test_features_can_be_chosen(name: str) -> None:
    chosen = small_model(name, features_only=True, out_indices=(1, 2))
    with torch.no_grad():
        assert [feature.shape[1] for feature in chosen(images(name))] == chosen.feature_info.channels()
    assert len(chosen.feature_info.channels()) == 2


def test_forward_intermediates(
    name: str, model: nn.Module, features: Tensor, intermediates: tuple[Tensor, list[Tensor]]
) -> None:
    on_the_way = intermediates[1]
    assert [feature.shape[1] for feature in on_the_way] == [info["num_chs"] for info in model.feature_info]
    if name not in TRANSFORMERS:
        last = features.movedim(-1, 1) if name in WINDOWED else features
        assert on_the_way[-1].shape == last.shape


@pytest.mark.parametrize("name", REPRESENTATIVES)
def test_intermediates_are_those_of_the_forward_pass(name: str) -> None:
    model, batch = small_model(name).eval(), images(name)
    with torch.no_grad():
        final, _ = model.forward_intermediates(batch)
        torch.testing.assert_close(final, model.forward_features(batch), rtol=0, atol=0)
        torch.testing.assert_close(model.forward_head(final), model(batch), rtol=0, atol=0)
        _, everything = model.forward_intermediates(batch)
        last = model.forward_intermediates(batch, indices=1, intermediates_only=True)
    torch.testing.assert_close(last, everything[-1:], rtol=0, atol=0)


@pytest.mark.slow
def test_traces_with_fx(name: str, model: nn.Module) -> None:
    _, nodes = get_graph_node_names(model)
    traced = create_feature_extractor(model, return_nodes=[nodes[-1]])
    with torch.no_grad():
        assert traced(meta_images(name))[nodes[-1]].shape == (2, MODELS.get(name).num_classes)


@pytest.mark.parametrize("name", REPRESENTATIVES)
def test_fx_trace_keeps_the_values(name: str) -> None:
    model, batch = small_model(name).eval(), images(name)
    _, nodes = get_graph_node_names(model)
    traced = create_feature_extractor(model, return_nodes=[nodes[-1]])
    with torch.no_grad():
        torch.testing.assert_close(traced(batch)[nodes[-1]], model(batch), rtol=0, atol=0)


def test_no_two_places_share_an_activation(name: str, model: nn.Module) -> None:
    places = list(sites(model))
    gates = [getattr(site.owner, site.attribute) for site in places]
    assert len({id(gate) for gate in gates}) == len(gates) > 0
    parameters = [id(parameter) for gate in gates for parameter in gate.parameters()]
    assert len(set(parameters)) == len(parameters)
    for site, gate in zip(places, gates, strict=True):
        assert getattr(gate, "num_features", site.num_features) == site.num_features


@pytest.mark.parametrize("name", REPRESENTATIVES)
def test_gradient_checkpointing_changes_nothing(name: str) -> None:
    batch = images(name)
    plain, checkpointed = small_model(name), small_model(name)
    checkpointed.set_grad_checkpointing()
    for model in (plain, checkpointed):
        model(batch).square().sum().backward()
    for (key, one), two in zip(plain.named_parameters(), checkpointed.parameters(), strict=True):
        torch.testing.assert_close(one.grad, two.grad, msg=key)


def test_group_matcher_names_every_block(model: nn.Module) -> None:
    groups = timm.models.group_parameters(model, model.group_matcher())
    assert sum(map(len, groups.values())) == len(list(model.parameters()))
    assert len(groups) > 5


@pytest.mark.parametrize("name", REPRESENTATIVES)
def test_drop_rates_act_in_training_only(name: str) -> None:
    torch.manual_seed(0)
    model = build_model(name, drop_rate=0.5, drop_path_rate=0.5)
    batch = images(name)
    with torch.no_grad():
        assert not torch.equal(model(batch), model(batch))
        model.eval()
        assert torch.equal(model(batch), model(batch))


@pytest.mark.slow
def test_runs_at_full_size(name: str) -> None:
    torch.manual_seed(0)
    model = build_model(name).eval()
    with torch.no_grad():
        logits = model(torch.randn(2, *MODELS.get(name).input_size))
    assert logits.isfinite().all()
    assert logits.std() > 0
