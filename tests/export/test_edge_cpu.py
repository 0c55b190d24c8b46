"""The target `edge_cpu`: fused operators, compiled here, in the runtime's blocked layout, proven as any other file."""

import json
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest
import torch
from edge_models import SPEC, Tokens, export_edge, residual, seeded

import export.layouts.arranged_file as machine
from export import export, load_predictor, open_session, validate
from export.digest import seal
from export.errors import BlockedLayoutError
from export.layouts.arranged_file import BlockedLayoutWarning
from export.layouts.blocked import arrange
from export.metadata import PREFIX
from export.native import library
from export.operators.nodes import is_operator
from export.runtime.session import run_session
from zoo.activations import GALU, SALU, FleS
from zoo.errors import NativeError
from zoo.models import build_model


@pytest.fixture(scope="session")
def edge(cache, tmp_path_factory):
    """A small SaluNet and its file."""
    model = residual()
    return model, export_edge(model, tmp_path_factory.mktemp("edge") / "edge.onnx")


def operators(file: bytes) -> list[str]:
    return [node.op_type for node in ir.from_proto(onnx.load_from_string(file)).graph if is_operator(node)]


def test_the_file_is_proven_and_fused(edge):
    result = edge[1]
    assert result.parity.passed
    assert result.parity.worst("max_rel") <= 1e-5
    assert {k: v for k, v in result.nodes.items() if "alu" in k} == {"SaluSwalu": 5, "SaluAddSwalu": 4, "Salu": 4}
    assert result.elementwise.nodes == 13
    assert validate(result.path, edge[0], input_spec=SPEC, threads=1).passed


def kept_for(content: bytes, cache: Path) -> Path:
    """Other tests keep theirs in the same folder."""
    return cache / "blocked" / f"{machine._key(content, library())}.onnx"


def test_it_runs_in_the_blocked_layout(edge, cache):
    content = edge[1].path.read_bytes()
    kept = kept_for(content, cache)
    nodes = [(node.domain, node.op_type) for node in onnx.load(kept).graph.node]
    assert nodes.count(("com.microsoft.nchwc", "Conv")) == 13
    assert nodes.count(("com.microsoft.nchwc", "ReorderOutput")) == 1  # once, at the end
    assert sorted(operators(kept.read_bytes())) == sorted(operators(content))


def test_the_predictor_answers_as_torch(edge):
    predictor = load_predictor(edge[1].path, threads=1)
    images = torch.randn(5, 3, 32, 32, generator=torch.Generator().manual_seed(3))
    with torch.inference_mode():
        expected = edge[0](images)
    torch.testing.assert_close(predictor(images), expected, rtol=0, atol=1e-5 * float(expected.abs().max()))
    assert predictor.metadata.operators["domain"] == "salu_zoo"
    assert predictor.metadata.operators["version"] == 1


def test_what_is_kept_is_found_again(edge, cache, monkeypatch):
    monkeypatch.setattr(machine, "_arrange", lambda file: pytest.fail("arranged once more"))
    open_session(edge[1].path, threads=1)


@pytest.mark.parametrize("change", ["processor", "release", "file"])
def test_what_is_kept_for_something_else_is_not_used(edge, cache, monkeypatch, change):
    asked = []
    monkeypatch.setattr(machine, "_arrange", lambda file: asked.append(file))
    content = edge[1].path.read_bytes()
    if change == "processor":
        monkeypatch.setattr(machine, "_processor", lambda: "another")
    elif change == "release":
        monkeypatch.setattr(machine.onnxruntime, "__version__", "0.0.0")
    else:
        proto = onnx.load_from_string(content)
        proto.doc_string = "changed"
        content = proto.SerializeToString()
    open_session(content, threads=1)
    assert len(asked) == 1


