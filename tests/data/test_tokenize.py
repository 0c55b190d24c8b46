"""Texts into tokens: as transformers does it, cut and filled up, kept with the weights."""

import json
import pickle
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from tiny_texts import SPECIAL, TEXTS, make_tokenizer, preprocess, write_tokenizer

from zoo.data.glue import load_glue
from zoo.data.tokenize import INPUT_NAMES, TextInput, TextPreprocess
from zoo.errors import ConfigurationError, ShapeError, WeightsCorruptError, WeightsMismatchError, WeightsNotFoundError

TEXT = preprocess()
PAIRS = [("the film is good", "fun"), ("bad", "a very very dull film , not fun . not good"), ("a", "a")]


def bert_tokenizer(folder):
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder)


def test_a_batch_has_the_three_inputs():
    batch = TEXT.encode(["good film", "the film was not bad ."])
    assert tuple(batch) == INPUT_NAMES
    assert {(value.dtype, tuple(value.shape)) for value in batch.values()} == {(torch.int64, (2, 8))}
    words = TEXT.encode(["good film"])["input_ids"][0].tolist()
    assert words[0] == SPECIAL.index("[CLS]")
    assert words[-1] == SPECIAL.index("[SEP]")
    assert batch["input_ids"][0].tolist() == words + [SPECIAL.index("[PAD]")] * 4
    assert batch["attention_mask"].tolist() == [[1] * 4 + [0] * 4, [1] * 8]
    assert not batch["token_type_ids"].any()


def test_the_second_of_a_pair_has_type_one():
    batch = TEXT.encode([("good", "bad film")])
    assert batch["token_type_ids"].tolist() == [[0, 0, 0, 1, 1, 1]]


@pytest.mark.parametrize("max_length", [4, 7, 16])
@pytest.mark.parametrize("texts", [TEXTS, PAIRS], ids=["texts", "pairs"])
def test_the_same_tokens_as_transformers(tmp_path, texts, max_length):
    theirs = bert_tokenizer(write_tokenizer(tmp_path))
    columns = [list(texts)] if isinstance(texts[0], str) else [list(column) for column in zip(*texts, strict=True)]
    wanted = theirs(*columns, truncation=True, max_length=max_length, padding=True, return_tensors="pt")
    found = preprocess(max_length).encode(texts)
    assert all(torch.equal(found[name], wanted[name]) for name in INPUT_NAMES)


def test_settings_inside_the_tokenizer_have_no_effect():
    settings = json.loads(make_tokenizer())
    settings["truncation"] = {"max_length": 3, "strategy": "LongestFirst", "stride": 0, "direction": "Right"}
    fixed = {"strategy": {"Fixed": 12}, "direction": "Right", "pad_to_multiple_of": None}
    settings["padding"] = fixed | {"pad_id": 1, "pad_type_id": 0, "pad_token": "[UNK]"}
    other = TextPreprocess(json.dumps(settings), TEXT.max_length)
    assert torch.equal(other.encode(TEXTS)["input_ids"], TEXT.encode(TEXTS)["input_ids"])


def test_a_length_asked_for():
    assert TEXT.encode(["good"], 9)["input_ids"].shape == (1, 9)
    with pytest.raises(ShapeError, match="4 tokens, more than length=3"):
        TEXT.encode(["good film"], 3)


@pytest.mark.parametrize("bad", ["text", [3], ["a", ("a", "b")], [("a", "b"), "a"], [("a",)], [("a", 1)], [None]])
def test_what_is_no_list_of_texts(bad):
    with pytest.raises(ConfigurationError, match="texts"):
        TEXT.encode(bad)


def test_no_texts():
    with pytest.raises(ShapeError, match="no texts"):
        TEXT.encode([])


