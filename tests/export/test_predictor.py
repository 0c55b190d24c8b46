"""The predictor, and the record a file keeps of itself."""

import multiprocessing
import pickle
import re

import onnx
import pytest
import torch
from onnx import TensorProto, helper
from tiny_model import LABELS, SIZE, tiny

from export import OnnxFileError, load_predictor
from export.digest import seal
from export.metadata import DIGEST, FileMetadata
from zoo.errors import ShapeError
from zoo.weights.identity import weights_digest


def test_gives_torch_logits_labels_and_preprocessing(exported, preprocess):
    predictor = load_predictor(exported.path, threads=1)
    batch = torch.randn(5, *SIZE, generator=torch.Generator().manual_seed(1))
    logits = predictor(batch)
    with torch.inference_mode():
        torch.testing.assert_close(logits, tiny().eval()(batch), rtol=0, atol=1e-6)
    assert predictor.labels == LABELS
    assert predictor.preprocess == preprocess


def test_describes_what_ran(exported):
    described = load_predictor(exported.path).describe()
    assert described["file_sha256"] == exported.file_sha256
    assert (described["model"], described["target"]) == ("Tiny", "portable")
    assert described["tag"] is None
    assert described["providers"] == ["CPUExecutionProvider"]
    assert described["weights_sha256"] == weights_digest(tiny())


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [
        *(((2, 1, 8, 8), None), ((2, 3, 9, 8), None), ((3, 8, 8), None), ((2, 3, 8), None), ((0, 3, 8, 8), None)),
        *(((2, 8, 8, 3), torch.uint8), ((2, 3, 8, 8), torch.uint8), ((2, 3, 8, 8), torch.float16)),
        ((2, 3, 8, 8), torch.bfloat16),
    ],
)
def test_what_it_does_not_take_is_refused(exported, shape, dtype):
    batch = torch.zeros(shape, dtype=dtype)
    said = rf"takes torch.float32 \(batch, 3, 8, 8\), preprocessed images in NCHW order.*got {batch.dtype} "
    with pytest.raises(ShapeError, match=said + re.escape(str(shape))):
        load_predictor(exported.path)(batch)


def answers(predictor, batch, results):
    results.put(predictor(batch).tolist())


def test_a_predictor_can_be_pickled(exported, text_exported, monkeypatch, tmp_path):
    """As for another process: it is opened anew, by the same arguments, wherever that process works."""
    batch = torch.randn(2, *SIZE, generator=torch.Generator().manual_seed(1))
    monkeypatch.chdir(exported.path.parent)
    first = load_predictor(exported.path.name, providers="CPUExecutionProvider", threads=1)
    stored = pickle.dumps(first)
    monkeypatch.chdir(tmp_path)
    second = pickle.loads(stored)  # noqa: S301 our own
    torch.testing.assert_close(second(batch), first(batch), rtol=0, atol=0)
    assert second.describe() == first.describe()
    assert second.session.get_session_options().intra_op_num_threads == 1
    texts = load_predictor(text_exported.path)
    assert pickle.loads(pickle.dumps(texts)).describe() == texts.describe()  # noqa: S301 our own


@pytest.mark.slow
def test_a_predictor_goes_to_a_spawned_process(exported):
    batch, predictor = torch.ones(2, *SIZE), load_predictor(exported.path, threads=1)
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    child = context.Process(target=answers, args=(predictor, batch, results))
    child.start()
    found = results.get(timeout=300)
    child.join()
    assert found == predictor(batch).tolist()


def foreign(path, **props):
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["y"])],
        "foreign",
        [value("x", TensorProto.FLOAT, ["n", 3])],
        [value("y", TensorProto.FLOAT, ["n", 3])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    helper.set_model_props(model, props)
    seal(model)
    onnx.save(model, path)
    return path


def test_foreign_file(tmp_path):
    with pytest.raises(OnnxFileError, match="was not written by `zoo export`"):
        load_predictor(foreign(tmp_path / "x.onnx", author="somebody"))


def test_our_record_on_another_graph(exported, tmp_path):
    props = load_predictor(exported.path).metadata.to_props()
    with pytest.raises(OnnxFileError, match="one image batch and one table of logits"):
        load_predictor(foreign(tmp_path / "x.onnx", **props))


def test_record_survives_the_round_trip(exported):
    stored = {p.key: p.value for p in onnx.load(exported.path).metadata_props}
    record = FileMetadata.from_props(stored | {"somebody.else": "1"}, "x.onnx")
    assert record.to_props() == {key: value for key, value in stored.items() if key != DIGEST}
    assert (record.name, record.labels, record.opset) == ("Tiny", LABELS, 20)
    assert record.weights_sha256 == weights_digest(tiny())


def test_tag_is_the_full_name_of_the_weights(exported, copy_of):
    path = copy_of()
    model = onnx.load(path)
    next(p for p in model.metadata_props if p.key == "salu_zoo.tag").value = "test"
    seal(model)
    onnx.save(model, path)
    described = load_predictor(path).describe()
    assert described["tag"] == described["model"] == "Tiny.test"
    assert described["file_sha256"] != exported.file_sha256


def test_metadata_that_is_no_text(copy_of):
    path = copy_of()
    content = path.read_bytes()
    assert content.count(b'["ant",') == 1
    model = onnx.load_from_string(content.replace(b'["ant",', b'["\xff\xffn",'))
    seal(model)
    onnx.save(model, path)
    with pytest.raises(OnnxFileError, match=r"tiny.onnx has damaged metadata"):
        load_predictor(path)


PREPROCESS = (
    '{"input_size": [3, 8, 8], "interpolation": "bicubic", "crop_pct": 1.0, "crop_mode": "center", '
    '"mean": [0.5, 0.4, 0.3], "std": [0.2, 0.25, 0.3]}'
)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"salu_zoo.format": "3"}, "format '3', this version reads 1 and 2"),
        ({"salu_zoo.format": "2"}, "lacks the metadata limits"),
        ({"salu_zoo.labels": "[\"ant\""}, "x.onnx has damaged metadata"),
        ({"salu_zoo.labels": "3"}, "x.onnx has damaged metadata: labels is 3"),
        ({"salu_zoo.labels": "[1, 2]"}, "x.onnx has damaged metadata: labels\\[0\\] is 1"),
        ({"salu_zoo.opset": "\"x\""}, "x.onnx has damaged metadata: opset is 'x'"),
        ({"salu_zoo.preprocess": "[]"}, "x.onnx has damaged metadata: preprocess is"),
        ({"salu_zoo.preprocess": "{}"}, "x.onnx has damaged metadata: .*missing fields"),
        ({"salu_zoo.preprocess": PREPROCESS.replace("0.25", "-1")}, "x.onnx has damaged metadata: .*above zero"),
        ({"salu_zoo.labels": None, "salu_zoo.target": None}, "lacks the metadata labels, target"),
        ({"salu_zoo.digest": None}, "has no digest: it was exported by an earlier release.*Export the model again"),
    ],
)  # fmt: skip
def test_bad_record(exported, change, message):
    stored = {p.key: p.value for p in onnx.load(exported.path).metadata_props} | change
    with pytest.raises(OnnxFileError, match=message):
        FileMetadata.from_props({k: v for k, v in stored.items() if v is not None}, "x.onnx")


def test_digest_depends_on_values_and_names_only():
    model = tiny()
    digest = weights_digest(model)
    assert digest == weights_digest(tiny().eval().to(memory_format=torch.channels_last))
    assert digest != weights_digest(tiny(seed=1))
    with torch.no_grad():
        model.head.bias[0] += 1e-3
    assert digest != weights_digest(model)