def test_a_damaged_arrangement_is_made_again(edge, cache):
    kept = kept_for(edge[1].path.read_bytes(), cache)
    kept.write_bytes(kept.read_bytes()[:1000])
    with pytest.warns(BlockedLayoutWarning, match="is damaged; it is made again"):
        open_session(edge[1].path, threads=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error", BlockedLayoutWarning)
        open_session(edge[1].path, threads=1)


def feeds(n: int = 2):
    return {"image": np.random.default_rng(0).normal(size=(n, 3, 32, 32)).astype(np.float32)}


def test_a_failed_arrangement_is_said_and_the_file_runs_as_it_is(edge, monkeypatch):
    def refuse(file):
        raise BlockedLayoutError("the stand-in came back as something else")

    monkeypatch.setattr(machine, "_read", lambda place: None)
    monkeypatch.setattr(machine, "_arrange", refuse)
    expected = run_session(open_session(edge[1].path, threads=1, optimize=False), feeds())[0]
    with pytest.warns(BlockedLayoutWarning, match="runs as it is, somewhat slower: the stand-in came back"):
        session = open_session(edge[1].path, threads=1)
    np.testing.assert_allclose(run_session(session, feeds())[0], expected, rtol=0, atol=1e-5 * np.abs(expected).max())


def test_an_arrangement_that_computes_something_else_is_not_used(edge, monkeypatch):
    def wrong(file):
        graph = ir.from_proto(onnx.load_from_string(arrange(file)))
        node = next(node for node in graph.graph if is_operator(node))
        node.attributes["a"] = ir.AttrFloat32("a", 3 * node.attributes["a"].as_float())
        return ir.to_proto(graph).SerializeToString()

    monkeypatch.setattr(machine, "_read", lambda place: None)
    monkeypatch.setattr(machine, "_arrange", wrong)
    with pytest.warns(BlockedLayoutWarning, match="computes something else"):
        open_session(edge[1].path, threads=1)


def test_a_cache_that_cannot_be_written_costs_time_only(edge, monkeypatch):
    def nowhere(name):
        raise NotADirectoryError(20, "Not a directory")

    monkeypatch.setattr(machine, "private_folder", nowhere)
    with pytest.warns(BlockedLayoutWarning, match="arranges it anew"):
        open_session(edge[1].path, threads=1)


def test_a_file_of_other_operators_is_refused(edge, tmp_path):
    proto = onnx.load(edge[1].path)
    for prop in proto.metadata_props:
        if prop.key == f"{PREFIX}operators":
            prop.value = json.dumps(json.loads(prop.value) | {"version": 2})
    other = tmp_path / "other.onnx"
    seal(proto)
    onnx.save(proto, other)
    with pytest.raises(NativeError, match=r"version 2 there, 1 here.*Export the model again"):
        open_session(other, threads=1)


def test_without_compiler_and_cache_the_error_says_so(edge, monkeypatch, tmp_path):
    monkeypatch.setenv("SALU_ZOO_CACHE", str(tmp_path))
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(NativeError, match="compiler"):
        open_session(edge[1].path, threads=1)


def test_tokens_need_no_layout(cache, tmp_path, monkeypatch):
    with warnings.catch_warnings():
        warnings.simplefilter("error", BlockedLayoutWarning)
        result = export_edge(seeded(lambda: Tokens(SALU(), GALU(), FleS(24))), tmp_path / "t.onnx")
    assert result.parity.passed
    assert {result.nodes[name] for name in ("Salu", "Galu", "PositiveMean", "FlesGate")} == {1}
    monkeypatch.setattr(machine, "_arrange", lambda file: pytest.fail("looked through once more"))
    open_session(result.path, threads=1)


def test_where_the_runtime_merges_a_stand_in_away_the_file_runs_as_it_is(cache, tmp_path):
    """Convolution, addition and activation become one node of ONNX Runtime where no SALU stands between them."""
    with pytest.warns(BlockedLayoutWarning, match="did not come back"):
        result = export_edge(residual(torch.nn.BatchNorm2d), tmp_path / "bn.onnx")
    assert result.parity.passed
    assert result.nodes["Swalu"] == 9


def test_portable_files_never_compile(tmp_path, monkeypatch):
    monkeypatch.setattr("export.native.register", lambda options: pytest.fail("compiled"))
    path = Path(export(residual(), tmp_path / "p.onnx", input_spec=SPEC, threads=1).path)
    open_session(path, threads=1)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["salunet_c18_cifar", "salunet_t_cifar", "fles_resnet18_cifar"])
def test_registered_models(cache, tmp_path, name):
    with warnings.catch_warnings():
        warnings.simplefilter("error", BlockedLayoutWarning)
        model = seeded(lambda: build_model(name))
        assert export(model, tmp_path / "model.onnx", target="edge_cpu", threads=1).parity.passed
