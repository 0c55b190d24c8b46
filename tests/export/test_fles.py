"""FleS in image models through the export: every variant, one small network of every family, and all real ones."""

from collections import Counter
from dataclasses import replace

import onnx_ir as ir
import pytest
import torch
from tiny_model import LABELS
from torch import Tensor, nn

from export import InputSpec, export
from export.inputs.random_weights import stir
from export.parity.probes import IMAGES
from export.passes.name_nodes import module_of
from zoo.activations import FleS
from zoo.models import MODELS, build_model
from zoo.models.text_models import TEXT_MODELS, build_text_model

# What each family shrinks to, for 16-pixel images.
SMALL = {
    "fles_swin_cifar": {"embed_dim": 8, "depths": (2,), "num_heads": (1,), "window_size": 4, "patch_size": 2},
    "fles_vit_tiny_patch16": {"embed_dim": 16, "depth": 1, "num_heads": 2, "patch_size": 4},
    "fles_poolformer_cifar": {"depths": (1,), "dims": (8,)},
    "fles_resnet18_cifar": {"layers": (1, 1, 1, 1)},
}
SIDE = 16
# Operators of one site: statistics and network, the two coefficients in shape, the gate.
NODES = {"fles": 32, "pn": 27, "dg": 4, "adas": 39}


def stirred(model: nn.Module) -> nn.Module:
    """Weights as training leaves them."""
    return stir(model, seed=1).eval()


class Variants(nn.Module):
    """A site of each variant on maps (n, c, h, w) and on tokens (n, t, c)."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, stride=2)
        self.maps = nn.ModuleDict({name: FleS(8, 1, variant=name) for name in NODES})
        self.tokens = nn.ModuleDict({name: FleS(8, -1, variant=name) for name in NODES})
        self.head = nn.Linear(8, len(LABELS))

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for site in self.maps.values():
            x = site(x) + x
        x = x.flatten(2).transpose(1, 2)
        for site in self.tokens.values():
            x = site(x) + x
        return self.head(x.mean(1))


class Families(nn.Module):
    """A small network of every family side by side: one trace for all."""

    def __init__(self):
        super().__init__()
        self.nets = nn.ModuleDict()
        for name, numbers in SMALL.items():
            spec = MODELS.get(name)
            narrow = {"channels": (8, 8, 16, 16)} if spec.family == "fles_resnet" else {}
            tiny = replace(
                spec,
                numbers={**spec.numbers, **numbers},
                patch_size=numbers.get("patch_size"),
                options=spec.options | set(narrow),
            )
            with pytest.MonkeyPatch.context() as patch:
                patch.setitem(MODELS._items, name, tiny)
                self.nets[spec.family] = build_model(name, img_size=SIDE, num_classes=len(LABELS), **narrow)

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([net(x) for net in self.nets.values()]).sum(0)


def small(kind: type[nn.Module]) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return stirred(kind())


def nodes_by_site(model: nn.Module, file) -> dict[str, int]:
    nodes = Counter(module_of(node.name) for node in ir.load(file).graph)
    return {name: nodes[name] for name, module in model.named_modules() if isinstance(module, FleS)}


def check_portable(result) -> None:
    assert result.parity.passed
    assert result.parity.worst("max_rel", IMAGES) <= 1e-5
    assert result.parity.top1_agreement == 1.0
    assert not {"If", "Loop", "Scan"} & set(result.nodes)
    assert {node.domain for node in ir.load(result.path).graph} == {""}


def test_every_variant_is_lean(tmp_path):
    model = small(Variants)
    result = export(model, tmp_path / "v.onnx", input_spec=InputSpec(3, SIDE, SIDE), threads=1)
    check_portable(result)
    found = nodes_by_site(model, result.path)
    assert {name: found[f"maps.{name}"] for name in NODES} == NODES
    assert {name: found[f"tokens.{name}"] for name in NODES} == NODES
    assert not {"Cast", "Equal", "Greater", "GreaterOrEqual", "Where"} & set(result.nodes)


def test_every_family(tmp_path):
    model = small(Families)
    assert set(model.nets) == {MODELS.get(name).family for name in MODELS if name.startswith("fles_")}
    result = export(model, tmp_path / "f.onnx", input_spec=InputSpec(3, SIDE, SIDE), threads=1)
    check_portable(result)
    assert set(nodes_by_site(model, result.path).values()) == {NODES["fles"]}
    assert [r.found.n for r in result.parity.results if r.kind == IMAGES] == [1, 3, 8, 8]


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in MODELS if name.startswith("fles_")])
def test_every_model_exports(name, tmp_path):
    torch.manual_seed(0)
    model = stirred(build_model(name))
    result = export(model, tmp_path / "model.onnx")
    check_portable(result)
    assert set(nodes_by_site(model, result.path).values()) == {NODES["fles"]}


@pytest.mark.slow
@pytest.mark.parametrize("name", TEXT_MODELS.names())
def test_every_text_model_exports(name, tmp_path):
    torch.manual_seed(0)
    result = export(stirred(build_text_model(name)), tmp_path / "model.onnx")
    assert result.parity.passed
    assert max(result.parity.largest_change()) <= 1e-5
