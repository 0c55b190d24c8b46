"""GLUE's texts as what transformers' Trainer takes: token numbers, the length, the label."""

from typing import Any

from zoo.data.glue import GlueTask
from zoo.errors import ConfigurationError, DataNotFoundError, WeightsNotFoundError
from zoo.training.texts.finetuning_recipe import FinetuneRecipe, TextData, TextModel


def open_tokenizer(recipe: TextModel) -> Any:
    """The tokenizer of the start, or the recipe's own.

    Raises:
        WeightsNotFoundError: there is none.
    """
    from transformers import AutoTokenizer

    place = recipe.tokenizer or recipe.start
    advice = "Give a folder or a Hub repository that holds one (--set model.tokenizer=PLACE)."
    try:
        tokenizer = AutoTokenizer.from_pretrained(place, trust_remote_code=False)
    except (OSError, ValueError) as error:
        found = str(error).splitlines()[0]
        raise WeightsNotFoundError(f"model.tokenizer: nothing to load at {place!r}: {found} {advice}") from error
    # Where the files are missing, transformers makes one that knows its special tokens and nothing else.
    if len(tokenizer) <= len(set(tokenizer.all_special_ids)):
        raise WeightsNotFoundError(f"model.tokenizer: {place!r} has a configuration but no vocabulary. {advice}")
    return tokenizer


def check_tokenizer(tokenizer: Any, recipe: FinetuneRecipe, config: Any) -> None:
    """Refuse what would end in an index error, or in texts that cannot be batched, once training runs.

    Args:
        tokenizer: of transformers.
        recipe: says how long the texts may be.
        config: of the model.

    Raises:
        ConfigurationError: the tokenizer has more tokens than the model, or cannot fill up; or the texts may be longer
            than the model has positions.
    """
    place = recipe.model.tokenizer or recipe.model.start
    if len(tokenizer) > config.vocab_size:
        raise ConfigurationError(
            f"model.tokenizer: {place!r} has {len(tokenizer)} tokens, the model {config.vocab_size}. Take the "
            "tokenizer the encoder was trained with, or set model.args.vocab_size for a fresh model."
        )
    if tokenizer.pad_token is None:
        raise ConfigurationError(f"model.tokenizer: {place!r} has no token to fill up with. Take BERT's.")
    if recipe.data.max_length > config.max_position_embeddings:
        raise ConfigurationError(
            f"data.max_length: {recipe.data.max_length} tokens asked for, the model has positions for "
            f"{config.max_position_embeddings}. Lower it."
        )


def tokenize(table: Any, task: GlueTask, tokenizer: Any, max_length: int) -> Any:
    """A `datasets.Dataset` with `input_ids`, `token_type_ids`, `attention_mask`, `length` and `labels`.

    Args:
        table: the split, with the columns of `task` and `label`.
        task: names the columns.
        tokenizer: of transformers.
        max_length: where texts are cut, the longer of a pair first.
    """
    import datasets

    columns = [table[name][:] for name in task.columns]
    encoded = tokenizer(*columns, truncation=True, max_length=max_length, return_token_type_ids=True)
    values = dict(encoded)
    values["length"] = [len(ids) for ids in encoded["input_ids"]]
    labels = table["label"][:]
    values["labels"] = [float(label) for label in labels] if not task.labels else list(labels)
    return datasets.Dataset.from_dict(values)


def subset(table: Any, recipe: TextData) -> Any:
    """The rows to learn from: all, or `recipe.subset` of them in their own order.

    Raises:
        DataNotFoundError: the split has fewer.
    """
    import torch

    if not recipe.subset:
        return table
    if recipe.subset > len(table):
        raise DataNotFoundError(
            f"data.subset: {recipe.subset} texts of {recipe.task} asked for, its training split has {len(table)}."
        )
    drawn = torch.randperm(len(table), generator=torch.Generator().manual_seed(recipe.subset_seed))
    return table.select(sorted(drawn[: recipe.subset].tolist()))
