"""What turns a model into a graph: torch.compile, torch.export, torch.fx, torch.jit; and timm's models around."""

import io
import pickle

import pytest
import torch
from timm.models._features_fx import create_feature_extractor
from timm.models.resnet import BasicBlock, ResNet
from timm.models.vision_transformer import VisionTransformer
from torch import nn
from torch._dynamo.testing import CompileCounter

from zoo.activations import GALU, SALU, SWALU, DyT, kernel

from .cases import ALL, CHANNELS, DIRECT, FAMILY, FLES, OURS, example, float32_values, functional, make
from .tolerances import CHAIN_FLOAT32, SUM_FLOAT32, TRACED_SLOPE_FLOAT32

slow = pytest.mark.slow


def small_resnet(norm: type[nn.Module] = SALU, act: type[nn.Module] = SWALU) -> ResNet:
    return ResNet(BasicBlock, (1, 1, 1, 1), 5, channels=(8, 8, 16, 16), stem_width=8, norm_layer=norm, act_layer=act)


def small_vit(norm_layer: type[nn.Module] = SALU) -> VisionTransformer:
    return VisionTransformer(
        16, 8, num_classes=5, embed_dim=8, depth=2, num_heads=2, norm_layer=norm_layer, act_layer=GALU
    )


# Compiling takes seconds: one of each kind by default, the others among the slow tests.
COMPILED = ("salu", "galu", "fles", "dy_relu")


@pytest.mark.parametrize("name", [name if name in COMPILED else pytest.param(name, marks=slow) for name in OURS])
def test_compile_without_a_graph_break(name: str) -> None:
    module = make(name)
    compiled = torch.compile(make(name), backend="aot_eager", fullgraph=True)
    x = example(name, 6).requires_grad_()
    twin = x.detach().clone().requires_grad_()
    y, z = module(x), compiled(twin)
    torch.testing.assert_close(z, y, rtol=CHAIN_FLOAT32, atol=CHAIN_FLOAT32)
    y.square().sum().backward()
    z.square().sum().backward()
    for q, p in [(twin, x), *zip(compiled.parameters(), module.parameters(), strict=True)]:
        # Terms of the size of the largest element cancel in a smaller one.
        torch.testing.assert_close(q.grad, p.grad, rtol=0, atol=SUM_FLOAT32 * (1 + p.grad.abs().max().item()))


@pytest.mark.parametrize("dynamic", [None, pytest.param(True, marks=slow)], ids=str)
def test_no_size_needs_more_graphs_than_with_batchnorm(dynamic: bool | None) -> None:
    """Sizes on both sides of the one from which eager calls use kernels, which each layer reaches at another batch."""
    graphs = []
    for parts in ((nn.BatchNorm2d, nn.ReLU), (SALU, SWALU)):
        torch.compiler.reset()
        counter = CompileCounter()
        compiled = torch.compile(small_resnet(*parts).eval(), backend=counter, dynamic=dynamic)
        with torch.no_grad():
            for batch in (2, 17, 40, 70, 130, 270, 600):
                assert compiled(torch.zeros(batch, 3, 32, 32)).shape == (batch, 5)
        graphs.append(counter.frame_count)
    assert graphs[1] == graphs[0] <= 2


@pytest.mark.parametrize("name", FAMILY)
def test_compiled_gradients_are_finite_and_close_for_every_finite_input(name: str) -> None:
    values = float32_values()
    a, b = torch.tensor(0.9), torch.tensor(0.4)
    compiled = torch.compile(functional(name), backend="aot_eager", fullgraph=True)
    grads = []
    for op in (functional(name), compiled):
        x = values.clone().requires_grad_()
        op(x, a, b).backward(torch.ones_like(x))
        grads.append(x.grad)
    assert grads[1].isfinite().all()
    torch.testing.assert_close(grads[1], grads[0], rtol=0, atol=TRACED_SLOPE_FLOAT32)


def test_a_compiled_parameter_below_the_floor_still_learns() -> None:
    compiled = torch.compile(functional("salu"), backend="aot_eager", fullgraph=True)
    x, b = torch.linspace(-2, 2, 7), torch.tensor(1.0)
    for value in (-0.3, 0.0, -1e-9):
        grads = []
        for op in (functional("salu"), compiled):
            a = torch.tensor(value, requires_grad=True)
            op(x, a, b).square().sum().backward()
            grads.append(a.grad)
        assert grads[0] != 0
        torch.testing.assert_close(grads[1], grads[0], rtol=SUM_FLOAT32, atol=0)


@pytest.mark.parametrize("name", ALL)
def test_export_to_standard_operators(name: str) -> None:
    module, x = make(name), example(name)
    program = torch.export.export(module, (x,), dynamic_shapes=({0: torch.export.Dim("n", min=1)},))
    torch.testing.assert_close(program.module()(torch.cat([x, x])), module(torch.cat([x, x])))
    called = [node.target for node in program.graph.nodes if node.op == "call_function"]
    assert called
    assert {target.namespace for target in called} == {"aten"}


@pytest.mark.parametrize("name", ALL)
def test_fx_traces_it_and_the_graph_module_pickles(name: str) -> None:
    model = nn.Sequential(nn.Identity(), make(name))
    traced = torch.fx.symbolic_trace(model)
    if name in DIRECT:
        assert [node.target for node in traced.graph.nodes if node.op == "call_function"] == [functional(name)]
    for x in (example(name, 2), example(name, 5)):
        torch.testing.assert_close(traced(x), model(x))
        again = pickle.loads(pickle.dumps(traced))  # noqa: S301 - our own bytes
        torch.testing.assert_close(again(x), model(x))


