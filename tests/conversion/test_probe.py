"""What the example pass leaves behind: nothing."""

import copy

import pytest
import timm
import torch
from torch import nn

import zoo
from conversion.nets import Restless, SharedObject, mlp
from zoo.conversion.example import make_example
from zoo.errors import ConfigurationError

IMAGES = torch.randn(2, 3, 6, 6)


def hooks(model):
    kinds = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_forward_hooks_with_kwargs")
    return [len(getattr(module, kind)) for module in model.modules() for kind in kinds]


@pytest.mark.parametrize("inplace", [False, True])
def test_buffers_modes_hooks_and_random_numbers(inplace):
    model = Restless().train()
    model.norm.eval()
    model.conv.weight.requires_grad_(False)
    original = copy.deepcopy(model)
    cache, state = model.cache, torch.get_rng_state()
    converted, report = zoo.convert(model, "swalu", example=IMAGES, inplace=inplace)
    assert torch.equal(torch.get_rng_state(), state)
    assert (converted is model) == inplace
    for this in (model, converted):
        for name, value in original.state_dict().items():
            assert torch.equal(this.state_dict()[name], value), name
        assert [m.training for m in this.children()] == [m.training for m in original.children()]
        assert [p.requires_grad for p in this.conv.parameters()] == [False, True]
        assert sum(hooks(this)) == 0
    assert model.cache is cache
    assert isinstance(original.act, type(model.act)) != inplace
    assert all(p.requires_grad for p in converted.act.parameters())
    assert report.sites[0].calls == 1


def test_the_seed_decides_the_fresh_parameters():
    x, state = torch.randn(3, 4), []
    for _ in range(2):
        torch.manual_seed(5)
        state.append(zoo.convert(mlp(), example=x)[0].state_dict())
    assert all(torch.equal(state[0][name], state[1][name]) for name in state[0])


class Picky(nn.Module):
    """Runs with the module it was made with only."""

    def __init__(self):
        super().__init__()
        self.linear, self.act = nn.Linear(4, 4), nn.SiLU()

    def forward(self, x):
        return self.act(self.linear(x)) if self.act.inplace is False else x


@pytest.mark.parametrize("inplace", [False, True])
def test_a_model_stays_as_it_is_if_the_conversion_fails(inplace):
    model = nn.Sequential(SharedObject(), nn.Linear(10, 4), Picky())
    before, state = dict(model.named_modules(remove_duplicate=False)), copy.deepcopy(model.state_dict())
    with pytest.raises(ConfigurationError, match="does not run any more: 'FleS' object has no attribute 'inplace'"):
        zoo.convert(model, example=torch.randn(3, 4), inplace=inplace)
    assert dict(model.named_modules(remove_duplicate=False)) == before
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert sum(hooks(model)) == 0


def test_an_example_that_does_not_fit():
    model = mlp()
    with pytest.raises(ConfigurationError, match=r"does not run on the example \(\(3, 7\) float32\).*Pass example="):
        zoo.convert(model, example=torch.randn(3, 7))
    assert sum(hooks(model)) == 0


@pytest.mark.parametrize("shape", ["tensor", "tuple", "dict"])
def test_forms_of_an_example(shape):
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = mlp()

        def forward(self, x, scale=1.0, *, shift=0.0):
            return {"out": self.inner(x) * scale + shift}

    x = torch.randn(3, 4)
    example = {"tensor": x, "tuple": (x, 2.0), "dict": {"x": x, "shift": x[:, :1]}}[shape]
    _, report = zoo.convert(Two(), example=example)
    assert report.difference == 0
    assert report.scale > 0


def test_models_that_say_what_they_take():
    assert make_example(timm.create_model("vit_tiny_patch16_224", depth=1)).shape == (2, 3, 224, 224)
    assert make_example(zoo.create_model("salunet_c18_cifar").half()).dtype == torch.float16
    assert make_example(mlp()) is None


def test_a_model_without_memory():
    model = timm.create_model("tinynet_e", num_classes=3)
    example = torch.randn(1, 3, 32, 32)
    usual, _ = zoo.convert(model, example=example)
    converted, report = zoo.convert(model.to("meta"), example=example.to("meta"))
    assert {name: p.shape for name, p in converted.named_parameters()} == {
        name: p.shape for name, p in usual.named_parameters()
    }
    assert all(p.is_meta for p in converted.parameters())
    assert report.difference is None
    assert report.preserves
