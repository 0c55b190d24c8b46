"""`export`: what it writes, what it refuses, and that a refusal leaves nothing behind."""

import hashlib
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest
import torch
from timm.models.swin_transformer import SwinTransformer
from tiny_model import LABELS, SIZE, tiny
from torch import nn

import export.lower.to_onnx
import export.pipeline.steps
from export import (
    InputSpec,
    LoweringError,
    ParityError,
    open_session,
    validate,
)
from export import (
    export as export_model,
)
from export.export_target import OPSETS
from export.parity.parity_report import ParityReport
from export.pipeline.export_plan import make_plan
from export.targets import get_target, list_targets
from zoo.errors import ConfigurationError, OutputError

STEPS = ["trace", "simplify", "write out", "name", "stamp", "check", "parity", "write"]


def test_writes_one_file_and_its_report(exported):
    assert sorted(p.name for p in exported.path.parent.iterdir()) == ["tiny.onnx", "tiny.onnx.parity.json"]
    content = exported.path.read_bytes()
    assert exported.size_bytes == len(content)
    assert exported.file_sha256 == exported.parity.file_sha256 == hashlib.sha256(content).hexdigest()
    assert exported.parity.passed
    assert exported.nodes["Conv"] == 2


def test_no_two_targets_or_precisions_share_a_file_name():
    names = [target.file_name("m.t", p) for target in map(get_target, list_targets()) for p in target.precisions]
    assert len(set(names)) == len(names)
    assert {"m.t.portable.onnx", "m.t.edge_int8.onnx", "m.t.gpu_cuda.onnx", "m.t.gpu_cuda.float16.onnx"} <= set(names)


