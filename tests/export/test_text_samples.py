"""Texts given to a parity check, and what is refused before anything is traced."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from PIL import Image
from tiny_model import tiny
from tiny_text_model import CUT, POSITIONS, VOCABULARY, Pooled, some_tokens, text_model
from tiny_texts import preprocess, write_glue, write_sst2

import export.pipeline.steps
from export import LoweringError, TextInputSpec
from export import export as export_model
from export.inputs.source import read_source
from export.inputs.text_input import IDS, MASK
from export.lower.to_onnx import lower
from export.parity.probes import batch_sizes
from export.parity.sentences import PAIRS, SENTENCES, shipped_texts
from export.parity.text_probes import enough, extreme_text_probes, text_probes
from export.parity.text_samples import join, load_texts
from export.targets import get_target
from zoo.data.glue import load_glue
from zoo.data.vision import load_vision
from zoo.errors import ConfigurationError, DataNotFoundError, ShapeError

SPEC = TextInputSpec(POSITIONS, VOCABULARY, preprocess(CUT))


@pytest.fixture
def untraced(monkeypatch):
    monkeypatch.setattr(export.pipeline.steps, "lower", lambda *_: pytest.fail("the model was traced first"))


def test_shipped_texts_are_many_and_of_all_lengths():
    texts = shipped_texts()
    assert len(texts) == len(set(texts)) == len(SENTENCES) + len(PAIRS) == 40
    lengths = [len(text) if isinstance(text, str) else len("".join(text)) for text in texts]
    assert min(lengths) < 10
    assert max(lengths) > 400
    assert len(set(lengths)) > 30


def test_batches_mix_lengths_and_pairs():
    texts, described = load_texts(None, SPEC, 64)
    assert described == "40 English sentences and pairs of this package"
    probes = text_probes(texts, SPEC)
    assert [len(probe.feeds[IDS]) for probe in probes] == batch_sizes(40) == [1, 3, 8, 8, 8, 8, 4]
    for probe in probes[1:]:
        assert len(set(probe.feeds[MASK].sum(1).tolist())) > 1, "no text is padded"
        assert len(set(probe.feeds["token_type_ids"].amax(1).tolist())) == 2, "no pair among the texts"
    for i, text in enumerate(texts[1:4]):
        n = text[IDS].shape[1]
        assert torch.equal(probes[1].feeds[IDS][i, :n], text[IDS][0])
        assert not probes[1].feeds[MASK][i, n:].any()


def test_extremes_reach_the_edges():
    texts, _ = load_texts(None, SPEC, 64)
    probes = {probe.name: probe for probe in extreme_text_probes(texts, SPEC)}
    assert probes["one token"].feeds[IDS].shape == (1, 1)
    assert probes["160 tokens, the largest number"].feeds[IDS].shape == (1, POSITIONS)
    padded = probes["one token padded to 128"].feeds
    assert (padded[IDS].shape[1], int(padded[MASK].sum())) == (128, 1)
    assert set(probes["tokens 0 and 19 in turn"].feeds[IDS].flatten().tolist()) == {0, 19}
    assert probes["an empty text"].feeds[IDS].shape == (1, 2)
    without = probes["companions of a text without a token"]
    assert (without.rows, without.feeds[MASK].any(1).tolist()) == ((0, 2), [True, False, True])


def test_small_limits_and_no_tokenizer():
    spec = TextInputSpec(4, 2, type_vocab_size=1)
    texts, _ = load_texts(None, spec, 64)
    assert max(text[IDS].shape[1] for text in texts) == 4
    names = [probe.name for probe in extreme_text_probes(enough(texts), spec)]
    assert "4 tokens, the largest number" in names
    assert "an empty text" not in names


def test_samples_of_every_kind(tmp_path):
    (tmp_path / "texts.txt").write_text("a good film\n\nis it fun?\tvery\n", encoding="utf-8")
    split = load_glue("sst2", data=write_sst2(tmp_path / "glue", 30))
    pairs = {"sentence1": ["good", "bad"], "sentence2": ["fun", "dull"], "label": [0, 1]}
    mrpc = load_glue("mrpc", data=write_glue(tmp_path / "glue", "mrpc", pairs, names=("not_equivalent", "equivalent")))
    cases = [
        (tmp_path / "texts.txt", 2, "2 texts of texts.txt"),
        (["good", ("good", "bad")], 2, "2 texts of a sequence"),
        (split, 10, "10 texts of sst2 (validation)"),
        (mrpc, 2, "2 texts of mrpc (validation)"),
        (some_tokens(3, 9), 3, "3 texts given as tensors"),
    ]
    for samples, count, described in cases:
        texts, said = load_texts(samples, SPEC, 10)
        assert (len(texts), said) == (count, described)
        assert all(int(text[MASK].sum()) == text[IDS].shape[1] for text in texts), "padding is left"
        assert len(enough(texts)) >= 12
    assert load_texts(tmp_path / "texts.txt", SPEC, 10)[0][1]["token_type_ids"].tolist()[0][-2:] == [1, 1]


@pytest.mark.parametrize(
    ("samples", "kind", "message"),
    [
        ([], DataNotFoundError, "empty sequence"),
        ([3], ConfigurationError, "the samples hold int"),
        ([Image.new("RGB", (4, 4))], ConfigurationError, "the samples hold Image"),
        (Path("nowhere.txt"), DataNotFoundError, "cannot be read as a text file"),
        ({"input_ids": torch.zeros(1, 2)}, ShapeError, "each \\(n, tokens\\)"),
        ({k: v * 0 for k, v in some_tokens(1, 3).items()}, ShapeError, "0 for every token of sample 0"),
        ({k: v + 20 for k, v in some_tokens(1, 3).items()}, ConfigurationError, "numbers up to"),
    ],
)
def test_bad_samples(samples, kind, message):
    with pytest.raises(kind, match=message):
        load_texts(samples, SPEC, 10)


def test_texts_need_a_tokenizer():
    with pytest.raises(ConfigurationError, match="without a tokenizer"):
        load_texts(["good"], TextInputSpec(8, 20), 10)


def test_join_fills_up():
    joined = join([{k: v[:1, :n] for k, v in some_tokens(1, 5).items()} for n in (2, 5)], pad_id=9, length=6)
    assert joined[IDS][0, 2:].tolist() == [9] * 4
    assert joined[MASK].sum(1).tolist() == [2, 5]


@pytest.mark.usefixtures("untraced")
def test_samples_of_the_other_kind_are_refused_before_the_work(spec, repository, tmp_path):
    images = load_vision("cifar10", data=repository / "demo/cifar10_sample")
    texts = load_glue("sst2", data=write_sst2(tmp_path, 4))
    for samples, message in ((images, "this model takes texts"), (torch.zeros(2, 3, 8, 8), "takes texts"),
                             (tmp_path, "add --task")):  # fmt: skip
        with pytest.raises(ConfigurationError, match=message):
            export_model(text_model(), tmp_path / "x.onnx", samples=samples)
    for samples in (texts, some_tokens(1, 3)):
        with pytest.raises(ConfigurationError, match="takes images"):
            export_model(tiny(), tmp_path / "x.onnx", input_spec=spec, samples=samples)


def test_image_size_is_for_images():
    with pytest.raises(ConfigurationError, match=r"takes texts.*any number of tokens. Leave --img-size"):
        read_source(text_model(), img_size=32)


@pytest.mark.parametrize("sizes", [(3, 20, 2), (8, 1, 2), (8, 20, 0)])
def test_sizes_out_of_range(sizes):
    with pytest.raises(ConfigurationError, match="max_length must be at least 4, vocab_size 2, type_vocab_size 1"):
        TextInputSpec(sizes[0], sizes[1], type_vocab_size=sizes[2])


def test_tokenizer_that_cuts_too_late():
    with pytest.raises(ConfigurationError, match="cuts texts at 16 tokens, the model takes 8"):
        TextInputSpec(8, 20, preprocess(16))


def test_model_without_sizes():
    with pytest.raises(ConfigurationError, match=r"no config with max_position_embeddings.*TextInputSpec\("):
        read_source(Pooled())


class Tokens(Pooled):
    def forward(self, input_ids, attention_mask, token_type_ids):
        return SimpleNamespace(logits=self.embedding(input_ids))


@pytest.mark.parametrize(
    ("model", "spec", "kind", "message"),
    [
        (Pooled(), TextInputSpec(64, 21), ShapeError, r"shape \(2, 7\) \(batch, tokens\)"),
        (text_model(), TextInputSpec(161, 20), ShapeError, r"shape \(1, 161\)"),
        (Tokens(), TextInputSpec(64, 20), LoweringError, r"returns shape \(2, 7, 8\)"),
        (Pooled(), TextInputSpec(64, 20, labels=("a", "b", "c")), ConfigurationError, "2 logits but 3 labels"),
        (torch.nn.Linear(2, 2), TextInputSpec(64, 20), ShapeError, "does not run"),
    ],
)
def test_models_that_do_not_fit_their_input(model, spec, kind, message):
    with pytest.raises(kind, match=message):
        lower(read_source(model, input_spec=spec), get_target("portable"))
