from dataclasses import replace

import pytest
import torch

from zoo.activations import activation_parameters, parameter_specs
from zoo.errors import RecipeError
from zoo.models import build_model
from zoo.training import groups as groups_module
from zoo.training.groups import parameter_groups
from zoo.training.images.optimise import Clipper, build_optimizer, build_scheduler

from .tiny import MODEL, tiny_recipe


def groups_of(model, *overrides):
    return {group["name"]: group for group in parameter_groups(model, tiny_recipe(*overrides).optimizer)}


def test_groups_hold_every_parameter_once():
    model = build_model(MODEL, num_classes=10)
    groups = groups_of(model)
    members = [id(p) for group in groups.values() for p in group["params"]]
    assert sorted(members) == sorted(id(p) for p in model.parameters())
    assert {id(p) for p in groups["activations"]["params"]} == {id(p) for p in activation_parameters(model).values()}
    assert groups["activations"]["lr_scale"] == 10
    assert groups["activations"]["weight_decay"] == 0
    assert groups["vectors"]["weight_decay"] == 0
    assert groups["weights"]["weight_decay"] == 5e-4
    assert groups["weights"]["lr_scale"] == 1


def test_baseline_has_no_activation_group_and_may_decay_vectors():
    model = build_model(MODEL, num_classes=10, norm="batchnorm", act="relu")
    groups = groups_of(model, "optimizer.decay_vectors=true")
    assert set(groups) == {"vectors", "weights"}
    assert groups["vectors"]["weight_decay"] == 5e-4


@pytest.mark.parametrize(("given", "factor"), [((), 10), (("optimizer.activation_lr_factor=3",), 3)])
def test_factor_of_activations_is_the_specs_unless_the_recipe_says(given, factor):
    assert groups_of(build_model(MODEL, num_classes=10), *given)["activations"]["lr_scale"] == factor


def test_specs_decide_factor_and_decay(monkeypatch):
    model = build_model(MODEL, num_classes=10)
    specs = {
        name: replace(spec, lr_factor=2.0, weight_decay=True) if name.endswith(".a") else spec
        for name, spec in parameter_specs(model).items()
    }
    monkeypatch.setattr(groups_module, "parameter_specs", lambda model: specs)
    found = [
        (group["name"], group["lr_scale"], group["weight_decay"], len(group["params"]))
        for group in parameter_groups(model, tiny_recipe().optimizer)
        if group["name"] == "activations"
    ]
    half = len(specs) // 2
    assert sorted(found) == [("activations", 2.0, 5e-4, half), ("activations", 10.0, 0.0, half)]


def test_rivals_keep_the_rate_of_the_weights_and_no_decay():
    model = build_model(MODEL, num_classes=10, norm="dyt", act="relu")
    specs = parameter_specs(model)
    groups = parameter_groups(model, tiny_recipe("optimizer.decay_vectors=true").optimizer)
    by_parameter = {id(p): group for group in groups for p in group["params"]}
    theirs = [by_parameter[id(model.get_parameter(name))] for name in specs]
    assert theirs
    assert {(g["name"], g["lr_scale"], g["weight_decay"]) for g in theirs} == {("vectors", 1.0, 0.0)}
    assert by_parameter[id(model.fc.bias)]["weight_decay"] == 5e-4


def test_frozen_parameters_are_left_out():
    model = build_model(MODEL, num_classes=10)
    model.conv1.requires_grad_(False)
    members = [p for group in groups_of(model).values() for p in group["params"]]
    assert all(p is not model.conv1.weight for p in members)


def test_names_choose_the_fallback():
    model = build_model(MODEL, num_classes=10)
    groups = groups_of(model, 'optimizer.fallback=["conv1.*", "fc.*"]')
    assert {id(p) for p in groups["fallback"]["params"]} == {id(model.conv1.weight), id(model.fc.weight)}


@pytest.mark.parametrize("name", ["sgd", "momentum", "adam", "adamw", "lamb", "muon"])
def test_optimizer_moves_activations_by_their_factor(name):
    torch.manual_seed(0)  # a gradient may round a step to nothing
    model = build_model(MODEL, num_classes=10)
    recipe = tiny_recipe(f"optimizer.name={name}", 'optimizer.fallback=["fc.*"]')
    optimizer = build_optimizer(model, recipe.optimizer)
    build_scheduler(optimizer, recipe, steps_per_epoch=5).step_update(4)
    rates = {group["name"]: group["lr"] for group in optimizer.param_groups}
    assert rates["activations"] == pytest.approx(10 * rates["weights"])
    before = [p.clone() for p in model.parameters()]
    model(torch.randn(2, 3, 32, 32)).square().sum().backward()
    optimizer.step()
    assert all(not torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
    if name == "muon":
        assert optimizer.state[model.fc.weight]["use_muon"] is False
        assert optimizer.state[model.layer2[0].conv1.weight]["use_muon"] is True


@pytest.mark.parametrize("kind", ["linear", "cosine", "constant"])
def test_schedule_rises_then_falls(kind):
    recipe = tiny_recipe(f"schedule.kind={kind}", "schedule.epochs=4", "schedule.warmup_epochs=1")
    optimizer = build_optimizer(build_model(MODEL, num_classes=10), recipe.optimizer)
    scheduler = build_scheduler(optimizer, recipe, steps_per_epoch=10)
    weights = next(group for group in optimizer.param_groups if group["name"] == "weights")
    rates = []
    for step in range(40):
        scheduler.step_update(step)
        rates.append(weights["lr"])
    assert rates[0] == 0
    assert rates[5] == pytest.approx(0.025)
    assert rates[10] == max(rates) == pytest.approx(0.05)
    middle = {"linear": 0.025, "cosine": 0.025, "constant": 0.05}[kind]
    assert rates[25] == pytest.approx(middle)
    assert rates[39] == (0.05 if kind == "constant" else pytest.approx(0, abs=0.05 / 29))
    assert rates[39] > 0


@pytest.mark.parametrize(("scope", "kept"), [("all", False), ("weights", True)])
def test_clipping_scope(scope, kept):
    model = build_model(MODEL, num_classes=10)
    recipe = tiny_recipe("optimizer.clip_norm=0.5", f"optimizer.clip_scope={scope}").optimizer
    clip = Clipper(build_optimizer(model, recipe), recipe)
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    others = [p for n, p in model.named_parameters() if n not in activation_parameters(model)]
    counted = list(model.parameters()) if scope == "all" else others
    norm = clip()
    assert norm.item() == pytest.approx(sum(p.numel() for p in counted) ** 0.5)
    assert sum(p.grad.square().sum() for p in counted).sqrt().item() == pytest.approx(0.5, rel=1e-3)
    assert (next(iter(activation_parameters(model).values())).grad.item() == 1) is kept


def test_unknown_optimizer_offers_names():
    with pytest.raises(RecipeError, match="adamw"):
        build_optimizer(build_model(MODEL, num_classes=10), tiny_recipe("optimizer.name=adamww").optimizer)


def test_refused_argument_is_named():
    recipe = tiny_recipe("optimizer.args={speed=3}").optimizer
    with pytest.raises(RecipeError, match="speed"):
        build_optimizer(build_model(MODEL, num_classes=10), recipe)
