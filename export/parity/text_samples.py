"""Texts for a parity check, each brought to the form the model takes: one row of tokens, without padding."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from export.inputs.input_spec import Feeds
from export.inputs.text_input import IDS, MASK, TYPES, TextInputSpec
from export.parity.probes import spaced
from export.parity.sentences import shipped_texts
from zoo.data.glue import GlueSplit
from zoo.errors import ConfigurationError, DataNotFoundError, ShapeError

Text = str | tuple[str, str]
# Numbers of tokens of made-up texts.
_LENGTHS = (2, 3, 5, 8, 13, 21, 34, 55, 7, 16, 25, 40)


def load_texts(samples: Any, spec: TextInputSpec, limit: int) -> tuple[list[Feeds], str]:
    """Bring texts into the form the model takes.

    Args:
        samples: a sequence of texts or of pairs of texts; a split of GLUE; a text file with one text, or a pair with a
            tab between, on each line; or the model's inputs as tensors (n, tokens). None for the sentences of this
            package, or for made-up tokens where the model came without a tokenizer.
        spec: the model's input.
        limit: use at most so many, evenly spaced.

    Returns:
        The inputs of each text alone, (1, tokens), and a description for the report.

    Raises:
        DataNotFoundError: there is no text, or the file cannot be read.
        ShapeError: tensors of a wrong shape.
        ConfigurationError: the samples are no texts, the model has no tokenizer for them, or the tokenizer is not that
            of the model.
    """
    if isinstance(samples, Mapping):
        rows = _rows(samples)
        chosen = [rows[i] for i in spaced(len(rows), limit)]
        _check_numbers(chosen, spec)
        return chosen, f"{len(chosen)} texts given as tensors"
    if samples is None and spec.preprocess is None:
        made = made_up(spec)
        return made, f"{len(made)} seeded texts of made-up tokens (the model came without a tokenizer)"
    texts, source = _texts(samples)
    if not texts:
        raise DataNotFoundError("The sample texts are an empty sequence. Give at least one text, or none at all.")
    found = encode([texts[i] for i in spaced(len(texts), limit)], spec)
    return found, f"{len(found)} {source}"


def encode(texts: Iterable[Any], spec: TextInputSpec) -> list[Feeds]:
    """The inputs of each text alone.

    Raises:
        ConfigurationError: the model has no tokenizer, or not the one it was trained with.
    """
    if spec.preprocess is None:
        raise ConfigurationError(
            "The model came without a tokenizer, so texts cannot be checked on it. Give "
            "TextInputSpec(..., preprocess=...), or the samples as a dictionary of token tensors."
        )
    rows = [spec.preprocess.encode([text]) for text in texts]
    _check_numbers(rows, spec)
    return rows


def made_up(spec: TextInputSpec, seed: int = 0) -> list[Feeds]:
    """Texts of random tokens, of different lengths; the same seed gives the same ones."""
    generator = torch.Generator().manual_seed(seed)
    lengths = [min(length, spec.max_length) for length in _LENGTHS]
    ids = [torch.randint(spec.vocab_size, (1, length), generator=generator) for length in lengths]
    return [{IDS: row, MASK: torch.ones_like(row), TYPES: torch.zeros_like(row)} for row in ids]


def join(texts: list[Feeds], pad_id: int, length: int | None = None) -> Feeds:
    """Several texts as one batch.

    Args:
        texts: inputs of single texts, (1, tokens).
        pad_id: the token that fills up.
        length: number of tokens to fill up to; None for the longest text's.
    """
    width = max(text[IDS].shape[1] for text in texts) if length is None else length
    fills = {IDS: pad_id, MASK: 0, TYPES: 0}
    return {name: torch.cat([_filled(text[name], width, value) for text in texts]) for name, value in fills.items()}


def _filled(row: Tensor, width: int, value: int) -> Tensor:
    return torch.nn.functional.pad(row, (0, width - row.shape[1]), value=value)


def _texts(samples: Any) -> tuple[list[Any], str]:
    if samples is None:
        return list(shipped_texts()), "English sentences and pairs of this package"
    if isinstance(samples, str | Path):
        return list(_read_lines(Path(samples))), f"texts of {Path(samples).name}"
    if isinstance(samples, GlueSplit):
        return list(samples.texts), f"texts of {samples.task.name} ({samples.split})"
    texts = list(samples)
    wrong = next((text for text in texts if not _is_text(text)), None)
    if wrong is not None:
        raise ConfigurationError(
            f"The model takes texts, the samples hold {type(wrong).__name__}. Give texts or pairs of texts (--task, or "
            "--data with a text file); images are for image models."
        )
    return texts, "texts of a sequence"


def _read_lines(file: Path) -> Iterable[Text]:
    try:
        lines = [line for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise DataNotFoundError(
            f"{file.absolute()} cannot be read as a text file: {error}. Give a file with one text on each line, or "
            "name the task of a folder of GLUE with --task."
        ) from error
    for line in lines:
        first, tab, second = line.partition("\t")
        yield (first, second) if tab else first


def _is_text(item: Any) -> bool:
    pair = isinstance(item, tuple) and len(item) == 2 and all(isinstance(part, str) for part in item)
    return pair or isinstance(item, str)


def _rows(tensors: Mapping[Any, Any]) -> list[Feeds]:
    """The texts of a batch, each without the padding behind it."""
    names, shapes = (IDS, MASK, TYPES), {name: tuple(getattr(value, "shape", ())) for name, value in tensors.items()}
    one = next(iter(shapes.values()), ())
    if set(tensors) != set(names) or set(shapes.values()) != {one} or len(one) != 2 or 0 in one:
        raise ShapeError(f"The samples have shapes {shapes}; the model takes {', '.join(names)}, each (n, tokens).")
    lengths = [int(row.nonzero().max()) + 1 if bool(row.any()) else 0 for row in tensors[MASK]]
    if 0 in lengths:
        raise ShapeError(f"attention_mask is 0 for every token of sample {lengths.index(0)}. Leave that text out.")
    return [{name: tensors[name][i : i + 1, :n].long().cpu() for name in names} for i, n in enumerate(lengths)]


def _check_numbers(rows: list[Feeds], spec: TextInputSpec) -> None:
    highest, longest = (max(int(f(row[IDS])) for row in rows) for f in (torch.max, torch.numel))
    if highest >= spec.vocab_size or longest > spec.max_length:
        raise ConfigurationError(
            f"The samples have up to {longest} tokens with numbers up to {highest}; the model takes {spec.summary()}. "
            "Use the tokenizer it was trained with."
        )
