"""The tokenizer must be there and fit the model; a subset is drawn once."""

import dataclasses

import pytest
from transformers import BertConfig

from zoo.data.glue import GLUE, load_glue
from zoo.errors import ConfigurationError, WeightsNotFoundError
from zoo.training.texts.finetuning_recipe import TextModel, load_finetune_recipe
from zoo.training.texts.tokenized_texts import check_tokenizer, open_tokenizer, subset, tokenize

from .conftest import save_start


def test_a_tokenizer_without_a_vocabulary_is_none(tmp_path):
    place = save_start(tmp_path)
    for file in place.glob("tokenizer*"):
        file.unlink()
    with pytest.raises(WeightsNotFoundError, match=r"has a configuration but no vocabulary.*model.tokenizer=PLACE"):
        open_tokenizer(TextModel(name="", start=str(place)))
    with pytest.raises(WeightsNotFoundError, match=r"nothing to load at .*nowhere"):
        open_tokenizer(TextModel(name="", start=str(place), tokenizer=str(tmp_path / "nowhere")))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"vocab_size": 15, "max_position_embeddings": 40}, "has 16 tokens, the model 15"),
        ({"vocab_size": 16, "max_position_embeddings": 31}, "data.max_length: 32 tokens asked for.* positions for 31"),
    ],
)
def test_what_would_be_an_index_error_is_refused(recipe_file, start, fields, words):
    recipe = load_finetune_recipe(recipe_file)
    tokenizer = open_tokenizer(recipe.model)
    check_tokenizer(tokenizer, recipe, BertConfig(vocab_size=16, max_position_embeddings=32))
    with pytest.raises(ConfigurationError, match=words):
        check_tokenizer(tokenizer, recipe, BertConfig(**fields))
    tokenizer.pad_token = None
    with pytest.raises(ConfigurationError, match="no token to fill up with"):
        check_tokenizer(tokenizer, recipe, BertConfig())


def test_a_subset_is_drawn_by_its_own_seed_and_stays_in_order(recipe_file, glue):
    table, recipe = load_glue("sst2", "train", glue), load_finetune_recipe(recipe_file, ["data.subset=40"]).data
    first, again = (subset(table, recipe).texts for _ in range(2))
    other = subset(table, dataclasses.replace(recipe, subset_seed=1)).texts
    assert first == again != other
    assert len(first) == len(other) == 40
    assert subset(table, dataclasses.replace(recipe, subset=0)) is table


def test_pairs_scores_and_lengths(recipe_file, glue):
    tokenizer = open_tokenizer(load_finetune_recipe(recipe_file).model)
    found = tokenize(load_glue("stsb", "train", glue), GLUE.get("stsb"), tokenizer, 9)
    row = found[0]
    assert row["input_ids"][0] == tokenizer.cls_token_id
    assert row["input_ids"].count(tokenizer.sep_token_id) == 2
    assert sorted(set(row["token_type_ids"])) == [0, 1]
    assert row["length"] == len(row["input_ids"]) == 9
    assert isinstance(row["labels"], float)
