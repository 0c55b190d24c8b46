"""The inputs of a text model: token numbers, which of them count, and which text of a pair they belong to."""

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from export.inputs.input_spec import Feeds
from zoo.data.labels import labels_of
from zoo.data.tokenize import INPUT_NAMES, TextPreprocess
from zoo.errors import ConfigurationError

IDS, MASK, TYPES = INPUT_NAMES
# What a file without a tokenizer records in place of a preprocessing.
TOKENS_ONLY = {"kind": "tokens"}
SHORTEST_LIMIT = 4
# Another number than the batch has, so that the two axes cannot be taken for one.
_EXAMPLE_TOKENS = 7


@dataclass(frozen=True)
class TextInputSpec:
    """The inputs of a text model: `input_ids`, `attention_mask`, `token_type_ids`, each int64 (batch, tokens).

    Args:
        max_length: the largest number of tokens the model takes.
        vocab_size: token numbers run from 0 to one less.
        preprocess: how texts become the inputs; None if the caller makes them. Then the file holds no tokenizer, and
            parity is checked on made-up token numbers instead of on sentences.
        labels: class names in the order of the logits; empty if there are none.
        type_vocab_size: token types run from 0 to one less.

    Raises:
        ConfigurationError: a size is out of range, or `preprocess` cuts texts at more tokens than the model takes.
    """

    max_length: int
    vocab_size: int
    preprocess: TextPreprocess | None = field(default=None, repr=False)
    labels: tuple[str, ...] = field(default=(), repr=False)
    type_vocab_size: int = 2

    def __post_init__(self) -> None:
        if self.max_length < SHORTEST_LIMIT or self.vocab_size < 2 or self.type_vocab_size < 1:
            raise ConfigurationError(
                f"{self}: max_length must be at least {SHORTEST_LIMIT}, vocab_size 2, type_vocab_size 1."
            )
        if self.preprocess is not None and self.preprocess.max_length > self.max_length:
            raise ConfigurationError(
                f"The tokenizer cuts texts at {self.preprocess.max_length} tokens, the model takes {self.max_length}. "
                "Give a TextPreprocess with a smaller max_length."
            )

    @classmethod
    def of(cls, model: nn.Module) -> "TextInputSpec":
        """The inputs a text model describes itself: its sizes in `config`, its tokenizer in `text_preprocess`.

        Raises:
            ConfigurationError: the model has no such configuration.
        """
        config = getattr(model, "config", None)
        positions, vocabulary = (getattr(config, name, None) for name in ("max_position_embeddings", "vocab_size"))
        if not isinstance(positions, int) or not isinstance(vocabulary, int):
            raise ConfigurationError(
                f"{type(model).__name__} has no config with max_position_embeddings and vocab_size. "
                "Pass input_spec=TextInputSpec(max_length, vocab_size, preprocess=...)."
            )
        return cls(
            positions,
            vocabulary,
            preprocess=getattr(model, "text_preprocess", None),
            labels=labels_of(model),
            type_vocab_size=getattr(config, "type_vocab_size", None) or 1,
        )

    @property
    def noun(self) -> str:
        """As `ModelInput` has it."""
        return "text"

    @property
    def axes(self) -> dict[str, int | None]:
        """As `ModelInput` has it."""
        return {"batch": None, "tokens": self.max_length}

    @property
    def layout(self) -> str:
        """As `ModelInput` has it."""
        return "(batch, tokens)"

    def summary(self) -> str:
        """The largest number of tokens and of token numbers."""
        return f"up to {self.max_length} tokens of {self.vocab_size}"

    def example(self, batch: int) -> Feeds:
        """A few tokens, the highest number among them; the last of the first text is padding."""
        feeds = self.tokens(batch, min(_EXAMPLE_TOKENS, self.max_length))
        feeds[MASK][0, -1] = 0
        return feeds

    def trials(self, batch: int) -> list[Feeds]:
        """The example, and one text as long as can be."""
        return [self.example(batch), self.tokens(1, self.max_length)]

    def tokens(self, batch: int, length: int) -> Feeds:
        """Full texts of made-up tokens, the highest number first."""
        ids = (self.vocab_size - 1 - torch.arange(batch * length)) % self.vocab_size
        ones = torch.ones(batch, length, dtype=torch.int64)
        return {IDS: ids.view(batch, length), MASK: ones, TYPES: torch.zeros_like(ones)}

    def record(self) -> dict[str, Any]:
        """`TextPreprocess.to_dict()`, tokenizer included."""
        return dict(TOKENS_ONLY) if self.preprocess is None else self.preprocess.to_dict()

    def limits(self) -> dict[str, int]:
        """Return the sizes that the file's shapes leave open."""
        return {
            "max_length": self.max_length,
            "vocab_size": self.vocab_size,
            "type_vocab_size": self.type_vocab_size,
        }

    def wrap(self, model: nn.Module) -> nn.Module:
        """The model with its three inputs by position and its logits alone as output."""
        return TextLogits(model)


class TextLogits(nn.Module):
    """A text model as a function of three tensors that returns one.

    Args:
        model: takes `input_ids`, `attention_mask` and `token_type_ids` by name; returns logits, or transformers'
            `ModelOutput` with `logits`.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor) -> Any:
        """The model's logits, (n, classes).

        Args:
            input_ids: (n, tokens).
            attention_mask: (n, tokens), 1 where a token counts, 0 for padding.
            token_type_ids: (n, tokens), 1 for the second text of a pair.
        """
        found = self.model(input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids)
        return getattr(found, "logits", found)


def is_text(model: nn.Module) -> bool:
    """True if a module says that it takes token numbers, as those of transformers do."""
    return getattr(model, "main_input_name", None) == IDS
