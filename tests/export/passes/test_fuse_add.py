"""The end of a residual block as one node."""

import numpy as np
import pytest

from export.operators.nodes import values_of
from export.passes.fuse_add import FuseAdd

from .graphs import Builder, inputs, names
from .reference import evaluate


def block(swapped: bool = False, **changes):
    """SWALU(SALU(x) + r), with r from a convolution or as `changes` say."""
    made = Builder()
    salu = made.ours("Salu", made.x, 1.5, 0.4)
    other = made.standard("Relu", made.x)
    if changes.get("both"):
        other = made.ours("Salu", other, 0.7, 0.2)
    if changes.get("broadcast"):
        other = made.weight(6, 1, 1)
    total = made.standard("Add", *((other, salu) if swapped else (salu, other)), shape=made.shape)
    gate = made.ours(changes.get("gate", "Swalu"), total, 0.6, 0.9)
    outputs = [gate, *([salu] if changes.get("read") else []), *([total] if changes.get("sum_read") else [])]
    return made.model(*outputs)


def before_and_after(**changes):
    expected = evaluate(block(**changes), inputs())
    model = block(**changes)
    modified = FuseAdd()(model).modified
    for found, wanted in zip(evaluate(model, inputs()), expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-6 * np.abs(wanted).max())
    return model, modified


@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize("both", [False, True])
def test_a_block_ends_in_one_node(swapped, both):
    model, modified = before_and_after(swapped=swapped, both=both)
    assert modified
    assert sorted(names(model)) == sorted(["Relu", "SaluAddSwalu", *(["Salu"] if both else [])])
    last = next(node for node in model.graph if node.op_type == "SaluAddSwalu")
    assert last.inputs[1].shape == last.outputs[0].shape
    first_pair = (0.7, 0.2) if both and swapped else (1.5, 0.4)
    assert values_of(last) == pytest.approx((*first_pair, 0.6, 0.9))


@pytest.mark.parametrize("change", [{"read": True}, {"sum_read": True}, {"broadcast": True}, {"gate": "Galu"}])
def test_left_alone(change):
    model, modified = before_and_after(**change)
    assert not modified
    assert {"Salu", "Add"} <= set(names(model))
