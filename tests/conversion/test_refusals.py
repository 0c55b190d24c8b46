"""Bad arguments: one error that says what to do, and nothing changed."""

import copy

import pytest
import timm
import torch
from torch import nn

import zoo
from conversion.nets import mlp
from zoo.errors import ConfigurationError, UnknownNameError

X = torch.randn(3, 4)

BAD = {
    "no model": (lambda: "resnet18", {}, "takes a torch.nn.Module, not str"),
    "an activation": (nn.SiLU, {}, "The model itself is a SiLU"),
    "a norm": (lambda: nn.LayerNorm(4), {"to": "salu"}, "The model itself is a LayerNorm"),
    "no example": (mlp, {"example": None}, "this model does not say what it takes. Pass example="),
    "no activation": (lambda: nn.Linear(4, 4), {}, "Linear has no activation that could become fles"),
    "nothing of this kind": (mlp, {"of": "gelu"}, r"1 \(SiLU\): silu is not among of=gelu"),
    "is it already": (lambda: mlp(nn.GELU), {"to": "gelu"}, r"1 \(GELU\): is gelu already"),
    "no norm": (mlp, {"to": "salu"}, "has no norm layer that could become salu"),
    "no such argument": (mlp, {"gamma": 2}, "gamma"),
    "steepness a word": (mlp, {"steepness": "two"}, "steepness must be a finite number"),
    "steepness unknown": (
        lambda: mlp(nn.ELU),
        {"of": "elu"},
        r"1, 3 \(ELU\): no start of FleS is known where 'elu' stood",
    ),
    "an argument no file can hold": (mlp, {"dtype": torch.float16}, "give a number or a text"),
    "start below zero": (lambda: nn.Sequential(nn.LayerNorm(4)), {"to": "salu", "a": -1.0}, "positive finite"),
    "kind": (mlp, {"of": "silo"}, "Nearest: silu"),
    "kind of the other sort": (mlp, {"of": "layernorm"}, "no kind of activation"),
    "class that is no module": (mlp, {"of": int}, "no module class"),
    "pattern": (mlp, {"include": "layer.*"}, r"The pattern 'layer\.\*' fits no activation"),
    "pattern to exclude": (mlp, {"exclude": ["7"]}, "The pattern '7' fits no activation"),
    "pattern that is a number": (mlp, {"include": [1]}, "give patterns of module names"),
    "axis 0": (mlp, {"channel_axis": 0}, "Axis 0 is the batch"),
    "axis by name": (mlp, {"channel_axis": "last"}, "a mapping from patterns"),
    "axis of a pattern": (mlp, {"channel_axis": {"1": True}}, "a mapping from patterns"),
    "everything excluded": (mlp, {"exclude": "*"}, r"1 \(SiLU\): excluded by '\*'"),
    "integers": (
        lambda: nn.Sequential(nn.ReLU(), nn.Linear(4, 2)),
        {"example": torch.ones(3, 4).long()},
        "does not run on the example",
    ),
}


@pytest.mark.parametrize(("build", "options", "said"), BAD.values(), ids=BAD)
@pytest.mark.parametrize("inplace", [False, True])
def test_bad_arguments(build, options, said, inplace):
    model = build()
    before = copy.deepcopy(dict(model.named_modules())) if isinstance(model, nn.Module) else {}
    with pytest.raises(ConfigurationError, match=said):
        zoo.convert(model, **{"example": X, "inplace": inplace, **options})
    if before:
        assert [type(module) for module in model.modules()] == [type(module) for module in before.values()]


def test_unknown_target():
    with pytest.raises(UnknownNameError, match=r"Unknown conversion target 'flees'\. Nearest: fles"):
        zoo.convert(mlp(), "flees", example=X)


def test_compiled_models():
    with pytest.raises(ConfigurationError, match="compiled already"):
        zoo.convert(torch.compile(mlp()), example=X)


def test_a_model_that_cannot_be_copied():
    model = mlp()
    model.extra = model(X)  # a tensor with a history
    with pytest.raises(ConfigurationError, match=r"cannot be copied.*inplace=True"):
        zoo.convert(model, example=X)
    converted, _ = zoo.convert(model, example=X, inplace=True)
    assert converted is model


def test_functional_only_says_where():
    class Plain(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(4, 4)

        def forward(self, x):
            return torch.relu(self.linear(x))

    with pytest.raises(ConfigurationError, match=r"Plain \(relu\(\)\): called as a function, once in a pass"):
        zoo.convert(Plain(), example=X)


def test_all_problems_are_told_at_once():
    model = timm.create_model("efficientvit_b0", num_classes=3)
    with pytest.raises(
        ConfigurationError, match=r"(?s)4 of 28 sites .*main.kernel_func, .* is not clear.*partial=True"
    ) as told:
        zoo.convert(model, example=torch.randn(2, 3, 64, 64))
    assert str(told.value).count("which axis") == 2  # one line for each shape
    _, report = zoo.convert(model, example=torch.randn(2, 3, 64, 64), exclude="*.kernel_func")
    assert len(report.sites) == 24