def test_round_trips():
    assert TextPreprocess.from_dict(json.loads(json.dumps(TEXT.to_dict()))) == TEXT
    assert TEXT.to_dict()["kind"] == "text"
    assert pickle.loads(pickle.dumps(TEXT)) == TEXT  # noqa: S301
    assert hash(TEXT) == hash(replace(TEXT))
    assert TextInput.from_dict(json.loads(json.dumps(TEXT.pinned.to_dict()))) == TEXT.pinned
    assert TextPreprocess.of(SimpleNamespace(text_preprocess=TEXT)) is TEXT


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"kind": "image"}, "kind 'image'"),
        ({"size": 3}, r"unknown fields \['size'\]"),
        ({"max_length": 2}, "max_length is 2"),
        ({"max_length": "16"}, "max_length is '16'"),
        ({"pad_token": "[FILL]"}, r"no token '\[FILL\]'"),
        ({"pad_token": 0}, "pad_token is 0"),
        ({"tokenizer": "{}"}, "not JSON of the tokenizers library"),
        ({"tokenizer": 5}, "tokenizer is int"),
    ],
)
def test_bad_fields_are_named(change, said):
    with pytest.raises(ConfigurationError, match=said):
        TextPreprocess.from_dict(TEXT.to_dict() | change)


@pytest.mark.parametrize("digest", ["", "0" * 63, "G" * 64, 5])
def test_a_pin_is_a_hash(digest):
    with pytest.raises(ConfigurationError, match="tokenizer_sha256"):
        TextInput.from_dict(TEXT.pinned.to_dict() | {"tokenizer_sha256": digest})


def test_a_model_without_a_tokenizer():
    with pytest.raises(ConfigurationError, match="no attribute text_preprocess"):
        TextPreprocess.of(torch.nn.Identity())


def test_a_pinned_tokenizer_is_opened_from_its_file(tmp_path):
    file = write_tokenizer(tmp_path) / "tokenizer.json"
    assert TEXT.pinned.open(file) == TEXT == TextPreprocess.from_file(file, TEXT.max_length)
    file.write_text(file.read_text().replace('"dull"', '"dumb"'))
    with pytest.raises(WeightsMismatchError, match="not the tokenizer its card pins"):
        TEXT.pinned.open(file)
    file.write_text("{}")
    with pytest.raises(WeightsCorruptError, match=r"tokenizer\.json as a tokenizer"):
        TEXT.pinned.open(file)
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(WeightsCorruptError, match=r"tokenizer\.json"):
        TEXT.pinned.open(file)
    file.unlink()
    with pytest.raises(WeightsNotFoundError, match="no tokenizer"):
        TEXT.pinned.open(file)


@pytest.mark.parametrize("task", ["cola", "mrpc"])
@pytest.mark.parametrize("max_length", [24, 128])
def test_real_texts_with_a_real_vocabulary(shared_dir, tmp_path, task, max_length):
    """Accents, quotes, numbers and long pairs; the vocabulary is made of the texts themselves."""
    from tokenizers import Tokenizer, processors, trainers

    texts = load_glue(task, data=shared_dir / "data" / "glue").texts[:300]
    parts = [part for text in texts for part in (text if isinstance(text, tuple) else (text,))]
    made = Tokenizer.from_str(make_tokenizer())
    made.train_from_iterator(
        parts, trainers.WordPieceTrainer(vocab_size=1000, special_tokens=list(SPECIAL), show_progress=False)
    )
    cls, sep = (made.token_to_id(name) for name in ("[CLS]", "[SEP]"))
    made.post_processor = processors.BertProcessing(("[SEP]", sep), ("[CLS]", cls))
    (write_tokenizer(tmp_path) / "tokenizer.json").write_text(made.to_str(), encoding="utf-8")
    columns = [list(texts)] if isinstance(texts[0], str) else [list(column) for column in zip(*texts, strict=True)]
    wanted = bert_tokenizer(tmp_path)(
        *columns, truncation=True, max_length=max_length, padding=True, return_tensors="pt"
    )
    found = TextPreprocess.from_file(tmp_path / "tokenizer.json", max_length).encode(texts)
    assert all(torch.equal(found[name], wanted[name]) for name in INPUT_NAMES)
    assert found["input_ids"].shape[1] == min(max_length, found["attention_mask"].sum(dim=1).max())
