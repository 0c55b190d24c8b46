"""Files whose means of FleS jumped, which are right, and files that take another mean, which are not."""

import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from itertools import takewhile
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest
import torch
from edge_models import SPEC, Tokens, maps_of_fles, seeded
from onnx_ir.tape import Tape
from torch import Tensor, nn

import export.layouts.arranged_file as machine
from export import open_session
from export.digest import seal
from export.inputs.random_weights import stir
from export.inputs.shared import Shared
from export.inputs.source import Source, read_source
from export.layouts.arranged_file import BlockedLayoutWarning
from export.layouts.blocked import arrange
from export.layouts.means import MAX_GAP
from export.native import library
from export.operators.nodes import is_operator
from export.parity import implementations
from export.parity.given import run_torch
from export.parity.implementations import Sides
from export.parity.parity_check import check_parity
from export.parity.probes import IMAGES
from export.pipeline.export_plan import make_plan
from export.pipeline.job import Job
from export.runtime import openvino_session
from export.runtime.engine import Engine, engine_here
from export.runtime.session import run_session
from export.targets import get_target
from zoo.activations import FleS


class Variants(nn.Module):
    """Every variant with a positive mean, on maps and on tokens, one of them called twice and known by two names."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, stride=4)
        self.maps = nn.ModuleList(FleS(16, 1, variant=variant) for variant in ("fles", "adas", "proto", "pn"))
        self.tokens = nn.ModuleList(FleS(16, variant=variant) for variant in ("fles", "adas", "proto", "dg"))
        self.again = self.maps[0]
        self.head = nn.Linear(16, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for site in (*self.maps, self.again):
            x = x + site(x)
        x = x.flatten(2).transpose(1, 2)
        for site in self.tokens:
            x = x + site(x)
        return self.head(x.mean(1))


def tokens() -> nn.Module:
    return Tokens(FleS(24))


@cache
def source_of(make: Callable[[], nn.Module]) -> Source:
    """A network of random weights, traced once for all targets."""
    return replace(read_source(stir(seeded(make)), input_spec=SPEC), shared=Shared())


def traced(make: Callable[[], nn.Module], target: str, change=lambda graph: None) -> Job:
    """An export up to the parity check; `change` is made to the graph as it was traced."""
    job = Job(source=source_of(make), target=get_target(target), path=Path("x.onnx"), threads=1)
    for step in takewhile(lambda step: step.name != "parity", make_plan(job).steps):
        step.run(job)
        if step.name == "trace":
            change(job.need_graph().graph)
    return job


def report_of(job: Job):
    return check_parity(job.source, job.file, job.target, threads=1)


needs_openvino = pytest.mark.skipif(not openvino_session.installed(), reason="the package openvino is not installed")


@pytest.mark.parametrize("target", ["portable", "edge_cpu", pytest.param("openvino", marks=needs_openvino)])
@pytest.mark.parametrize("make", [Variants, *(pytest.param(f, marks=pytest.mark.slow) for f in (maps_of_fles, tokens))])
def test_showing_the_means_changes_no_bit(cache, target, make):
    job = traced(make, target)
    feeds = {"image": torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))}
    both = Sides(job.source.model, job.file, engine_here(job.target, "float32"), feeds, threads=1)
    found = both.runtime(feeds)
    own = run_torch(job.source.model, feeds)
    assert found.same
    assert {path: len(t) for path, t in found.means.items()} == {path: len(t) for path, t in own.means.items()}
    assert own.means
    given = both.torch(feeds, found.means)
    assert given.largest_gap(range(3))[0] <= MAX_GAP
    assert any(
        not torch.equal(a, b) for path in own.means for a, b in zip(own.means[path], given.means[path], strict=True)
    )
    torch.testing.assert_close(given.logits, found.logits, rtol=1e-5, atol=1e-5)
    assert torch.equal(own.logits, job.source.model(feeds["image"]))


def replaced(node: ir.Node, graph: ir.Graph, count) -> None:
    """A mean as the sum of the positive elements of each channel by another count of them."""
    tape, out = Tape(), node.outputs[0]
    positive = tape.op("Relu", node.inputs[:1])
    number = {name: ir.val(name, const_value=ir.tensor(np.float32(value))) for name, value in count.items()}
    for value in number.values():
        graph.register_initializer(value)
    share = tape.op("Cast", [tape.op("Greater", [positive, number["nothing"]])], {"to": int(ir.DataType.FLOAT)})
    total, above = (tape.op("Flatten", [tape.op("GlobalAveragePool", [value])]) for value in (positive, share))
    made = tape.op("Div", [total, tape.op("Max", [tape.op("Add", [above, number["more"]]), number["least"]])])
    for one in tape.nodes:
        one.metadata_props.update(node.metadata_props)
    ir.convenience.replace_nodes_and_values(graph, node, [node], tape.nodes, [out], [made])


WRONG = {"one count too many": {"more": 1 / 32**2, "least": 0.0}, "negatives counted": {"more": 0.0, "least": 1.0}}


@pytest.mark.parametrize("count", WRONG.values(), ids=WRONG.keys())
@pytest.mark.parametrize("target", ["portable", "edge_cpu"])
def test_a_wrong_mean_is_refused_and_located(cache, target, count):
    def change(graph):
        second = [node for node in graph if is_operator(node, "PositiveMean")][1]
        replaced(second, graph, count | {"nothing": 0.0})

    report = report_of(traced(maps_of_fles, target, change))
    assert not report.passed
    assert all("the mean of FleS in 5 is" in result.problems[-1] for result in report.results if result.kind == IMAGES)
    assert "module 5 does not" in report.first_difference


class Zeros(nn.Module):
    """FleS on maps of which half the elements are exactly 0 until an offset is subtracted."""

    def __init__(self):
        super().__init__()
        self.stem, self.offset, self.act = (
            nn.Conv2d(3, 16, 3, stride=2),
            nn.Parameter(torch.zeros(16, 1, 1)),
            FleS(16, 1),
        )
        self.last, self.head = nn.Conv2d(16, 16, 3), nn.Linear(16, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.act(self.stem(x).relu() + self.offset)
        return self.head(self.last(x).relu().mean((2, 3)))


def changed(file: bytes, name: str, change) -> bytes:
    """The file with other numbers in a weight."""
    model = onnx.load_from_string(file)
    weight = next(t for t in model.graph.initializer if t.name.endswith(name))
    weight.CopyFrom(onnx.numpy_helper.from_array(change(onnx.numpy_helper.to_array(weight)), weight.name))
    seal(model)
    return model.SerializeToString()


@pytest.fixture(scope="module")
def zeros(cache):
    return {target: traced(Zeros, target) for target in ("portable", "edge_cpu")}


@pytest.mark.parametrize("target", ["portable", "edge_cpu"])
def test_a_mean_that_jumped_is_right(zeros, target):
    """The offset makes every zero negative, so the means are twice what PyTorch has."""
    job = zeros[target]
    jumped = replace(job, file=changed(job.file, "offset", lambda values: values - np.float32(1e-9)))
    feeds = {"image": np.random.default_rng(0).normal(size=(2, 3, 32, 32)).astype(np.float32)}
    one, other = (run_session(open_session(file, threads=1), feeds)[0] for file in (job.file, jumped.file))
    assert np.abs(one - other).max() > 1e-3 * np.abs(one).max(), "nothing jumped"
    report = report_of(jumped)
    assert report.passed
    assert report.worst("max_rel", IMAGES) <= 1e-5
    assert all(result.allowed == 1e-5 for result in report.results if result.kind == IMAGES)


@pytest.mark.parametrize("target", ["portable", "edge_cpu"])
def test_behind_a_mean_that_jumped_the_first_difference_is_found(zeros, target):
    file = changed(zeros[target].file, "offset", lambda values: values - np.float32(1e-9))
    wrong = changed(file, "last.weight", lambda values: values * np.float32(1.01))
    report = report_of(replace(zeros[target], file=wrong))
    assert not report.passed
    assert "module act still agrees, module last does not" in report.first_difference
    assert "goes wrong between last/Conv" in report.first_difference


@pytest.mark.parametrize(("by", "kept"), [(-1e-9, True), (-1e-3, False)])
def test_the_blocked_layout_is_kept_where_only_a_mean_jumped(zeros, monkeypatch, by, kept):
    shift = lambda values: values + np.float32(by)  # noqa: E731
    monkeypatch.setattr(machine, "_read", lambda place: None)
    monkeypatch.setattr(machine, "_arrange", lambda file: arrange(changed(file, "offset", shift)))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = machine.arranged_for_this_machine(zeros["edge_cpu"].file, library())
    assert (found is not None) == kept
    assert [str(w.message) for w in caught if "computes something else" in str(w.message)] == [] if kept else caught


def test_an_arrangement_with_a_wrong_mean_is_not_used(cache, monkeypatch):
    def wrong(file):
        graph = ir.from_proto(onnx.load_from_string(arrange(file)))
        node = next(node for node in graph.graph if is_operator(node, "PositiveMean"))
        half = ir.val("half", const_value=ir.tensor(np.float32(0.999)))
        graph.graph.register_initializer(half)
        readers = [(use.node, use.idx) for use in node.outputs[0].uses()]
        made = ir.node("Mul", [node.outputs[0], half])
        for reader, position in readers:
            reader.replace_input_with(position, made.outputs[0])
        made.outputs[0].name, node.outputs[0].name = node.outputs[0].name, "before"
        graph.graph.insert_after(node, made)
        return ir.to_proto(graph).SerializeToString()

    job = traced(maps_of_fles, "edge_cpu")
    monkeypatch.setattr(machine, "_read", lambda place: None)
    monkeypatch.setattr(machine, "_arrange", wrong)
    with pytest.warns(BlockedLayoutWarning, match="computes something else"):
        assert machine.arranged_for_this_machine(job.file, library()) is None


def test_other_logits_with_the_means_shown_prove_nothing(zeros, monkeypatch):
    real = Engine.open_shown

    def another(self, file, *rest):
        return real(self, changed(file, "head.bias", lambda values: values + np.float32(1e-6)), *rest)

    monkeypatch.setattr(Engine, "open_shown", another)
    report = report_of(zeros["portable"])
    assert not report.passed
    assert all("where the means of FleS are outputs as well" in result.problems[-1] for result in report.results
               if result.kind == IMAGES)  # fmt: skip


def test_a_file_without_names_for_its_means_is_held_against_pytorch_as_it_is(zeros, monkeypatch):
    job = zeros["portable"]
    jumped = replace(job, file=changed(job.file, "offset", lambda values: values - np.float32(1e-9)))
    monkeypatch.setattr(implementations, "is_mean", lambda _name: False)
    assert not report_of(jumped).passed
    assert report_of(job).passed