def test_a_file_without_a_name_is_called_after_its_target(spec, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = [export_model(tiny(), input_spec=spec, target=target, threads=1).path for target in ("portable", "web")]
    assert [path.name for path in made] == ["Tiny.portable.onnx", "Tiny.web.onnx"]
    beside = [f"{path.name}.parity.json" for path in made]
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([*beside, *(path.name for path in made)])


def test_reports_about_an_older_file_go_with_it(spec, tmp_path):
    for older in ("x.onnx", "x.onnx.parity.json", "x.onnx.accuracy.json"):
        (tmp_path / older).write_text("yesterday")
    made = export_model(tiny(), tmp_path / "x.onnx", input_spec=spec, threads=1)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["x.onnx", "x.onnx.parity.json"]
    assert ParityReport.load(made.parity_path).file_sha256 == hashlib.sha256(made.path.read_bytes()).hexdigest()


def test_versions_are_those_of_the_target(exported):
    model = onnx.load(exported.path)
    target = get_target("portable")
    assert (model.ir_version, model.opset_import[0].version) == (target.ir_version, target.opset) == (10, 20)
    assert len(model.opset_import) == 1
    assert (exported.ir_version, exported.opset) == (10, 20)


@pytest.mark.parametrize("opset", [min(OPSETS), max(OPSETS)])
@pytest.mark.parametrize("target", ["portable", "edge_cpu"])
def test_another_operator_set_is_written_proven_and_named(spec, tmp_path, monkeypatch, target, opset):
    monkeypatch.chdir(tmp_path)
    made = export_model(tiny(), input_spec=spec, target=target, opset=opset, threads=1)
    assert made.path.name == f"Tiny.{target}.opset{opset}.onnx"
    model = onnx.load(made.path)
    versions = {given.domain: given.version for given in model.opset_import}
    assert (model.ir_version, versions[""]) == (made.ir_version, made.opset) == (OPSETS[opset][0], opset)
    assert made.parity.passed


def test_ir_versions_are_the_oldest_that_have_the_operator_set():
    for opset, (ir_version, _) in OPSETS.items():
        assert onnx.helper.find_min_ir_version_for([onnx.helper.make_opsetid("", opset)]) == ir_version


@pytest.mark.parametrize(
    ("opset", "precision", "possible"),
    [(16, "float32", "17"), (99, "float32", "17"), (17, "float16", "20"), (20, "bfloat16", "22")],
)
def test_an_operator_set_that_no_file_is_written_in(spec, tmp_path, opset, precision, possible):
    with pytest.raises(ConfigurationError, match=rf"opset {opset}: a file in {precision} .* opset {possible} to 26"):
        export_model(tiny(), tmp_path / "x.onnx", input_spec=spec, target="gpu_cuda", precision=precision, opset=opset)
    assert list(tmp_path.iterdir()) == []


def test_the_plan_names_the_oldest_runtime_of_the_operator_set():
    portable, edge = get_target("portable"), get_target("edge_cpu")
    assert portable.at_opset(20, "float32") is portable
    assert (portable.at_opset(17, "float32").oldest_runtime, edge.at_opset(17, "float32").oldest_runtime) == (
        "1.15",
        "1.22",
    )


def test_graph_is_portable_and_dynamic_in_the_batch(exported):
    graph = onnx.load(exported.path).graph
    (image,), (logits,) = graph.input, graph.output
    assert (image.name, logits.name) == ("image", "logits")
    assert [d.dim_param or d.dim_value for d in image.type.tensor_type.shape.dim] == ["batch", *SIZE]
    assert [d.dim_param or d.dim_value for d in logits.type.tensor_type.shape.dim] == ["batch", len(LABELS)]
    assert {node.domain for node in graph.node} == {""}
    assert not any(tensor.external_data for tensor in graph.initializer)


def test_scalars_are_folded_and_nodes_named_after_modules(exported):
    graph = onnx.load(exported.path).graph
    assert [node.op_type for node in graph.node if node.name.startswith("norm1/")] == [
        "Mul", "Clip", "Mul", "Mul", "Add", "Sqrt", "Reciprocal", "Mul",
    ]  # fmt: skip
    assert len({node.name for node in graph.node}) == len(graph.node)


def test_file_tells_nothing_about_the_exporting_machine(exported):
    content = exported.path.read_bytes()
    for secret in (b"stack_trace", b".py", str(Path.home()).encode() + b"/", str(exported.path.parent).encode()):
        assert secret not in content


@pytest.mark.parametrize("batch", [1, 3, 8, 17])
def test_any_batch_size_agrees_with_torch(exported, batch):
    images = torch.randn(batch, *SIZE, generator=torch.Generator().manual_seed(batch))
    (logits,) = open_session(exported.path, threads=1).run(None, {"image": images.numpy()})
    with torch.inference_mode():
        expected = tiny().eval()(images)
    np.testing.assert_allclose(logits, expected.numpy(), rtol=0, atol=1e-6)


def test_leaves_the_module_alone_and_writes_the_same_bytes_again(exported, spec, tmp_path):
    model = tiny().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    seen = []
    result = export_model(
        model,
        tmp_path / "new" / "again.onnx",
        input_spec=spec,
        threads=1,
        on_plan=lambda plan: seen.append(plan.render()),
        on_step=lambda step: seen.append(step.name),
        on_progress=lambda done, total: seen.append((done, total)),
    )
    assert result.file_sha256 == exported.file_sha256
    assert model.training
    assert all(p.requires_grad for p in model.parameters())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert "opset 20" in seen[0]
    assert "IR version 10 (ONNX Runtime 1.22 or newer)" in seen[0]
    assert "CIFAR-10 test images at batches 1, 3, 8" in seen[0]
    assert seen[1:8] == STEPS[:-1]
    assert seen[8] == (1, 17)
    assert seen[-2:] == [(17, 17), "write"]


@pytest.fixture
def tamper(exported, monkeypatch):
    """Make the tracing step return the good graph after `change` has spoilt it; saves tracing again."""

    def install(change):
        def lower(_source, _target):
            model = ir.load(exported.path)
            change(model)
            return model

        monkeypatch.setattr(export.pipeline.steps, "lower", lower)
        # The nodes of a saved file have their names already.
        monkeypatch.setattr(export.pipeline.steps, "name_nodes", lambda job: None)

    return install


def halve(name):
    def change(model):
        constant = model.graph.initializers[name]
        constant.const_value = ir.tensor(constant.const_value.numpy() * np.float32(0.5), name=name)

    return change


def test_wrong_lowering_raises_names_the_node_and_writes_nothing(tamper, spec, tmp_path):
    tamper(halve("conv.bias"))
    with pytest.raises(ParityError, match=r"nothing was written[\s\S]*node conv/Conv .*module norm1 still agrees"):
        export_model(tiny(), tmp_path / "bad.onnx", input_spec=spec, threads=1)
    assert not list(tmp_path.iterdir())


def test_failure_keeps_what_stood_there(tamper, spec, tmp_path):
    tamper(halve("head.weight"))
    (tmp_path / "bad.onnx").write_bytes(b"yesterday")
    with pytest.raises(ParityError, match="node head/Gemm"):
        export_model(tiny(), tmp_path / "bad.onnx", input_spec=spec, threads=1)
    assert [p.name for p in tmp_path.iterdir()] == ["bad.onnx"]
    assert (tmp_path / "bad.onnx").read_bytes() == b"yesterday"


def test_failing_second_rename_keeps_both_old_files(tamper, spec, tmp_path, monkeypatch):
    tamper(lambda model: None)
    file, report = tmp_path / "x.onnx", tmp_path / "x.onnx.parity.json"
    file.write_bytes(b"yesterday")
    report.write_text("of yesterday")
    real = Path.replace

    def replace(self, target):
        if Path(target) == file:
            raise OSError(28, "No space left on device")
        return real(self, target)

    monkeypatch.setattr(Path, "replace", replace)
    with pytest.raises(OutputError, match=r"Cannot write .*x.onnx: No space left"):
        export_model(tiny(), file, input_spec=spec, threads=1)
    assert (file.read_bytes(), report.read_text()) == (b"yesterday", "of yesterday")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["x.onnx", "x.onnx.parity.json"]


def test_foreign_operator_is_refused(tamper, spec, tmp_path):
    def change(model):
        next(iter(model.graph)).domain = "com.example"
        model.graph.opset_imports["com.example"] = 1

    tamper(change)
    with pytest.raises(LoweringError, match=r"com\.example::Conv"):
        export_model(tiny(), tmp_path / "bad.onnx", input_spec=spec)
    assert not list(tmp_path.iterdir())


def test_constant_batch_in_the_graph_is_refused(tamper, spec, tmp_path):
    def change(model):
        model.graph.inputs[0].shape = ir.Shape([2, *SIZE])

    tamper(change)
    with pytest.raises(LoweringError, match=r"batch size became a constant: `image` has shape"):
        export_model(tiny(), tmp_path / "bad.onnx", input_spec=spec)


def test_plan_runs_nothing(spec, tmp_path):
    from export.inputs.source import read_source
    from export.pipeline.job import Job

    job = Job(source=read_source(tiny(), input_spec=spec), target=get_target("portable"), path=tmp_path / "x.onnx")
    assert [step.name for step in make_plan(job).steps] == STEPS
    assert job.graph is None
    with pytest.raises(export.ExportError, match="has not passed parity"):
        export.pipeline.steps.write(job)
    with pytest.raises(export.ExportError, match="before anything traced"):
        export.pipeline.steps.check(job)
    assert not list(tmp_path.iterdir())


def test_shared_parameters_and_plain_sequentials_export(tmp_path):
    layer = nn.Linear(12, 12)
    model = nn.Sequential(nn.Flatten(), layer, nn.GELU(), layer, nn.Linear(12, 3))
    result = export_model(model, tmp_path / "s.onnx", input_spec=InputSpec(3, 2, 2), threads=1)
    assert result.model == "Sequential"
    assert result.parity.passed


def test_a_compiled_model_gives_the_file_of_its_original(exported, spec, tmp_path):
    model = torch.compile(tiny(), backend="eager")
    assert export_model(model, tmp_path / "c.onnx", input_spec=spec, threads=1).file_sha256 == exported.file_sha256


def test_defaults_of_pytorch_change_no_byte(exported, spec, tmp_path, set_defaults):
    model = tiny()
    set_defaults()
    result = export_model(model, tmp_path / "d.onnx", input_spec=spec, threads=1)
    assert result.file_sha256 == exported.file_sha256
    assert validate(result.path, model, input_spec=spec, threads=1).passed


@pytest.mark.slow
def test_gradient_checkpointing_changes_no_byte(tmp_path):
    model = SwinTransformer(8, 4, depths=(1,), embed_dim=8, num_heads=(2,), window_size=2, num_classes=4)
    files = []
    for checkpointing in (False, True):
        model.set_grad_checkpointing(checkpointing)
        path = tmp_path / f"{checkpointing}.onnx"
        result = export_model(model.train(), path, input_spec=InputSpec(3, 8, 8), threads=1)
        assert result.parity.passed
        files.append(result.file_sha256)
    assert files[0] == files[1]
