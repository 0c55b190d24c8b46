"""GLUE's texts as what transformers' Trainer takes: token numbers, the length, the label."""

from typing import Any

from zoo.data.glue import GlueTask
from zoo.errors import DataNotFoundError, WeightsNotFoundError
from zoo.finetuning.recipe import TextData, TextModel


def open_tokenizer(recipe: TextModel) -> Any:
    """The tokenizer of the start.

    Raises:
        WeightsNotFoundError: there is none.
    """
    from transformers import AutoTokenizer

    place = recipe.tokenizer or recipe.start
    try:
        return AutoTokenizer.from_pretrained(place)
    except (OSError, ValueError) as error:
        raise WeightsNotFoundError(
            f"model.tokenizer: no tokenizer at {place!r}: {str(error).splitlines()[0]}."
        ) from error


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
    encoded = tokenizer(*columns, truncation=True, max_length=max_length)
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
