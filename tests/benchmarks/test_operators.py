import pytest
import torch
from torch.nn import functional as F

from zoo.activations import kernel, salu, salu_add_salu_swalu, salu_add_swalu, salu_swalu, swalu
from zoo.benchmarks.operator_traffic import OPERATORS, Learned, NormRelu, Traffic

# By hand, in tensors of x's size: operator forward and backward, rival forward and backward.
MOVED = {
    "salu": (2, 3, 3, 5),
    "swalu": (2, 3, 3, 5),
    "galu": (2, 3, 3, 5),
    "salu_swalu": (2, 3, 3, 5),
    "salu_add_swalu": (3, 5, 4, 7),
    "salu_add_salu_swalu": (3, 5, 5, 8),
    "fles": (3, 5, 3, 5),
}


def tensors(count):
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(2, 4, 3, 3, generator=generator) for _ in range(count)]


@pytest.mark.parametrize("name", OPERATORS)
def test_what_each_must_move(name):
    operator = OPERATORS.get(name)
    own, rival = operator.traffic, operator.rival_traffic
    assert (own.forward, own.backward, rival.forward, rival.backward) == MOVED[name]
    assert own.forward >= operator.inputs + 1, "all inputs and the output"
    assert own.backward >= 2 * operator.inputs + 1, "all inputs, their derivatives and the gradient"


def test_both_directions_add_up():
    moved = Traffic(2, 3)
    assert [moved.of(step) for step in ("forward", "backward", "both")] == [2, 3, 5]


@pytest.mark.parametrize("name", OPERATORS)
def test_operator_and_rival_take_the_same_tensors_and_learn(name):
    operator = OPERATORS.get(name)
    for module in (operator.build(4), operator.build_rival(4)):
        given = [tensor.requires_grad_() for tensor in tensors(operator.inputs)]
        with kernel("plain"):
            y = module(*given)
        assert y.shape == given[0].shape
        wanted = [*given, *module.parameters()]
        assert len(wanted) > len(given)
        assert all(grad is not None for grad in torch.autograd.grad(y, wanted, torch.ones_like(y)))


def test_the_operators_are_those_of_the_library():
    x, skip = tensors(2)
    with kernel("plain"):
        for name, expected in {
            "salu": salu(x, 1.0, 1.0),
            "swalu": swalu(x, 0.5, 0.5),
            "salu_swalu": salu_swalu(x, 1.0, 1.0, 0.5, 0.5),
            "salu_add_swalu": salu_add_swalu(x, 1.0, 1.0, skip, 0.5, 0.5),
            "salu_add_salu_swalu": salu_add_salu_swalu(x, 1.0, 1.0, skip, 1.0, 1.0, 0.5, 0.5),
        }.items():
            operator = OPERATORS.get(name)
            assert torch.equal(operator.build(4)(*(x, skip)[: operator.inputs]), expected), name


def test_arguments_keep_their_order():
    module = Learned(lambda a, x, b, y: a * x + b * y * y, (2.0, None, 3.0, None))
    assert module(torch.tensor(5.0), torch.tensor(7.0)).item() == 2 * 5 + 3 * 49
    assert [p.item() for p in module.parameters()] == [2, 3]


def test_rivals_use_the_statistics_of_the_batch():
    x, skip = (10 * t + 3 for t in tensors(2))
    norm = lambda t: F.batch_norm(t, None, None, torch.ones(4), torch.zeros(4), training=True)  # noqa: E731
    assert torch.allclose(NormRelu(4, 1)(x), norm(x).relu())
    assert torch.allclose(NormRelu(4, 1)(x, skip), (norm(x) + skip).relu())
    assert torch.allclose(NormRelu(4, 2)(x, skip), (norm(x) + norm(skip)).relu())
