"""The `tokenizers` library behind the text preprocessing: reading its JSON, and words for what does not fit."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import ConfigurationError, ShapeError, WeightsCorruptError, WeightsNotFoundError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

KIND = "text"
MAX_TOKENS = 65_536


def read_tokenizer(file: Path) -> str:
    """The content of tokenizer.json, to the byte.

    Raises:
        WeightsNotFoundError: there is no such file.
        WeightsCorruptError: it is no tokenizer.
    """
    if not file.is_file():
        raise WeightsNotFoundError(f"There is no tokenizer {file}. Fetch it again; it belongs beside the weights.")
    try:
        text = file.read_bytes().decode("utf-8")
        open_tokenizer(text, MAX_TOKENS)
    except (OSError, UnicodeDecodeError, ConfigurationError) as error:
        raise WeightsCorruptError(f"Cannot read {file} as a tokenizer: {error} Fetch it again.") from error
    return text


@lru_cache(maxsize=16)
def open_tokenizer(tokenizer: str, max_length: int) -> "Tokenizer":
    """The library's object; kept outside the dataclasses so that instances stay frozen and picklable."""
    from tokenizers import Tokenizer

    try:
        opened = Tokenizer.from_str(tokenizer)
    except Exception as error:  # the library raises nothing more precise
        reason = " ".join(str(error).split())[:200]
        raise ConfigurationError(f"Texts: the tokenizer is not JSON of the tokenizers library: {reason}.") from error
    opened.no_padding()
    opened.enable_truncation(max_length)
    return opened


def check_texts(texts: Any) -> None:
    """Refuse what is not a list of texts or of pairs of texts.

    Raises:
        ShapeError: it is empty.
        ConfigurationError: it is something else.
    """
    if isinstance(texts, str) or not isinstance(texts, Sequence):
        raise ConfigurationError(f"Give a list of texts or of pairs of texts, not {type(texts).__name__}.")
    if not texts:
        raise ShapeError("There are no texts to encode; give at least one.")
    pairs = isinstance(texts[0], tuple)
    if not all(_is_pair(text) if pairs else isinstance(text, str) for text in texts):
        raise ConfigurationError("Give texts only, or pairs (text, text) only; found something else or both.")


def _is_pair(value: Any) -> bool:
    return isinstance(value, tuple) and len(value) == 2 and all(isinstance(part, str) for part in value)


def check_values(max_length: Any, pad_token: Any) -> None:
    """Refuse values out of range.

    Raises:
        ConfigurationError: naming the value.
    """
    if not isinstance(max_length, int) or isinstance(max_length, bool) or not 3 <= max_length <= MAX_TOKENS:
        raise ConfigurationError(f"Texts: max_length is {max_length!r}, not a whole number from 3 to {MAX_TOKENS}.")
    if not isinstance(pad_token, str):
        raise ConfigurationError(f"Texts: pad_token is {pad_token!r}, not a text.")


def checked(kind: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments for the dataclass `kind` from what its `to_dict` gave.

    Raises:
        ConfigurationError: a field is missing or unknown, or `kind` is another one.
    """
    known = {field.name for field in fields(kind)} | {"kind"}
    missing, unknown = sorted(known - set(values)), sorted(set(values) - known)
    if missing or unknown or values["kind"] != KIND:
        raise ConfigurationError(
            f"Texts: missing fields {missing}, unknown fields {unknown}, kind {values.get('kind')!r}; it needs exactly "
            f"{sorted(known)} and the kind {KIND!r}."
        )
    return {name: value for name, value in values.items() if name != "kind"}


def fill(values: list[int], length: int, filling: int) -> list[int]:
    """`values`, made as long as `length` says."""
    return values + [filling] * (length - len(values))
