"""FleS models through torch.jit.script, torch.jit.trace and the older exporter, as timm's scripts run them.

In float64, where rounding moves no element across zero: there FleS's positive mean would jump.
"""

from pathlib import Path

import onnx
import pytest
import torch
from onnx.reference import ReferenceEvaluator
from timm.utils.onnx import onnx_export
from torch import Tensor, nn

from zoo.activations import FleS

from .cases import ALL, images, small_model

FLES = [name for name in ALL if name.startswith("fles")]
QUICK = ("fles_poolformer_cifar", "fles_swin_cifar")
EACH = [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in FLES]
CLOSE = {"rtol": 1e-10, "atol": 1e-12}
_KINDS = (
    "FutureWarning",
    "DeprecationWarning",
    "torch.jit.TracerWarning",
)  # the last one from timm's and torch's own code
pytestmark = [pytest.mark.filterwarnings(f"ignore::{kind}") for kind in _KINDS]


def learned(name: str) -> nn.Module:
    """A network whose FleS has left its start, so that the statistics matter."""
    model = small_model(name).double().eval()
    with torch.no_grad():
        for gate in (module for module in model.modules() if isinstance(module, FleS)):
            for parameter in gate.parameters():
                parameter.add_(0.1 * torch.randn_like(parameter))
    return model


@pytest.mark.parametrize("name", EACH)
def test_script_and_trace_compute_the_model_for_any_batch(name: str) -> None:
    model, batch = learned(name), images(name, batch=3).double()
    scripted, traced = torch.jit.script(model), torch.jit.trace(model, (batch[:2],))
    with torch.no_grad():
        expected = model(batch)
        torch.testing.assert_close(scripted(batch), expected, **CLOSE)
        torch.testing.assert_close(traced(batch), expected, **CLOSE)


def test_a_scripted_model_learns_the_same() -> None:
    model, batch = learned("fles_poolformer_cifar"), images("fles_poolformer_cifar").double()
    scripted = torch.jit.script(model)
    wanted = torch.autograd.grad(model(batch).square().sum(), [*model.parameters()])
    found = torch.autograd.grad(scripted(batch).square().sum(), [*scripted.parameters()])
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", EACH)
def test_timms_onnx_export_writes_the_model(name: str, tmp_path: Path) -> None:
    model, batch, file = learned(name), images(name, batch=3).double(), tmp_path / "model.onnx"
    onnx_export(model, str(file), example_input=batch[:2], use_dynamo=False)
    session = ReferenceEvaluator(onnx.load(file))
    with torch.no_grad():
        expected: Tensor = model(batch)
    found = session.run(None, {session.input_names[0]: batch.numpy()})[0]
    torch.testing.assert_close(torch.from_numpy(found), expected, rtol=1e-8, atol=1e-9)