def test_fx_records_a_direct_call_too() -> None:
    def gate(x: torch.Tensor) -> torch.Tensor:
        return functional("swalu")(functional("salu")(x, a=1.0, b=0.5), 0.5, 0.5)

    x = torch.randn(5)
    torch.testing.assert_close(torch.fx.symbolic_trace(gate)(x), gate(x))


@pytest.mark.filterwarnings("ignore:.torch.jit.trace:FutureWarning", "ignore:.torch.jit.trace:DeprecationWarning")
@pytest.mark.parametrize("name", FAMILY)
def test_jit_trace_sees_plain_operators(name: str) -> None:
    module, x = make(name), torch.randn(3, CHANNELS)
    with torch.no_grad():
        without = torch.jit.trace(module, (x,))
    traced = torch.jit.trace(module, (x,))  # it traces again without gradients, and refuses another graph
    assert [node.kind() for node in traced.graph.nodes()] == [node.kind() for node in without.graph.nodes()]
    assert "PythonOp" not in str(traced.graph)
    torch.testing.assert_close(traced(x[:2]), module(x[:2]))
    with torch.no_grad():
        module.a.fill_(-1e-9)
    traced(x).sum().backward()
    assert traced.a.grad != 0


@pytest.mark.filterwarnings("ignore:.torch.jit:FutureWarning", "ignore:.torch.jit:DeprecationWarning")
@pytest.mark.parametrize("name", [*FAMILY, *FLES])
def test_jit_script_compiles_the_definition(name: str) -> None:
    module, scripted = make(name), scripted_and_reloaded(make(name))
    for dtype in (torch.float32, torch.float64, torch.bfloat16):
        x = torch.randn(3, CHANNELS, dtype=dtype)
        x[0, :3] = torch.tensor([torch.inf, -torch.inf, torch.nan])
        with kernel("plain"):
            exact = {"rtol": 0, "atol": 0} if name in FAMILY else {}  # FleS rounds otherwise without its quotient
            torch.testing.assert_close(scripted(x), module(x), equal_nan=True, **exact)
    x = torch.randn(3, CHANNELS, dtype=torch.float64)
    for found, expected in zip(gradients(scripted, x), gradients(module, x), strict=True):
        torch.testing.assert_close(found, expected)
    with pytest.raises(torch.jit.Error, match="a floating-point tensor is needed"):
        scripted(torch.ones(2, CHANNELS, dtype=torch.int64))


@pytest.mark.filterwarnings("ignore:.torch.jit:FutureWarning", "ignore:.torch.jit:DeprecationWarning")
@pytest.mark.parametrize("name", FLES)
@pytest.mark.parametrize("axis", [1, -1])
def test_jit_script_of_fles_takes_maps_tokens_and_masks(name: str, axis: int) -> None:
    module = make(name, axis).double()
    scripted = scripted_and_reloaded(module)
    for rows, columns in ((3, 5), (1, 2)):
        x = torch.randn(2, rows, columns, CHANNELS, dtype=torch.float64)
        for mask in (None, torch.rand(2, rows, columns) > 0.4, torch.zeros(2, rows, columns, dtype=torch.int64)):
            given = x if axis == -1 else x.movedim(-1, 1)
            torch.testing.assert_close(scripted(given, mask), module(given, mask))


def scripted_and_reloaded(module: nn.Module) -> nn.Module:
    file = io.BytesIO()
    torch.jit.save(torch.jit.script(module), file)
    file.seek(0)
    return torch.jit.load(file)


def gradients(module: nn.Module, x: torch.Tensor) -> list[torch.Tensor]:
    x = x.clone().requires_grad_()
    return [*torch.autograd.grad(module(x).square().sum(), [x, *module.parameters()])]


@pytest.mark.parametrize(("build", "size"), [(small_resnet, 32), (small_vit, 16)])
def test_timm_models_train_with_them(build, size: int) -> None:
    model = build()
    assert not [m for m in model.modules() if isinstance(m, nn.BatchNorm2d | nn.LayerNorm | nn.ReLU | nn.GELU)]
    x = torch.randn(1, 3, size, size)
    model(x).square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.filterwarnings("ignore:.torch.jit:FutureWarning", "ignore:.torch.jit:DeprecationWarning")
@pytest.mark.parametrize(("build", "size"), [(small_resnet, 32), (small_vit, 16)])
def test_timm_models_are_scripted_with_them(build, size: int) -> None:
    model, x = build().eval(), torch.randn(2, 3, size, size)
    with torch.no_grad(), kernel("plain"):
        torch.testing.assert_close(torch.jit.script(model)(x), model(x), rtol=1e-5, atol=1e-6)


def test_timm_models_accept_the_rivals() -> None:
    assert small_vit(DyT)(torch.randn(2, 3, 16, 16)).shape == (2, 5)


@pytest.mark.parametrize(
    ("build", "size", "node"), [(small_resnet, 32, "layer4"), (small_vit, 16, "blocks.1.mlp.act")], ids=["cnn", "vit"]
)
def test_timm_extracts_features_by_fx(build, size: int, node: str) -> None:
    model = build().eval()
    x = torch.randn(1, 3, size, size)
    expected = []
    model.get_submodule(node).register_forward_hook(lambda module, args, output: expected.append(output))
    model(x)
    found = create_feature_extractor(model, {node: "out"})(x)["out"]
    torch.testing.assert_close(found, expected[0])
