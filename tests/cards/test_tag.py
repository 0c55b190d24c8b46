"""config.json: strict in both directions, since it may come from a stranger."""

import json

import pytest

from zoo.errors import WeightsCorruptError, WeightsMismatchError, WeightsNotFoundError
from zoo.weights.tag import PretrainedTag, read_tag

from .cases import COMMIT, NAME, RESULTS, make_tag, make_text_tag

SHA = "0" * 64
BAD = {
    "model": "../other",
    "tag": "a/b",
    "num_classes": 10**9,
    "labels": ["cat"],
    "model_args": {"checkpoint_path": "/etc/passwd"},
    "repo": "../../etc",
    "revision": "main",
    "file": "../model.safetensors",
    "sha256": "abc",
    "license": "All Rights Reserved!",
    "default": 1,
    "dataset": None,
    "recipe": 3,
    "source": "a\x1b[2Jb",
}


def config(**changes) -> dict:
    return {**make_tag(sha256=SHA).to_dict(), **changes}


def test_round_trip_through_json():
    tag = make_tag(sha256=SHA, repo="org/repo", revision=COMMIT, model_args={"act": "galu"}, default=True)
    assert PretrainedTag.from_dict(json.loads(json.dumps(tag.to_dict()))) == tag
    assert tag.name == NAME
    assert "results" not in tag.to_dict()


@pytest.mark.parametrize(("name", "value"), BAD.items())
def test_a_bad_field_is_named(name, value):
    with pytest.raises(WeightsMismatchError, match=name):
        PretrainedTag.from_dict(config(**{name: value}))


@pytest.mark.parametrize("args", [{"img_size": 10**7}, {"img_size": "32"}, {"norm": ["salu"]}, ["norm"], {"act": None}])
def test_only_plain_builder_arguments_are_taken(args):
    with pytest.raises(WeightsMismatchError, match="model_args"):
        PretrainedTag.from_dict(config(model_args=args))


def test_missing_and_unknown_fields_are_named():
    values = config(code="import os")
    del values["labels"], values["file"]
    with pytest.raises(WeightsMismatchError, match=r"missing fields: file, labels; unknown fields: code"):
        PretrainedTag.from_dict(values)


@pytest.mark.parametrize("change", [{"mean": [0.5]}, {"input_size": [3, 10**6, 32]}, {"extra": 1}])
def test_bad_preprocessing_is_refused(change):
    values = config()
    values["preprocess"] |= change
    with pytest.raises(WeightsMismatchError, match="preprocess"):
        PretrainedTag.from_dict(values)


@pytest.mark.parametrize("values", [None, [], "text", 3])
def test_config_must_be_an_object(values):
    with pytest.raises(WeightsMismatchError, match="one JSON object"):
        PretrainedTag.from_dict(values)


def test_a_stored_card_must_pin_its_file():
    with pytest.raises(WeightsMismatchError, match="sha256 is empty"):
        PretrainedTag.from_dict(make_tag().to_dict())


def test_read_tag_takes_the_results_beside_it(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(config()))
    assert read_tag(tmp_path).results == {}
    (tmp_path / "results.json").write_text(json.dumps(RESULTS))
    assert read_tag(tmp_path).results == RESULTS


def test_read_tag_explains_what_is_wrong(tmp_path):
    with pytest.raises(WeightsNotFoundError, match="zoo adopt"):
        read_tag(tmp_path)
    (tmp_path / "config.json").write_text('{"model": ')
    with pytest.raises(WeightsCorruptError, match="as JSON"):
        read_tag(tmp_path)
    (tmp_path / "config.json").write_bytes(b"\xff\xfe")
    with pytest.raises(WeightsCorruptError, match="as JSON"):
        read_tag(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(WeightsMismatchError, match=r"config\.json does not describe weights of this zoo"):
        read_tag(tmp_path)


def test_a_text_tag_makes_the_round_trip():
    tag = make_text_tag(sha256=SHA, model_args={"act": "gelu", "hidden_dropout_prob": 0.0})
    values = json.loads(json.dumps(tag.to_dict()))
    assert PretrainedTag.from_dict(values) == tag
    assert values["preprocess"]["kind"] == "text"
    assert (tag.is_text, make_tag().is_text) == (True, False)


@pytest.mark.parametrize(
    "args",
    [{"norm": "salu"}, {"vocab_size": 10**9}, {"fles_steepness": "1"}, {"hidden_dropout_prob": 2}, {"layers": 9}],
)
def test_a_text_tag_takes_only_the_builder_arguments_of_texts(args):
    with pytest.raises(WeightsMismatchError, match="model_args"):
        make_text_tag(model_args=args)
    with pytest.raises(WeightsMismatchError, match="model_args"):
        make_tag(model_args={"vocab_size": 30})


@pytest.mark.parametrize("change", [{"kind": "image"}, {"max_length": 1}, {"tokenizer_sha256": "x"}, {"extra": 1}])
def test_bad_text_preprocessing_is_refused(change):
    values = make_text_tag(sha256=SHA).to_dict()
    values["preprocess"] |= change
    with pytest.raises(WeightsMismatchError, match="preprocess"):
        PretrainedTag.from_dict(values)


def test_a_tag_of_texts_stands_inside_transformers_configuration(tmp_path):
    tag = make_text_tag(sha256=SHA)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "fles_bert", "salu_zoo": tag.to_dict()}))
    assert read_tag(tmp_path) == tag
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert", "hidden_size": 384}))
    with pytest.raises(WeightsMismatchError, match=r"transformers model \('bert'\).*zoo adopt"):
        read_tag(tmp_path)
