"""The predictor of a text file, holding the file against a model again, and its speed."""

import json
from dataclasses import replace

import onnx
import pytest
import torch
from tiny_model import tiny
from tiny_text_model import LABELS, POSITIONS, some_tokens, text_model

import zoo.evaluation
from export import ModelMismatchError, OnnxFileError, load_predictor, measure_latency, validate
from export.digest import seal
from export.metadata import FileMetadata
from zoo.errors import ConfigurationError, ShapeError


@pytest.fixture(scope="module")
def predictor(text_exported):
    return load_predictor(text_exported.path, threads=1)


def changed(**parts):
    return some_tokens(2, 5) | parts


@pytest.mark.parametrize(
    ("batch", "kind", "message"),
    [
        ({k: v for k, v in some_tokens(1, 3).items() if k != "attention_mask"}, ConfigurationError,
         "takes a dictionary of input_ids, attention_mask, token_type_ids; got input_ids, token_type_ids"),
        (changed(labels=torch.zeros(2)), ConfigurationError, "token_type_ids, labels"),
        (torch.zeros(2, 5), ConfigurationError, "got Tensor"),
        (changed(input_ids=torch.zeros(2, 5)), ConfigurationError, r"input_ids as int64, not torch.float32"),
        (changed(attention_mask=torch.ones(2, 5, dtype=torch.int32)), ConfigurationError, "attention_mask as int64"),
        (changed(attention_mask=torch.ones(2, 4, dtype=torch.int64)), ShapeError, r"'attention_mask': \(2, 4\)"),
        ({k: v[0] for k, v in some_tokens(2, 5).items()}, ShapeError, r"\(batch, tokens\)"),
        ({k: v[:0] for k, v in some_tokens(2, 5).items()}, ShapeError, "none of them 0"),
        (some_tokens(1, POSITIONS + 1), ShapeError, "at most 160 tokens; got 161"),
        (changed(input_ids=torch.full((2, 5), 20)), ConfigurationError, "input_ids from 0 to 19; got 20 to 20"),
        (changed(input_ids=torch.full((2, 5), -1)), ConfigurationError, "got -1 to -1"),
        (changed(token_type_ids=torch.full((2, 5), 2)), ConfigurationError, "token_type_ids from 0 to 1"),
        (changed(attention_mask=torch.tensor([[1] * 5, [0] * 5])), ConfigurationError, "every token of text 1"),
    ],
)  # fmt: skip
def test_inputs_that_do_not_fit(predictor, batch, kind, message):
    with pytest.raises(kind, match=message):
        predictor(batch)


def test_description_is_short_and_names_the_model(predictor, text_exported):
    described = predictor.describe()
    assert (described["model"], described["tag"], described["target"]) == ("tiny_bert", None, "portable")
    assert described["file_sha256"] == text_exported.file_sha256
    assert len(json.dumps(described)) < 1000


def test_evaluation_of_the_file_equals_that_of_the_module(text_exported, tmp_path):
    from tiny_texts import write_sst2

    data = write_sst2(tmp_path, 40)
    sides = [
        zoo.evaluation.evaluate_text(model, "sst2", data=data, batch_size=16, device="cpu")
        for model in (text_model(), text_exported.path)
    ]
    assert sides[0].metrics == sides[1].metrics
    assert sides[0].correct == sides[1].correct
    assert sides[1].loss == pytest.approx(sides[0].loss, rel=1e-4)
    assert sides[1].runtime["kind"] == "onnx"
    assert sides[0].preprocess == sides[1].preprocess


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"salu_zoo.limits": '{"max_length": 160}'}, "damaged metadata: limits: there are max_length, not max"),
        ({"salu_zoo.limits": '{"max_length": 0, "vocab_size": 20, "type_vocab_size": 2}'}, "damaged metadata: limits"),
        ({"salu_zoo.limits": None}, "lacks the metadata limits"),
        ({"salu_zoo.preprocess": '{"kind": "text"}'}, "damaged metadata"),
        ({"salu_zoo.preprocess": "[]"}, "damaged metadata: preprocess is"),
    ],
)
def test_bad_record(text_exported, change, message):
    stored = {p.key: p.value for p in onnx.load(text_exported.path).metadata_props} | change
    with pytest.raises(OnnxFileError, match=message):
        FileMetadata.from_props({k: v for k, v in stored.items() if v is not None}, "x.onnx")


def test_text_record_on_an_image_graph(text_exported, copy_of):
    path = copy_of()
    model, record = onnx.load(path), onnx.load(text_exported.path).metadata_props
    del model.metadata_props[:]
    model.metadata_props.extend(record)
    seal(model)
    onnx.save(model, path)
    with pytest.raises(OnnxFileError, match=r"exported text classifier has input_ids, attention_mask, token_type_ids"):
        load_predictor(path)


def test_same_model_passes_again(text_exported):
    report = validate(text_exported.path, text_model(), threads=1)
    assert report.passed
    assert report.file_sha256 == text_exported.file_sha256


def other_tokenizer():
    model = text_model()
    settings = json.loads(model.text_preprocess.tokenizer)
    settings["normalizer"]["lowercase"] = False
    model.text_preprocess = replace(model.text_preprocess, tokenizer=json.dumps(settings))
    return model


def shorter():
    model = text_model()
    model.text_preprocess = replace(model.text_preprocess, max_length=64)
    return model


def renamed():
    model = text_model()
    model.config.id2label = {0: "bad", 1: "good"}
    return model


def moved():
    model = text_model()
    with torch.no_grad():
        model.classifier.bias[0] += 1
    return model


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (other_tokenizer, r"tokenizer \(sha256 [0-9a-f]{12}\.\.\. there, sha256 [0-9a-f]{12}\.\.\. here\)"),
        (shorter, r"max_length \(90 there, 64 here\)"),
        (renamed, r"labels\[0\] is 'negative' there, 'bad' here"),
        (moved, "with other weights"),
        (tiny, "exported from tiny_bert, not from Tiny"),
    ],
)  # fmt: skip
def test_other_model_is_refused(text_exported, spec, make, message):
    with pytest.raises(ModelMismatchError, match=message) as caught:
        validate(text_exported.path, make(), input_spec=spec if make is tiny else None)
    assert len(str(caught.value)) < 500


def test_latency_of_a_text(text_exported):
    for tokens, measured in ((None, 128), (7, 7)):
        result = measure_latency(text_exported.path, text_model(), tokens=tokens, runs=2, warmup=1, threads=1)
        assert (result.tokens, result.runs) == (measured, 2)
        assert 0 < result.onnxruntime.p50_ms <= result.onnxruntime.p99_ms
    with pytest.raises(ConfigurationError, match="takes 1 to 160"):
        measure_latency(text_exported.path, text_model(), tokens=161)


def test_images_have_no_length(exported, spec):
    with pytest.raises(ConfigurationError, match="this one takes images"):
        measure_latency(exported.path, tiny(), input_spec=spec, tokens=8)


def test_labels_are_those_of_the_file(predictor):
    assert predictor.labels == LABELS
