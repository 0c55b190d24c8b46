"""The check as a whole: its report, and where a wrong file first differs."""

import json
from dataclasses import replace

import onnx_ir as ir
import pytest
import torch
from tiny_model import SIZE, Tiny, tiny

from export import OnnxFileError, ParityReport
from export.inputs.source import read_source
from export.parity.compare_outputs import compare
from export.parity.locate_difference import first_difference
from export.parity.parity_check import check_parity
from export.parity.probes import EXTREME, IMAGES
from export.targets import get_target


def test_report_says_what_was_done(exported):
    report = exported.parity
    assert (report.kind, report.n_samples, report.top1_agreement) == ("images", 20, 1.0)
    assert [r.found.n for r in report.results if r.kind == IMAGES] == [1, 3, 8, 8]
    assert report.worst("max_rel", IMAGES) <= 1e-5
    assert report.worst("max_rel_float64", IMAGES) <= 1e-5
    assert report.samples == "20 CIFAR-10 test images"
    assert all(r.judged and r.allowed >= 1e-5 for r in report.results)
    assert report.versions["torch"] == torch.__version__
    assert report.summary().startswith("passed: 20 images")
    assert report.summary().endswith("0 ill-conditioned and not judged; new NaN 0, undefined in PyTorch 0")


def test_report_without_probes_has_not_passed(exported):
    empty = replace(exported.parity, results=())
    assert not empty.passed
    assert empty.summary() == "failed: nothing was compared"


def test_what_was_not_judged_is_counted(exported):
    results = [replace(r, judged=r.kind == IMAGES) for r in exported.parity.results]
    report = replace(exported.parity, results=tuple(results))
    assert report.to_dict()["n_not_judged"] == 13
    assert "13 ill-conditioned and not judged" in report.summary()


def test_report_round_trip(exported):
    stored = json.loads(exported.parity_path.read_text())
    assert stored["passed"] is True
    assert stored["file_sha256"] == exported.file_sha256
    assert ParityReport.load(exported.parity_path) == exported.parity


def test_failed_report_is_valid_json_and_comes_back(exported, spec, tmp_path):
    report = check_parity(
        read_source(tiny(seed=3), input_spec=spec), exported.path.read_bytes(), get_target("portable"), threads=1
    )
    assert not report.passed
    assert report.first_difference.startswith("node stem/Conv (Conv): no module agrees")
    found = compare(torch.ones(1, 2), torch.full((1, 2), float("nan")))
    broken = replace(report.results[0], name="x", kind=EXTREME, found=found, problems=("NaN",))
    infinite = replace(report, results=(*report.results, broken))
    path = infinite.save(tmp_path / "r.json")
    json.loads(path.read_text(), parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert ParityReport.load(path) == infinite


def test_failed_diagnosis_does_not_hide_the_verdict(exported, spec, monkeypatch):
    def stop(*_):
        raise RuntimeError("no hook here.\nsecond line")

    monkeypatch.setattr("export.parity.parity_check.first_difference", stop)
    report = check_parity(
        read_source(tiny(seed=3), input_spec=spec), exported.path.read_bytes(), get_target("portable"), threads=1
    )
    assert not report.passed
    assert report.first_difference == "not found: the search stopped with RuntimeError: no hook here"


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"results": 3}'])
def test_damaged_report(tmp_path, text):
    (tmp_path / "r.json").write_text(text)
    with pytest.raises(OnnxFileError, match="no readable parity report"):
        ParityReport.load(tmp_path / "r.json")
    with pytest.raises(OnnxFileError, match="no readable parity report"):
        ParityReport.load(tmp_path / "none.json")


class Float32Only(Tiny):
    def forward(self, x):
        return super().forward(x.float())


def test_module_that_cannot_run_in_float64_is_still_checked(exported, spec):
    model = Float32Only()
    model.load_state_dict(tiny().state_dict())
    source = read_source(model, input_spec=spec)
    report = check_parity(source, exported.path.read_bytes(), get_target("portable"), threads=1)
    assert report.passed
    assert "does not run in float64" in report.float64
    assert report.results[0].found.own_rel_float64 is None


def test_nothing_to_locate_in_a_good_file(exported):
    batch = torch.randn(1, *SIZE, generator=torch.Generator().manual_seed(0))
    said = first_difference(tiny().eval(), exported.path.read_bytes(), {"image": batch}, 1e-5)
    assert said.startswith("none")
    assert "optimiser" in said


def test_wrong_operator_inside_an_activation_is_located(exported):
    model = ir.load(exported.path)
    node = next(n for n in model.graph if n.name == "norm2/Sqrt")
    node.op_type = "Neg"
    batch = torch.randn(1, *SIZE, generator=torch.Generator().manual_seed(0))
    said = first_difference(tiny().eval(), ir.to_proto(model).SerializeToString(), {"image": batch}, 1e-5)
    assert said.startswith("node norm2/")
    assert "module conv still agrees, module norm2 does not" in said
    assert "between norm2/Mul and norm2/Mul_3" in said


def test_wrong_runtime_is_told_from_a_wrong_graph(exported, monkeypatch):
    from export.parity import locate_difference

    real = locate_difference._run_graph

    def broken(file, feeds, opener):
        values = real(file, feeds, opener)
        name = next(n.outputs[0].name for n in locate_difference.ir.load(exported.path).graph if n.name == "norm2/Sqrt")
        position = list(values).index(name)
        return {k: v * 1.01 if i >= position and k != "image" else v for i, (k, v) in enumerate(values.items())}

    monkeypatch.setattr(locate_difference, "_run_graph", broken)
    batch = torch.randn(1, *SIZE, generator=torch.Generator().manual_seed(0))
    said = first_difference(tiny().eval(), exported.path.read_bytes(), {"image": batch}, 1e-5)
    assert said == "node norm2/Sqrt (Sqrt): the runtime computes it differently from onnx's reference"
