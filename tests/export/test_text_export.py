"""What is written for a text model: its graph and record, and that every batch and length runs in one session."""

import json
from collections import Counter
from pathlib import Path

import onnx
import onnx_ir as ir
import pytest
import torch
from tiny_text_model import CUT, LABELS, POSITIONS, VOCABULARY, some_tokens, text_model
from tiny_texts import NAME, SPEC, make_model, preprocess, write_tokenizer

from export import export, load_predictor
from export.inputs.source import read_source
from export.metadata import DIGEST, FileMetadata
from export.parity.compare_outputs import compare
from export.parity.implementations import Sides
from export.passes.name_nodes import module_of
from export.pipeline.export_plan import make_plan
from export.pipeline.job import Job
from export.runtime.engine import engine_here
from export.targets import get_target
from zoo.activations import FleS
from zoo.cards.card import write_card
from zoo.models.text_models import TEXT_MODELS
from zoo.weights.identity import weights_digest
from zoo.weights.tag import PretrainedTag

NAMES = ["input_ids", "attention_mask", "token_type_ids"]


def test_inputs_and_output(text_exported):
    graph = onnx.load(text_exported.path).graph
    assert [value.name for value in graph.input] == NAMES
    for value in graph.input:
        assert value.type.tensor_type.elem_type == onnx.TensorProto.INT64
        assert [d.dim_param for d in value.type.tensor_type.shape.dim] == ["batch", "tokens"]
    (logits,) = graph.output
    assert logits.name == "logits"
    assert [d.dim_param or d.dim_value for d in logits.type.tensor_type.shape.dim] == ["batch", len(LABELS)]


def test_graph_is_lean(text_exported):
    """32 operators at a site of FleS and one for its mask, which the first site brings into shape; one mask in all."""
    graph = ir.load(text_exported.path).graph
    nodes = Counter(module_of(node.name) for node in graph)
    sites = [f"model.{name}" for name, module in text_model().named_modules() if isinstance(module, FleS)]
    assert [nodes[site] for site in sites] == [34, 33]
    assert len(graph) <= 145
    assert {node.domain for node in graph} == {""}
    assert not {"If", "Loop", "Scan", "IsNaN", "GatherND", "Range"} & set(text_exported.nodes)
    assert text_exported.nodes["Cast"] == 1  # the mask


def test_every_length_and_batch_in_one_session(text_exported):
    model, content = read_source(text_model()).model, text_exported.path.read_bytes()
    sides = Sides(model, content, engine_here(get_target("portable"), "float32"), some_tokens(2, 3), threads=1)
    sizes = [(2, length) for length in range(1, 41)] + [(b, n) for b in (1, 3, 8, 17) for n in (1, 7, 40, POSITIONS)]
    for batch, length in sizes:
        feeds = some_tokens(batch, length)
        found = sides.runtime(feeds)
        assert found.logits.shape == (batch, len(LABELS))
        expected = sides.torch(feeds, found.means).logits
        largest = float(expected.abs().max())
        assert compare(expected, found.logits, floor=largest).max_rel <= 1e-5, (batch, length)


def test_file_is_self_sufficient(text_exported, tmp_path):
    alone = tmp_path / "elsewhere.onnx"
    alone.write_bytes(text_exported.path.read_bytes())
    predictor = load_predictor(alone, threads=1)
    assert predictor.preprocess == text_model().text_preprocess
    assert (predictor.labels, predictor.max_length) == (LABELS, POSITIONS)
    with torch.inference_mode():
        expected = text_model()(**predictor.preprocess.encode(["a good film", "a very dull film, was it?"])).logits
    logits = predictor(predictor.preprocess.encode(["a good film", "a very dull film, was it?"]))
    torch.testing.assert_close(logits, expected, rtol=0, atol=1e-5 * float(expected.abs().max()))


def test_record(text_exported):
    stored = {p.key: p.value for p in onnx.load(text_exported.path).metadata_props}
    assert stored["salu_zoo.format"] == "2"
    assert json.loads(stored["salu_zoo.limits"]) == {
        "max_length": POSITIONS, "vocab_size": VOCABULARY, "type_vocab_size": 2,
    }  # fmt: skip
    assert json.loads(stored["salu_zoo.preprocess"])["max_length"] == CUT
    record = FileMetadata.from_props(stored, "x.onnx")
    assert record.to_props() == {key: value for key, value in stored.items() if key != DIGEST}
    assert (record.name, record.labels) == (text_model().text_spec.name, LABELS)
    assert record.weights_sha256 == weights_digest(text_model())


def test_files_of_images_are_of_the_first_format(exported):
    stored = {p.key: p.value for p in onnx.load(exported.path).metadata_props}
    assert stored["salu_zoo.format"] == "1"
    assert "salu_zoo.limits" not in stored


@pytest.mark.usefixtures("text_exported")
def test_model_is_left_alone(text_given):
    assert text_given.training
    assert text_given.config._attn_implementation == "sdpa"
    before = text_model().state_dict()
    assert all(torch.equal(value, before[name]) for name, value in text_given.state_dict().items())


def test_plan_says_what_will_be_checked(text_given):
    job = Job(source=read_source(text_given), target=get_target("portable"), path=Path("x.onnx"))
    text = make_plan(job).render()
    assert "torch.onnx.export at up to 160 tokens of 20, any batch size and number of tokens" in text
    assert "English sentences at batches 1, 3, 8; extremes; neither padding nor company changes a text" in text


def test_card_brings_its_tokenizer_labels_and_licence(tmp_path, monkeypatch):
    monkeypatch.setitem(TEXT_MODELS._items, NAME, SPEC)
    texts = preprocess()
    tag = PretrainedTag(NAME, "sst2", 2, texts.pinned, labels=LABELS, dataset="sst2", license="apache-2.0")
    state = make_model().state_dict()
    written = write_card(tmp_path / "card", state, tag, tokenizer=write_tokenizer(tmp_path / "tokenizer"))
    source = read_source(tmp_path / "card")
    assert (source.full_name, source.license, source.source_sha256) == (f"{NAME}.sst2", "apache-2.0", written.sha256)
    assert (source.input.preprocess, source.input.labels) == (texts, LABELS)
    assert source.input.limits() == {"max_length": 24, "vocab_size": VOCABULARY, "type_vocab_size": 2}


@pytest.mark.slow
@pytest.mark.parametrize(("act", "classes"), [("fles_pn", 2), ("fles_dg", 3), ("gelu", 1), ("silu", 2)])
def test_other_acts_export(act, classes, tmp_path):
    """transformers' own BERT too, and the one output of a regression."""
    result = export(text_model(act=act, num_classes=classes), tmp_path / "x.onnx", threads=1)
    assert result.parity.passed
    assert max(result.parity.largest_change()) <= 1e-5
