"""Models that `zoo.convert` has changed: their files are proven like any other."""

import onnx
import pytest
import torch
from timm.layers import BatchNormAct2d
from torch import nn

import zoo
from export import InputSpec
from export import export as export_model

SIZE = (3, 12, 12)
SPEC = InputSpec(*SIZE)


def network():
    """ReLU6 after BatchNorm, in one module and in two, and ReLU."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, bias=False),
        BatchNormAct2d(8, act_layer=nn.ReLU6),
        nn.Conv2d(8, 8, 3, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, 4),
    ).eval()


@pytest.mark.parametrize("to", ["fles", "salunet"])
def test_a_converted_model_is_proven(tmp_path, to):
    model = network()
    converted, report = zoo.convert(model, to, example=torch.randn(4, *SIZE))
    assert {site.kind: site.clip for site in report.sites if site.folded is None} == {"relu6": 6.0, "relu": None}
    result = export_model(converted, tmp_path / "model.onnx", input_spec=SPEC, threads=1)
    assert result.parity.passed
    nodes = {node.op_type for node in onnx.load(result.path).graph.node}
    assert nodes & {"Clip", "Min"}
    if to == "salunet":
        assert not nodes & {"BatchNormalization", "Relu", "Sigmoid"}
