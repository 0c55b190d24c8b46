"""Weight decay leaves activations alone in timm's optimisers, also where timm decays vectors."""

import pytest
import torch
from timm.optim import create_optimizer_v2, param_groups_weight_decay

from zoo.activations import parameter_specs
from zoo.models import build_model

from .cases import ALL, COSTLY, meta_model

KINDS = {
    "salunet_c18_cifar": {"a", "b"},
    "salunet_t_cifar": {"a", "b", "pos_embed", "cls_token"},
    "fles_swin_cifar": {
        "trunk_norm",
        "trunk_bias",
        "vertical_bias",
        "horizontal_bias",
        "vertical_norm",
        "horizontal_norm",
        "relative_position_bias_table",
    },
}


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow if n in COSTLY else ()) for n in ALL])
def test_timm_decays_no_parameter_of_an_activation_but_matrices(name: str) -> None:
    model = meta_model(name)
    spared = model.no_weight_decay()
    groups = param_groups_weight_decay(model, 0.1, weight_decay_exclude_1d=False, no_weight_decay_list=spared)
    decayed = {id(p) for group in groups if group["weight_decay"] for p in group["params"]}
    specs = parameter_specs(model)
    assert specs
    for path, parameter in model.named_parameters():
        wanted = specs[path].weight_decay if path in specs else path not in spared
        assert (id(parameter) in decayed) == wanted, path


@pytest.mark.parametrize("name", KINDS)
def test_which_names_are_given(name: str) -> None:
    spared = meta_model(name).no_weight_decay()
    assert KINDS[name] <= {path.rpartition(".")[2] for path in spared}
    assert not [path for path in spared if path.endswith(("trunk_weight", "vertical_weight", "fc.weight"))]


def test_a_baseline_names_nothing_of_its_own() -> None:
    assert build_model("salunet_c18_cifar", norm="batchnorm", act="relu", device="meta").no_weight_decay() == set()


def test_timms_optimiser_moves_no_spared_parameter_without_a_gradient() -> None:
    model = build_model("fles_poolformer_cifar")
    before = {path: p.detach().clone() for path, p in model.named_parameters()}
    optimiser = create_optimizer_v2(model, "adamw", lr=0.1, weight_decay=0.5, filter_bias_and_bn=True)
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimiser.step()
    kept = {path for path, p in model.named_parameters() if torch.equal(p, before[path])}
    assert {path for path, spec in parameter_specs(model).items() if not spec.weight_decay} <= kept
    assert "head.fc.weight" not in kept
