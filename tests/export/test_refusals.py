"""`export`: one clear error for each thing a user can get wrong, and nothing left behind."""

from pathlib import Path

import onnx_ir as ir
import pytest
import torch
from tiny_model import SIZE, Tiny, tiny

import export.lower.to_onnx
import export.pipeline.steps
from export import ExportError, InputSpec, LoweringError, TargetError, list_targets
from export import export as export_model
from export.inputs.source import read_source
from export.targets import get_target
from zoo.errors import ConfigurationError, OutputError, ShapeError, UnknownNameError, WeightsMismatchError


def test_unknown_target_offers_the_nearest(spec, tmp_path):
    assert "portable" in list_targets()
    with pytest.raises(TargetError, match=r"'portabel'.*Nearest: portable") as caught:
        export_model(tiny(), tmp_path / "x.onnx", target="portabel", input_spec=spec)
    assert isinstance(caught.value, UnknownNameError)


def test_precision_the_target_does_not_have(spec, tmp_path):
    with pytest.raises(TargetError, match=r"precision of target portable 'float61'.*float32"):
        export_model(tiny(), tmp_path / "x.onnx", precision="float61", input_spec=spec)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_bad_weights_are_named(spec, tmp_path, value):
    model = tiny()
    with torch.no_grad():
        model.conv.bias[2] = value
    with pytest.raises(WeightsMismatchError, match=r"conv.bias \(1 of 8 values\)"):
        export_model(model, tmp_path / "x.onnx", input_spec=spec)
    assert not list(tmp_path.iterdir())


def test_infinite_buffer_is_no_bad_weight(spec):
    model = tiny()
    model.register_buffer("mask", torch.tensor([0.0, float("-inf")]))
    assert read_source(model, input_spec=spec).full_name == "Tiny"


def test_unwritable_output_fails_before_the_work(spec, tmp_path, monkeypatch):
    monkeypatch.setattr(export.pipeline.steps, "lower", lambda *_: pytest.fail("the model was traced first"))
    blocker = tmp_path / "file"
    blocker.write_text("not a folder")
    for path in (blocker / "x.onnx", Path("/proc/x.onnx"), tmp_path):
        with pytest.raises(OutputError, match="Cannot write"):
            export_model(tiny(), path, input_spec=spec)


def test_report_that_cannot_be_written_fails_before_the_work(spec, tmp_path, monkeypatch):
    monkeypatch.setattr(export.pipeline.steps, "lower", lambda *_: pytest.fail("the model was traced first"))
    (tmp_path / "x.onnx.parity.json").mkdir()
    with pytest.raises(OutputError, match=r"x.onnx.parity.json: it is a folder"):
        export_model(tiny(), tmp_path / "x.onnx", input_spec=spec)


@pytest.mark.parametrize("name", ["model", "model.pth", "model.onnx.txt"])
def test_output_without_the_suffix_is_refused(spec, tmp_path, name):
    with pytest.raises(OutputError, match=rf"ends in \.onnx.*Use {name}\.onnx"):
        export_model(tiny(), tmp_path / name, input_spec=spec)
    assert not list(tmp_path.iterdir())


def test_labels_have_to_fit(preprocess, tmp_path):
    with pytest.raises(ConfigurationError, match="4 logits but 2 labels"):
        export_model(tiny(), tmp_path / "x.onnx", input_spec=InputSpec(*SIZE, preprocess=preprocess, labels=("a", "b")))


def test_wrong_channels_are_reported_before_tracing(spec, tmp_path):
    with pytest.raises(ShapeError, match=r"Tiny does not run on an input of shape \(2, 3, 8, 8\).*channels"):
        export_model(tiny(channels=1), tmp_path / "x.onnx", input_spec=spec)


class Features(Tiny):
    def forward(self, x):
        return [self.stem(x)]


class Branching(Tiny):
    def forward(self, x):
        return super().forward(x if x.sum() > 0 else -x)


def test_more_than_a_table_of_logits_is_refused(spec, tmp_path):
    with pytest.raises(LoweringError, match="returns list"):
        export_model(Features(), tmp_path / "x.onnx", input_spec=spec)


def test_untraceable_module_is_refused_in_a_few_lines(spec, tmp_path):
    with pytest.raises(LoweringError, match="cannot turn Branching into ONNX") as caught:
        export_model(Branching(), tmp_path / "x.onnx", input_spec=spec)
    assert len(str(caught.value).splitlines()) < 5
    assert not list(tmp_path.iterdir())


def test_too_large_for_one_file(exported, spec, monkeypatch):
    monkeypatch.setattr(export.lower.to_onnx, "LARGEST_FILE_BYTES", 1000)
    source = read_source(tiny(), input_spec=spec)
    with pytest.raises(LoweringError, match="one self-contained ONNX file holds at most"):
        export.lower.to_onnx._check_graph(ir.load(exported.path), source, get_target("portable"))


def test_module_that_does_not_describe_its_input(tmp_path):
    with pytest.raises(ConfigurationError, match="pretrained_cfg"):
        export_model(tiny(), tmp_path / "x.onnx")


def test_two_sizes_contradict_each_other(spec, preprocess, tmp_path):
    with pytest.raises(ConfigurationError, match="img_size is given beside input_spec"):
        export_model(tiny(), tmp_path / "x.onnx", input_spec=spec, img_size=16)
    with pytest.raises(ConfigurationError, match="Give the same size twice"):
        InputSpec(3, 9, 9, preprocess=preprocess)
    with pytest.raises(ConfigurationError, match="at least 1"):
        InputSpec(3, 0, 8)


def test_input_without_preprocessing_is_scaled_pixels():
    transform = InputSpec(1, 4, 6).transform
    assert (transform.input_size, transform.mean, transform.std) == ((1, 4, 6), (0.0,), (1.0,))


def test_module_that_cannot_be_copied(spec):
    model = tiny()
    model.kept = model.stem.weight * 2
    with pytest.raises(ExportError, match="cannot be copied"):
        read_source(model, input_spec=spec)
