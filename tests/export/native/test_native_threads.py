"""Threads change nothing: neither those within a run nor those that run one session at once."""

import subprocess
import sys
import threading

import numpy as np
import pytest
from native_models import model, node, one, open_native

from export.native import OPERATORS

# Beyond one task of the thread pool, and no multiple of any vector.
LONG = 3 * 65536 + 37
AT = {"a": 0.7, "b": 1.3, "c": 0.5, "d": 0.5, "axis": 2, "block": 1} | {
    f"{t}_{key}": value for t in "xry" for key, value in (("scale", 0.02), ("zero_point", 100))
}


def attributes(name: str) -> dict:
    return {key: AT[key] for key in OPERATORS[name].attributes}


def inputs(name: str, rng: np.random.Generator) -> dict[str, np.ndarray]:
    spec = OPERATORS[name]
    if name == "FlesGate":
        shapes = {"X": (3, LONG // 51, 17), "V": (3, 1, 17), "H": (1, 1, 17)}
        return {key: rng.standard_normal(shape).astype(np.float32) for key, shape in shapes.items()}
    if name == "PositiveMean":
        return {"X": rng.standard_normal((3, LONG // 51, 17)).astype(np.float32)}
    if spec.element == "uint8":
        return {key: rng.integers(0, 256, LONG).astype(np.uint8) for key in spec.inputs}
    return {key: rng.standard_normal(LONG).astype(np.float32) for key in spec.inputs}


@pytest.mark.parametrize("name", OPERATORS)
def test_the_number_of_threads_changes_no_bit(name, isa):
    feeds = inputs(name, np.random.default_rng(1))
    results = [one(name, attributes(name), threads).run(None, feeds)[0].tobytes() for threads in (1, 2, 4)]
    assert results[0] == results[1] == results[2]


@pytest.mark.parametrize("name", [name for name in OPERATORS if "axis" not in OPERATORS[name].attributes])
def test_where_an_array_is_cut_changes_no_bit(name, isa):
    feeds = inputs(name, np.random.default_rng(2))
    session = one(name, attributes(name))
    whole = session.run(None, feeds)[0]
    for begin, end in ((0, 1), (1, 18), (3, 70), (5, 16389), (7, 65549)):
        part = session.run(None, {key: value[begin:end] for key, value in feeds.items()})[0]
        assert part.tobytes() == whole[begin:end].tobytes()


def test_many_runs_of_one_session_at_once(native):
    """Eight threads, each with inputs of its own, through all operators of one session."""
    names = list(OPERATORS)
    nodes, kinds, outputs = [], {}, {}
    for name in names:
        spec = OPERATORS[name]
        own = [f"{name}_{key}" for key in spec.inputs]
        nodes.append(node(name, own, name, attributes(name)))
        kinds |= dict.fromkeys(own, spec.element)
        outputs[name] = spec.element
    session = open_native(model(nodes, kinds, outputs), threads=2)
    feeds = []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        feeds.append({f"{name}_{key}": value for name in names for key, value in inputs(name, rng).items()})
    expected = [[y.tobytes() for y in session.run(names, feed)] for feed in feeds]
    wrong = []

    def work(index: int) -> None:
        for _ in range(10):
            if [y.tobytes() for y in session.run(names, feeds[index])] != expected[index]:
                wrong.append(index)

    threads = [threading.Thread(target=work, args=(index,)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(300)
    assert not wrong


@pytest.mark.parametrize("name", [n for n, spec in OPERATORS.items() if len(spec.inputs) == 1 and n != "PositiveMean"])
def test_an_input_that_is_read_again_is_not_overwritten(name, native):
    """Y of a first node feeds two further ones and the output; results are those of single nodes."""
    element, at = OPERATORS[name].element, attributes(name)
    nodes = [node(name, ["X"], "A", at), node(name, ["A"], "B", at), node(name, ["A"], "C", at)]
    session = open_native(model(nodes, {"X": element}, dict.fromkeys("ABC", element)))
    alone = one(name, at)
    feed = inputs(name, np.random.default_rng(3))
    before = feed["X"].copy()
    a, b, c = session.run(["A", "B", "C"], feed)
    first = alone.run(None, feed)[0]
    np.testing.assert_array_equal(a, first)
    np.testing.assert_array_equal(b, alone.run(None, {"X": first})[0])
    np.testing.assert_array_equal(b, c)
    np.testing.assert_array_equal(feed["X"], before)


def test_a_chain_in_one_buffer(native):
    """Ten nodes in a row, each overwriting its input, give what ten runs of one node give."""
    at = attributes("SaluSwalu")
    chain = [node("SaluSwalu", [f"T{i}"], f"T{i + 1}", at) for i in range(10)]
    found = open_native(model(chain, {"T0": "float32"}, {"T10": "float32"})).run(
        None, {"T0": inputs("SaluSwalu", np.random.default_rng(4))["X"]}
    )[0]
    alone, y = one("SaluSwalu", at), inputs("SaluSwalu", np.random.default_rng(4))["X"]
    for _ in range(10):
        y = alone.run(None, {"X": y})[0]
    assert found.tobytes() == y.tobytes()


def test_loading_leaves_denormals_alone(native):
    """A library linked with -ffast-math would make the whole process flush denormal numbers to zero."""
    code = (
        "import ctypes, sys, numpy as np\n"
        f"ctypes.CDLL({str(native.path)!r}).salu_zoo_isa()\n"
        "small = np.full(64, 1e-40, np.float32)\n"
        "sys.exit(int(not ((small * np.float32(0.5)) > 0).all()))\n"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=120).returncode == 0


def test_denormal_results_are_kept(isa):
    y = one("Salu", {"a": 1.0, "b": 1.0}).run(None, {"X": np.full(37, 1e-40, np.float32)})[0]
    np.testing.assert_array_equal(y, np.float32(1e-40))
