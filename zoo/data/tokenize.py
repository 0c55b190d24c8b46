"""Text preprocessing: one object for evaluation, the card and ONNX metadata, kept with the weights."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.data._tokenizer import KIND, check_texts, check_values, checked, fill, open_tokenizer, read_tokenizer
from zoo.errors import ConfigurationError, ShapeError, WeightsMismatchError

if TYPE_CHECKING:
    from torch import Tensor, nn

TOKENIZER_FILE, TOKENIZER_CONFIG = "tokenizer.json", "tokenizer_config.json"
INPUT_NAMES = ("input_ids", "attention_mask", "token_type_ids")
"""What a text model takes, in this order; each int64 of shape (n, tokens)."""

Texts = Sequence[str] | Sequence[tuple[str, str]]


@dataclass(frozen=True)
class TextInput:
    """Record of a card's or a result's texts: everything of `TextPreprocess`, the tokenizer by its hash.

    Args:
        max_length: tokens a text or pair is cut to, special tokens included.
        pad_token: what fills a batch up.
        tokenizer_sha256: of the tokenizer's JSON, as 64 hexadecimal digits in lower case.

    Raises:
        ConfigurationError: a value is out of range.
    """

    max_length: int
    pad_token: str
    tokenizer_sha256: str

    def __post_init__(self) -> None:
        check_values(self.max_length, self.pad_token)
        digest = self.tokenizer_sha256
        if not isinstance(digest, str) or len(digest) != 64 or set(digest) - set("0123456789abcdef"):
            raise ConfigurationError(f"Texts: tokenizer_sha256 is {digest!r}, not 64 hexadecimal digits in lower case.")

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "TextInput":
        """The inverse of `to_dict`.

        Raises:
            ConfigurationError: a field is missing, unknown or has a bad value.
        """
        return cls(**checked(cls, values))

    def to_dict(self) -> dict[str, Any]:
        """All fields and `kind`: "text", ready for JSON."""
        return {"kind": KIND, **asdict(self)}

    def open(self, file: str | Path) -> "TextPreprocess":
        """The preprocessing, with the tokenizer in `file`, which must be the one meant.

        Raises:
            WeightsNotFoundError: there is no such file.
            WeightsCorruptError: it is no tokenizer.
            WeightsMismatchError: it is another tokenizer.
        """
        path = Path(file)
        found = TextPreprocess(read_tokenizer(path), self.max_length, self.pad_token)
        if found.pinned != self:
            raise WeightsMismatchError(
                f"{path} is not the tokenizer its card pins.\n  card:  sha256 {self.tokenizer_sha256}\n"
                f"  found: sha256 {found.pinned.tokenizer_sha256}\nDelete it and fetch it again."
            )
        return found


@dataclass(frozen=True)
class TextPreprocess:
    """Tokenise texts or pairs of texts, cut them, pad them to one length.

    The work is done by the `tokenizers` library, as transformers' own tokenizers do it; of a pair the longer text is
    cut first. Instances are hashable, comparable and can be pickled.

    Args:
        tokenizer: the tokenizer, as the library's JSON. Settings of cutting and padding in it have no effect.
        max_length: tokens a text or pair is cut to, special tokens included.
        pad_token: what fills a batch up; one of the tokenizer's tokens.

    Raises:
        ConfigurationError: the tokenizer cannot be read or lacks the token, or a value is out of range.
    """

    tokenizer: str
    max_length: int
    pad_token: str = "[PAD]"

    def __post_init__(self) -> None:
        check_values(self.max_length, self.pad_token)
        if not isinstance(self.tokenizer, str):
            raise ConfigurationError(f"Texts: tokenizer is {type(self.tokenizer).__name__}, not JSON text.")
        _ = self.pad_id

    @classmethod
    def of(cls, model: "nn.Module") -> "TextPreprocess":
        """The preprocessing a model's weights came with.

        Raises:
            ConfigurationError: there is none.
        """
        found = getattr(model, "text_preprocess", None)
        if not isinstance(found, cls):
            raise ConfigurationError(
                f"Asked for the tokenizer of {type(model).__name__}, which has no attribute text_preprocess. Pass a "
                "zoo.data.tokenize.TextPreprocess, or set model.text_preprocess to one."
            )
        return found

    @classmethod
    def from_file(cls, file: str | Path, max_length: int, pad_token: str = "[PAD]") -> "TextPreprocess":
        """The preprocessing with the tokenizer in `file` (tokenizer.json).

        Raises:
            WeightsNotFoundError: there is no such file.
            WeightsCorruptError: it is no tokenizer.
            ConfigurationError: the tokenizer lacks the token, or a value is out of range.
        """
        return cls(read_tokenizer(Path(file)), max_length, pad_token)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "TextPreprocess":
        """The inverse of `to_dict`.

        Raises:
            ConfigurationError: a field is missing, unknown or has a bad value.
        """
        return cls(**checked(cls, values))

    def to_dict(self) -> dict[str, Any]:
        """All fields and `kind`: "text", ready for JSON."""
        return {"kind": KIND, **asdict(self)}

    @property
    def pad_id(self) -> int:
        """The number of `pad_token`."""
        number: int | None = open_tokenizer(self.tokenizer, self.max_length).token_to_id(self.pad_token)
        if number is None:
            raise ConfigurationError(f"Texts: the tokenizer has no token {self.pad_token!r} to fill up with.")
        return number

    @property
    def pinned(self) -> TextInput:
        """The same with the tokenizer's hash in its place."""
        digest = hashlib.sha256(self.tokenizer.encode("utf-8")).hexdigest()
        return TextInput(self.max_length, self.pad_token, digest)

    def encode(self, texts: Texts, length: int | None = None) -> "dict[str, Tensor]":
        """Model inputs for a batch of texts.

        Args:
            texts: texts, or pairs of texts.
            length: number of tokens to fill up to; None takes the longest of the batch.

        Returns:
            `input_ids`, `attention_mask` (1 where a token counts, 0 for filling) and `token_type_ids` (1 in the second
            text of a pair), each int64 of shape (n, tokens).

        Raises:
            ShapeError: there are no texts, or one needs more than `length` tokens.
            ConfigurationError: not texts or pairs of texts, or both mixed.
        """
        import torch

        check_texts(texts)
        encodings = open_tokenizer(self.tokenizer, self.max_length).encode_batch(list(texts))
        longest = max(len(encoding.ids) for encoding in encodings)
        if length is not None and length < longest:
            raise ShapeError(f"A text has {longest} tokens, more than length={length}. Give a larger one, or None.")
        width = longest if length is None else length
        filled = {
            "input_ids": [fill(e.ids, width, self.pad_id) for e in encodings],
            "attention_mask": [fill(e.attention_mask, width, 0) for e in encodings],
            "token_type_ids": [fill(e.type_ids, width, 0) for e in encodings],
        }
        return {name: torch.tensor(rows, dtype=torch.int64) for name, rows in filled.items()}
