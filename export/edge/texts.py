"""From texts to a model's inputs, as `TextPreprocess` of the zoo makes them; the `tokenizers` library does the work."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import EdgeError


def encode(texts: Sequence[str], record: Mapping[str, Any], tokenizer: str) -> dict[str, NDArray[np.int64]]:
    """Model inputs for one text, or for a pair of texts.

    Args:
        texts: one text or two.
        record: max_length and pad_token, as in preprocess.json.
        tokenizer: the tokenizer, as the library's JSON.

    Returns:
        `input_ids`, `attention_mask` and `token_type_ids`, each (1, tokens).

    Raises:
        EdgeError: the library is missing or does not read the tokenizer, or there are no texts or more than two.
    """
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise EdgeError("A text model needs the library of its tokenizer: pip install tokenizers.") from error
    if len(texts) not in (1, 2):
        raise EdgeError(f"Give one text, or two as a pair; got {len(texts)}. Put quotes around each.")
    try:
        opened = Tokenizer.from_str(tokenizer)
    except Exception as error:  # the library raises nothing more precise
        raise EdgeError(f"tokenizer.json is no tokenizer of this release of tokenizers: {error}.") from error
    opened.no_padding()
    opened.enable_truncation(record["max_length"])
    found = opened.encode_batch([tuple(texts) if len(texts) == 2 else texts[0]])[0]
    values = {"input_ids": found.ids, "attention_mask": found.attention_mask, "token_type_ids": found.type_ids}
    return {name: np.array([numbers], np.int64) for name, numbers in values.items()}
