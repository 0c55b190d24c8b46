"""Graphs with operators of ours that nobody would export: an error of the session, never a crash, never a number."""

import json

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from export.errors import ExportError
from export.metadata import PREFIX
from export.native import DOMAIN, OPERATORS
from export.native.operator_identity import operators_record
from export.runtime.session import open_session, run_session
from zoo.errors import NativeError

VALUES = {
    **{"a": 1.0, "b": 1.0, "c": 0.5, "d": 0.5, "axis": 1, "block": 1},
    **{f"{name}_{what}": value for name in "xry" for what, value in (("scale", 0.1), ("zero_point", 128))},
}
NUMBERS = [float("nan"), float("inf"), 0.0, -1.0]
INTEGERS = [-1, 256, 300, 2**31, 2**62, -(2**63)]
REFUSED = (ExportError, NativeError)


@pytest.fixture(autouse=True)
def native(compiled_cache, monkeypatch):
    monkeypatch.setenv("SALU_ZOO_CACHE", str(compiled_cache))


def graph(name: str, inputs=None, opset: int = 1, metadata=None, **attributes) -> bytes:
    """A model of one node, right but for what is given."""
    spec = OPERATORS[name]
    kind = TensorProto.FLOAT if spec.element == "float32" else TensorProto.UINT8
    values = {key: VALUES[key] for key in spec.attributes} | attributes
    given = list(spec.inputs) if inputs is None else inputs
    node = helper.make_node(name, given, ["Y"], domain=DOMAIN, **{k: v for k, v in values.items() if v is not None})
    ends = [helper.make_tensor_value_info(port, kind, [None] * 4) for port in dict.fromkeys((*spec.inputs, "Y"))]
    made = helper.make_graph([node], "one", ends[:-1], ends[-1:])
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid(DOMAIN, opset)]
    model = helper.make_model(made, opset_imports=opsets, ir_version=10)
    helper.set_model_props(model, metadata or {})
    return bytes(model.SerializeToString())


@pytest.mark.parametrize("name", sorted(set(OPERATORS) - {"FlesGate", "PositiveMean"}))
def test_numbers(name):
    """Every attribute of every operator, each out of its range; with the layout of this machine and without."""
    opened = 0
    for attribute, kind in OPERATORS[name].attributes.items():
        for value in NUMBERS if kind == "float" else INTEGERS:
            for arranged in (True, False):
                with pytest.raises(REFUSED, match=rf"{DOMAIN}\.{name}: .*\b{attribute}\b"):
                    open_session(graph(name, **{attribute: value}), threads=1, arranged=arranged)
                opened += 1
    assert opened >= 16
    open_session(graph(name), threads=1)


@pytest.mark.parametrize("name", ["FlesGate", "PositiveMean"])
@pytest.mark.parametrize(
    ("attribute", "value"),
    [*(("axis", value) for value in (0, 16, -17, 2**62, -(2**63))), *(("block", v) for v in (0, -1, -(2**63)))],
)
def test_channels(name, attribute, value):
    for arranged in (True, False):
        with pytest.raises(REFUSED, match=rf"{name}: {attribute} = {value}; it must be"):
            open_session(graph(name, **{attribute: value}), threads=1, arranged=arranged)


@pytest.mark.parametrize("block", [2, 3, 2**31, 2**62])
def test_blocks_of_more_channels_than_there_are(block):
    """X is known when the session runs only."""
    session = open_session(graph("PositiveMean", block=block), threads=1)
    with pytest.raises(ExportError, match=rf"block = {block} does not divide X's 1 channels"):
        run_session(session, {"X": np.ones((2, 1, 3, 4), np.float32)})


@pytest.mark.parametrize("name", ["Salu", "QSalu", "SaluAddSwalu", "QSaluAddSwalu", "FlesGate"])
@pytest.mark.parametrize("value", [None, "1", [1.0], [1], helper.make_tensor("t", TensorProto.FLOAT, [1], [1.0])])
def test_attributes_of_another_type(name, value):
    for attribute in OPERATORS[name].attributes:
        with pytest.raises(REFUSED, match=rf"{name}: attribute {attribute} "):
            open_session(graph(name, **{attribute: value}), threads=1)


@pytest.mark.parametrize("name", ["SaluAddSwalu", "QSaluAddSwalu", "FlesGate"])
@pytest.mark.parametrize("inputs", [["X"], ["X", ""], ["", "X"], ["X", "", "X"], ["X"] * 4, [], [""], ["nowhere"] * 3])
def test_inputs_that_are_missing(name, inputs):
    for arranged in (True, False):
        with pytest.raises(REFUSED, match="does not load in ONNX Runtime"):
            open_session(graph(name, inputs), threads=1, arranged=arranged)


@pytest.mark.parametrize(("name", "kind"), [("SaluAddSwalu", np.float32), ("QSaluAddSwalu", np.uint8)])
@pytest.mark.parametrize("shape", [(1, 1, 0, 3), (1, 1, 2, 1), (2, 1, 2, 3)])
def test_a_second_input_of_another_size(name, kind, shape):
    session = open_session(graph(name), threads=1)
    feeds = {"X": np.ones((1, 1, 2, 3), kind), "R": np.ones(shape, kind)}
    with pytest.raises(ExportError, match=r"R is empty|R has shape .* and X .* they must be the same"):
        run_session(session, feeds)


RECORD = operators_record()


@pytest.mark.parametrize(
    "stored",
    [
        *("null", "7", "-0.0", "true", '"text"', "[]", "{}", '[{"domain": 1}]', "", "{", "NaN", "[" * 100_000),
        *(json.dumps(RECORD | {key: value}) for key in RECORD for value in (None, 2, [], {}, "other")),
    ],
)
@pytest.mark.parametrize("operator", [True, False])
def test_records_of_other_operators(stored, operator):
    """Also in a file that holds none of ours: what it says about itself is not passed over."""
    model = onnx.load_from_string(graph("Salu", metadata={f"{PREFIX}operators": stored}))
    if not operator:
        model.graph.node[0].CopyFrom(helper.make_node("Relu", ["X"], ["Y"]))
        del model.opset_import[1]
    with pytest.raises(NativeError, match=r"was exported for other operators|has a damaged record of its operators"):
        open_session(bytes(model.SerializeToString()), threads=1)


@pytest.mark.parametrize("stored", ["3", "0", "", "null", "2.0", "newer"])
def test_metadata_of_a_newer_format(stored):
    with pytest.raises(ExportError, match=r"this version reads 1 and 2\. Update salu-zoo"):
        open_session(graph("Salu", metadata={f"{PREFIX}format": stored}), threads=1)


@pytest.mark.parametrize("version", [0, 2, 2**31, 2**62])
def test_a_newer_version_of_the_operators(version):
    with pytest.raises(REFUSED, match=r"needs version|does not load"):
        open_session(graph("Salu", opset=version), threads=1)
