"""What the library refuses, it refuses with an error that names the operator and the reason."""

import numpy as np
import onnxruntime
import pytest
from native_models import model, node, one, open_native

from export.native import OPERATORS, register
from zoo.errors import NativeError

PAIR = {"a": 1.0, "b": 1.0}
BOTH = PAIR | {"c": 0.5, "d": 0.5}
SCALES = {"x_scale": 0.1, "x_zero_point": 128, "y_scale": 0.1, "y_zero_point": 128}


@pytest.mark.parametrize(
    ("name", "attributes", "reason"),
    [
        ("Salu", {"a": 1.0}, r"Salu: attribute b \(float\) is missing"),
        ("Salu", {"a": 1, "b": 1.0}, r"Salu: attribute a \(float\) is missing or of another type"),
        ("Swalu", PAIR | {"a": 0.0}, r"Swalu: a = 0; it must be positive and finite"),
        ("Swalu", PAIR | {"b": -1.0}, r"Swalu: b = -1; it must be positive"),
        ("Galu", PAIR | {"a": float("nan")}, r"Galu: a = -?nan; it must be positive"),
        ("Galu", PAIR | {"b": float("inf")}, r"Galu: b = inf; it must be positive"),
        ("Salu", {"a": 1e-38, "b": 1e-38}, r"sqrt\(a\*b\) and sqrt\(a/b\) must be in 1e-30\.\.1e30"),
        ("SaluSwalu", BOTH | {"d": 0.0}, r"SaluSwalu: d = 0"),
        ("SaluAddSwalu", PAIR, r"SaluAddSwalu: attribute c \(float\) is missing"),
        ("FlesGate", {}, r"FlesGate: attribute axis \(int\) is missing"),
        ("PositiveMean", {"axis": 0, "block": 1}, r"PositiveMean: axis = 0; it must be in -16..-1 or 1..15"),
        ("FlesGate", {"axis": 16, "block": 1}, r"FlesGate: axis = 16; it must be in"),
        ("PositiveMean", {"axis": 1, "block": 0}, r"PositiveMean: block = 0; it must be positive"),
        ("PositiveMean", {"axis": 1.0}, r"PositiveMean: attribute axis \(int\) is missing"),
        ("QSalu", PAIR | SCALES | {"x_scale": 0.0}, r"QSalu: x_scale = 0; it must be positive"),
        ("QSalu", PAIR | SCALES | {"y_zero_point": 256}, r"QSalu: y_zero_point = 256; it must be in 0\.\.255"),
        ("QSalu", PAIR | SCALES | {"y_zero_point": 0.0}, r"QSalu: attribute y_zero_point \(int\) is missing"),
        ("QSwalu", SCALES | {"a": -1.0, "b": 1.0}, r"QSwalu: a = -1"),
        ("QSaluAddSwalu", BOTH | SCALES, r"QSaluAddSwalu: attribute r_scale \(float\) is missing"),
    ],
)
def test_attributes(native, name, attributes, reason):
    with pytest.raises(Exception, match=reason):
        one(name, attributes)


def test_every_attribute_is_required(native):
    values = BOTH | SCALES | {"r_scale": 0.1, "r_zero_point": 0, "axis": 1, "block": 1}
    for name, spec in OPERATORS.items():
        complete = {key: values[key] for key in spec.attributes}
        one(name, complete)
        for left_out in spec.attributes:
            with pytest.raises(Exception, match=rf"{name}: attribute {left_out} "):
                one(name, {key: value for key, value in complete.items() if key != left_out})


@pytest.mark.parametrize("shape", [(3, 4), (4, 3, 1), (13,), (), (0,)])
def test_the_shortcut_has_another_shape(native, shape):
    session = one("SaluAddSwalu", BOTH)
    feeds = {"X": np.zeros((4, 3), np.float32), "R": np.zeros(shape, np.float32)}
    with pytest.raises(Exception, match=r"SaluAddSwalu: R has shape \(.*\) and X \(4, 3\); they must be the same"):
        session.run(None, feeds)


