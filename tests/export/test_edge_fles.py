"""FleS for the target `edge_cpu`: its operators in blocks of channels."""

import warnings

import onnx
import onnx_ir as ir
import pytest
from edge_models import export_edge, maps_of_fles

from export.layouts.arranged_file import BlockedLayoutWarning
from export.layouts.blocked import arrange, block_size
from export.operators.nodes import is_operator


def test_fles_runs_in_the_blocked_layout(cache, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error", BlockedLayoutWarning)
        result = export_edge(maps_of_fles(), tmp_path / "fles.onnx")
    assert result.parity.passed
    arranged = ir.from_proto(onnx.load_from_string(arrange(result.path.read_bytes()))).graph
    ours = [node for node in arranged if is_operator(node)]
    assert sorted(node.op_type for node in ours) == ["FlesGate", "FlesGate", "PositiveMean", "PositiveMean"]
    assert {node.attributes["block"].as_int() for node in ours} == {block_size()}
    assert block_size() in (4, 8, 16)
    assert [node.op_type for node in arranged].count("ReorderOutput") == 1  # once, at the end
    assert [value.name for value in arranged.outputs] == ["logits"]


@pytest.mark.parametrize(
    ("model", "reason"),
    [(maps_of_fles(channels=36), "36 channels .* are not whole blocks"), (maps_of_fles(variant="dg"), "are constants")],
)
def test_fles_that_cannot_be_arranged_runs_as_it_is(cache, tmp_path, model, reason):
    with pytest.warns(BlockedLayoutWarning, match=reason):
        result = export_edge(model, tmp_path / "fles.onnx")
    assert result.parity.passed
