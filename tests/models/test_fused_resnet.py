"""Blocks that take SALU and SWALU together: timm's values and names, less memory, and timm's own pass when watched."""

import copy

import pytest
import torch
from timm.models._features_fx import create_feature_extractor
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

import zoo
from zoo.activations import SALU, kernel, salu_add_salu_swalu, salu_add_swalu, salu_swalu
from zoo.kernels.selection import unavailable
from zoo.models import fused_resnet
from zoo.models.fused_resnet import FusedBasicBlock, FusedBottleneck, FusedResNet

SIZE = 32
HAVE_KERNELS = unavailable("cpu", False) is None


def network(name: str, **options: object) -> nn.Module:
    """Few classes, and no two coefficients alike."""
    torch.manual_seed(0)
    model = zoo.create_model(name, num_classes=5, **options)
    with torch.no_grad():
        for step, p in enumerate(p for p in model.parameters() if p.shape == (1,)):
            p.mul_(1 + 0.01 * step)
    return model


@pytest.fixture(scope="module", params=["salunet_c18_cifar", "salunet_c50"])
def model(request) -> nn.Module:
    return network(request.param).eval()


@pytest.fixture
def images() -> Tensor:
    return torch.randn(2, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def calls(monkeypatch) -> list[str]:
    """Which fused operators were called."""
    found: list[str] = []
    for op in (salu_swalu, salu_add_swalu, salu_add_salu_swalu):

        def record(*args, op=op):
            found.append(op.__name__)
            return op(*args)

        monkeypatch.setattr(fused_resnet, op.__name__, record)
    return found


def gradients(model: nn.Module, images: Tensor) -> dict[str, Tensor]:
    model.zero_grad()
    model(images).square().sum().backward()
    return {name: p.grad.clone() for name, p in model.named_parameters()}


def test_every_place_is_fused(model: nn.Module, images: Tensor, calls: list[str]) -> None:
    model(images)
    depth = 2 if isinstance(model.layer1[0], FusedBasicBlock) else 3
    blocks = [m for m in model.modules() if isinstance(m, FusedBasicBlock | FusedBottleneck)]
    projections = sum(block.downsample is not None for block in blocks)
    assert calls.count("salu_swalu") == 1 + (depth - 1) * len(blocks)
    assert calls.count("salu_add_salu_swalu") == projections
    assert calls.count("salu_add_swalu") == len(blocks) - projections


def test_values_and_gradients_are_those_of_the_modules_one_by_one(model: nn.Module, images: Tensor) -> None:
    model, images = copy.deepcopy(model).double(), images.double()
    together, y = gradients(model, images), model(images)
    with kernel("plain"):
        apart, z = gradients(model, images), model(images)
    torch.testing.assert_close(y, z, rtol=1e-10, atol=1e-10)
    for name, grad in together.items():
        torch.testing.assert_close(grad, apart[name], rtol=1e-8, atol=1e-8 * apart[name].abs().max().item() + 1e-12)


def test_names_of_the_state_are_timms(model: nn.Module) -> None:
    baseline = {"norm": "batchnorm", "act": "relu"}
    theirs = zoo.create_model("salunet_c50" if len(model.layer3) == 6 else "salunet_c18_cifar", **baseline)
    modules = {name for name, m in theirs.named_modules() if not isinstance(m, nn.ReLU)}
    assert modules <= {name for name, _ in model.named_modules()}
    assert not any(isinstance(m, FusedBasicBlock | FusedBottleneck | FusedResNet) for m in theirs.modules())


def test_less_is_kept_for_the_backward_pass(model: nn.Module, images: Tensor) -> None:
    def kept() -> int:
        found: dict[int, int] = {}

        def pack(value: Tensor) -> Tensor:
            storage = value.untyped_storage()
            found[storage.data_ptr()] = storage.nbytes()
            return value

        with saved_tensors_hooks(pack, lambda value: value):
            result = model(images)
        assert result.requires_grad
        weights = {p.untyped_storage().data_ptr() for p in model.parameters()}
        return sum(size for address, size in found.items() if address not in weights)

    together = kept()
    with kernel("plain"):
        apart = kept()
    assert together < 0.75 * apart


def test_hooks_see_the_modules(images: Tensor, calls: list[str]) -> None:
    model = network("salunet_c18_cifar").eval()
    expected = model(images)
    calls.clear()
    seen: list[Tensor] = []
    handle = model.layer1[0].bn1.register_forward_hook(lambda module, args, output: seen.append(output))
    torch.testing.assert_close(model(images), expected)
    assert [tuple(output.shape) for output in seen] == [(2, 64, SIZE, SIZE)]
    assert len(calls) == 15  # all places but the two of that block
    handle.remove()
    calls.clear()
    model(images)
    assert len(calls) == 17
    everywhere = nn.modules.module.register_module_forward_hook(lambda module, args, output: None)
    calls.clear()
    torch.testing.assert_close(model(images), expected)
    everywhere.remove()
    assert calls == []


@pytest.mark.parametrize("where", ["bn1", "act1", "bn2", "act2", "downsample"])
def test_another_module_in_a_place_is_called(images: Tensor, where: str, calls: list[str]) -> None:
    model = network("salunet_c18_cifar").eval()
    block = model.layer2[0]
    called: list[str] = []

    class Other(SALU):
        def forward(self, x: Tensor) -> Tensor:
            called.append(where)
            return super().forward(x)

    if where == "downsample":
        block.downsample[-1] = Other()
    else:
        setattr(block, where, Other())
    assert model(images).isfinite().all()
    assert called == [where]


def test_a_block_that_drops_paths_does(images: Tensor) -> None:
    model = network("salunet_c18_cifar", drop_path_rate=0.9).train()
    torch.manual_seed(0)
    first = model(images)
    torch.manual_seed(0)
    with kernel("plain"):
        torch.testing.assert_close(model(images), first, rtol=1e-4, atol=1e-5)
    torch.manual_seed(1)
    assert not torch.allclose(model(images), first)


@pytest.mark.parametrize("name", ["salunet_c18_cifar", pytest.param("salunet_c50", marks=pytest.mark.slow)])
def test_graphs_hold_the_modules_own_operators(name: str, images: Tensor, calls: list[str]) -> None:
    model = network(name).eval()
    with torch.no_grad():
        expected = model(images)
        calls.clear()
        program = torch.export.export(model, (images,))
        torch.testing.assert_close(program.module()(images), expected, rtol=1e-4, atol=1e-5)
        assert {n.target.namespace for n in program.graph.nodes if n.op == "call_function"} == {"aten"}
        traced = torch.fx.symbolic_trace(model)
        assert calls == []
        torch.testing.assert_close(traced(images), expected, rtol=1e-4, atol=1e-5)
        found = create_feature_extractor(model, {"layer2": "out"})(images)["out"]
        assert found.shape[0] == 2


@pytest.mark.filterwarnings("ignore:.torch.jit.trace:FutureWarning", "ignore:.torch.jit.trace:DeprecationWarning")
def test_a_jit_trace_holds_no_python(images: Tensor) -> None:
    model = network("salunet_c18_cifar").eval()
    with torch.no_grad():
        traced = torch.jit.trace(model, (images,))
        assert not [word for word in ("PythonOp", "salu_zoo") if word in str(traced.inlined_graph)]
        torch.testing.assert_close(traced(images), model(images), rtol=1e-4, atol=1e-5)


@pytest.mark.filterwarnings("ignore:.torch.jit:FutureWarning", "ignore:.torch.jit:DeprecationWarning")
def test_a_jit_script_is_that_of_the_modules_one_by_one(model: nn.Module, images: Tensor, calls: list[str]) -> None:
    scripted = torch.jit.script(model)
    with torch.no_grad(), kernel("plain"):
        torch.testing.assert_close(scripted(images), model(images), rtol=1e-5, atol=1e-6)
    assert calls == []
    assert "salu_zoo" not in str(scripted.inlined_graph)
    assert {name for name, _ in scripted.named_parameters()} == {name for name, _ in model.named_parameters()}


def test_compile_without_a_graph_break(images: Tensor) -> None:
    model = network("salunet_c18_cifar").eval()
    found: list[str] = []

    def backend(graph: torch.fx.GraphModule, inputs: list[Tensor]) -> torch.fx.GraphModule:
        found.extend(str(node.target) for node in graph.graph.nodes if node.op == "call_function")
        return graph

    compiled = torch.compile(model, backend=backend, fullgraph=True)
    with torch.no_grad():
        torch.testing.assert_close(compiled(images), model(images), rtol=1e-4, atol=1e-5)
        together = {name for name in found if "salu_zoo" in name}
        found.clear()
        with kernel("plain"):
            torch.testing.assert_close(compiled(images), model(images), rtol=1e-4, atol=1e-5)
    # The first two stages are large enough for the kernels of a CPU; what follows is traced as it is defined.
    operators = ("salu_swalu", "salu_add_swalu", "salu_add_salu_swalu") if HAVE_KERNELS else ()
    assert together == {f"salu_zoo.{op}.default" for op in operators}
    assert found
    assert not [name for name in found if "salu_zoo" in name]


def test_gradient_checkpointing(images: Tensor) -> None:
    model = network("salunet_c18_cifar").train()
    expected = gradients(model, images)
    model.set_grad_checkpointing()
    for name, grad in gradients(model, images).items():
        torch.testing.assert_close(grad, expected[name], rtol=1e-3, atol=1e-3 * expected[name].abs().max().item())