@pytest.mark.parametrize(
    ("axis", "x", "v", "h", "reason"),
    [
        (1, (2, 3, 4), (2, 4, 1), (2, 3, 1), r"V has shape \(2, 4, 1\)"),
        (1, (2, 3, 4), (2, 3, 1), (2, 3, 4), r"H has shape \(2, 3, 4\)"),
        (1, (2, 3, 4), (3, 3, 1), (2, 3, 1), r"V has shape \(3, 3, 1\)"),
        (1, (2, 3, 4), (2, 1, 1), (2, 3, 1), r"V has shape \(2, 1, 1\)"),
        (2, (2, 3, 4), (4,), (1, 1, 4), r"V has shape \(4\)"),
        (3, (2, 3, 4), (2, 1, 1), (2, 1, 1), r"axis = 3 is not one of X's 3 dimensions after the batch axis 0"),
        (-3, (2, 3, 4), (2, 1, 1), (2, 1, 1), r"axis = -3 "),
        (1, (), (), (), r"axis = 1 is not one of X's 0 dimensions"),
        (1, (1,) * 17, (1,) * 17, (1,) * 17, r"more than 16 dimensions"),
    ],
)
def test_coefficients_of_another_shape(native, axis, x, v, h, reason):
    session = one("FlesGate", {"axis": axis, "block": 1})
    shapes = {"X": x, "V": v, "H": h}
    with pytest.raises(Exception, match=reason):
        session.run(None, {key: np.ones(shape, np.float32) for key, shape in shapes.items()})


@pytest.mark.parametrize(("axis", "x"), [(2, (2, 3)), (-2, (2, 3)), (1, (3,))])
def test_channels_that_are_not_there(native, axis, x):
    session = one("PositiveMean", {"axis": axis, "block": 1})
    with pytest.raises(Exception, match=rf"PositiveMean: axis = {axis} is not one of X's {len(x)} dimensions after"):
        session.run(None, {"X": np.ones(x, np.float32)})


@pytest.mark.parametrize(("axis", "block", "x"), [(1, 3, (2, 4, 5)), (2, 2, (2, 4, 4))])
def test_blocks_that_do_not_fit(native, axis, block, x):
    session = one("PositiveMean", {"axis": axis, "block": block})
    with pytest.raises(Exception, match=rf"block = {block} does not divide X's 4 channels, or their axis is not 1"):
        session.run(None, {"X": np.ones(x, np.float32)})


@pytest.mark.parametrize(("name", "element"), [("Salu", "uint8"), ("QSalu", "float32")])
def test_element_types(native, name, element):
    at = PAIR if name == "Salu" else PAIR | SCALES
    with pytest.raises(Exception, match="Type Error"):
        open_native(model([node(name, ["X"], "Y", at)], {"X": element}, {"Y": element}))


def test_an_operator_that_does_not_exist(native):
    with pytest.raises(Exception, match="Tanhu"):
        open_native(model([node("Tanhu", ["X"], "Y", {})], {"X": "float32"}, {"Y": "float32"}))


@pytest.mark.parametrize("name", ["avx1024", "AVX2", "neon avx2", "scalar"])
def test_instructions_that_do_not_exist(native, monkeypatch, name):
    monkeypatch.setenv("SALU_ZOO_ISA", name)
    with pytest.raises(NativeError, match="SALU_ZOO_ISA"):
        register(onnxruntime.SessionOptions())


def test_instructions_are_chosen_when_a_session_starts(native, monkeypatch):
    """What held at registration is looked up again, so a value that came in between is not passed over."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    register(options)
    monkeypatch.setenv("SALU_ZOO_ISA", "nonsense")
    content = model([node("Salu", ["X"], "Y", PAIR)], {"X": "float32"}, {"Y": "float32"})
    with pytest.raises(Exception, match="SALU_ZOO_ISA"):
        onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])  # noqa: TID251


def test_options_may_go_before_the_session(native):
    """Many options, each registered and dropped at once; the domain is shared and stays."""
    sessions = [one("Salu", PAIR) for _ in range(20)]
    for session in sessions:
        assert session.run(None, {"X": np.ones(3, np.float32)})[0][0] == pytest.approx(0.5**0.5)
