"""Holding a file against a model again, and measuring its speed."""

import json
from dataclasses import replace

import onnx
import pytest
from tiny_model import Tiny, tiny

from export import ModelMismatchError, OnnxFileError, ParityError, measure_latency, validate
from export.digest import seal
from export.runtime.engine import Engine


def test_same_model_passes(exported, spec):
    report = validate(exported.path, tiny(), input_spec=spec, threads=1)
    assert report.passed
    assert report.file_sha256 == exported.file_sha256


def test_other_weights_are_refused(exported, spec):
    with pytest.raises(ModelMismatchError, match="with other weights"):
        validate(exported.path, tiny(seed=1), input_spec=spec)


class Other(Tiny):
    pass


def test_other_model_is_refused(exported, spec):
    with pytest.raises(ModelMismatchError, match="was exported from Tiny, not from Other"):
        validate(exported.path, Other(), input_spec=spec)


def test_other_image_size_is_refused(exported, spec):
    model = tiny()
    model.pretrained_cfg = {"architecture": "Tiny"} | spec.transform.to_dict()
    with pytest.raises(ModelMismatchError, match="--img-size 8"):
        validate(exported.path, model, img_size=16)


def test_other_preprocessing_is_refused_by_field(exported, spec):
    other = replace(spec, preprocess=replace(spec.preprocess, crop_pct=0.875, std=(0.2, 0.2, 0.2)))
    with pytest.raises(
        ModelMismatchError, match=r"preprocessing: crop_pct \(1.0 there, 0.875 here\), std \("
    ) as caught:
        validate(exported.path, tiny(), input_spec=other)
    assert "mean" not in str(caught.value)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (("ant", "cat", "bee", "dog"), r"labels\[1\] is 'bee' there, 'cat' here"),
        ((), r"labels\[0\] is 'ant' there, None here"),
    ],
)
def test_other_labels_are_refused(exported, spec, labels, message):
    with pytest.raises(ModelMismatchError, match=message):
        validate(exported.path, tiny(), input_spec=replace(spec, labels=labels))


def test_changed_weights_inside_the_file_fail_parity(copy_of, spec):
    path = copy_of()
    model = onnx.load(path)
    bias = next(t for t in model.graph.initializer if t.name == "head.bias")
    bias.raw_data = bytes(len(bias.raw_data))
    seal(model)
    onnx.save(model, path)
    report = validate(path, tiny(), input_spec=spec, threads=1)
    assert not report.passed
    assert "node head/Gemm" in report.first_difference


def test_latency_of_both_sides(exported, spec):
    result = measure_latency(exported.path, tiny(), input_spec=spec, runs=5, warmup=1, threads=1)
    assert result.runs == 5
    for side in (result.torch, result.onnxruntime):
        assert 0 < side.p50_ms <= side.p90_ms <= side.p99_ms
    stored = json.loads(json.dumps(result.to_dict()))
    assert stored["threads"] == 1
    assert stored["cpu"].endswith("1 threads")
    assert {"python", "torch"} <= set(stored["versions"])


def test_latency_session_does_not_spin(exported, spec, monkeypatch):
    seen, real = [], Engine.open

    def record(*arguments, **options):
        seen.append(options)
        return real(*arguments, **options)

    monkeypatch.setattr(Engine, "open", record)
    measure_latency(exported.path, tiny(), input_spec=spec, runs=1, warmup=0, threads=1)
    assert seen == [{"threads": 1, "spin": False}]


def test_no_latency_without_a_passed_report(copy_of, spec):
    path = copy_of()
    report = path.with_name(path.name + ".parity.json")
    stored = json.loads(report.read_text())
    stored["results"][0]["problems"] = ["too far"]
    report.write_text(json.dumps(stored))
    with pytest.raises(ParityError, match="has not passed"):
        measure_latency(path, tiny(), input_spec=spec)
    report.unlink()
    with pytest.raises(OnnxFileError, match=r"no readable parity report at (.*tiny.onnx.parity.json).* --report \1"):
        measure_latency(path, tiny(), input_spec=spec)
    path.unlink()
    with pytest.raises(OnnxFileError, match=r"no file .*tiny\.onnx"):
        measure_latency(path, tiny(), input_spec=spec)


def test_no_latency_for_other_bytes_or_weights(copy_of, spec):
    path = copy_of()
    with pytest.raises(ModelMismatchError, match="with other weights"):
        measure_latency(path, tiny(seed=1), input_spec=spec)
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(ModelMismatchError, match="other bytes"):
        measure_latency(path, tiny(), input_spec=spec)
