"""The tokenizer in a text model's card, which transformers reads as well."""

from pathlib import Path

from zoo.data.tokenize import TOKENIZER_CONFIG, TOKENIZER_FILE
from zoo.errors import ConfigurationError, WeightsMismatchError
from zoo.files import write_json
from zoo.weights.tag import PretrainedTag, read_json

# Where the tokenizer was when it was saved; says nothing elsewhere.
_LOCAL = ("name_or_path", "is_local", "local_files_only", "tokenizer_file", "special_tokens_map_file")


def copy_tokenizer(source: str | Path | None, place: Path, tag: PretrainedTag) -> None:
    """Bring the tokenizer's files into a card's folder: tokenizer.json to the byte.

    Raises:
        ConfigurationError: there is no source, or the tokenizer is too large for the model.
        WeightsNotFoundError: a file is missing there.
        WeightsCorruptError: a file cannot be read.
        WeightsMismatchError: it is not the tokenizer of the tag.
    """
    if source is None:
        raise ConfigurationError(f"{tag.name} is a text model: give write_card(..., tokenizer=FOLDER).")
    folder = Path(source)
    found = tag.tokens.open(folder / TOKENIZER_FILE)
    (place / TOKENIZER_FILE).write_bytes(found.tokenizer.encode("utf-8"))
    settings = read_json(folder / TOKENIZER_CONFIG)
    if not isinstance(settings, dict):
        raise WeightsMismatchError(f"{folder / TOKENIZER_CONFIG} holds no JSON object. Save the tokenizer again.")
    write_json(place / TOKENIZER_CONFIG, {key: value for key, value in settings.items() if key not in _LOCAL})
