"""Allowed values of a tag's fields. A card from the Hub is untrusted: lists are closed, values plain and bounded."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from zoo.data.preprocess import Preprocess
from zoo.data.tokenize import TextInput
from zoo.first_edition import FIRST_EDITION
from zoo.records import LONGEST

MAX_CLASSES = 50_000
MAX_SIDE = 1024

Check = Callable[[Any], bool]


def problems(values: Mapping[str, Any]) -> list[str]:
    """Every field of a tag with a bad value, in words; empty if all are good.

    Args:
        values: all fields by name.
    """
    bad = [
        f"{name} is {_short(values[name])}, not {what}" for name, (ok, what) in _RULES.items() if not ok(values[name])
    ]
    if "fles_beta" in values["model_args"]:
        return [f"model_args has fles_beta, which belongs to {FIRST_EDITION}".rstrip(".")]
    arguments = TEXT_ARGS if isinstance(values["preprocess"], TextInput) else MODEL_ARGS
    if not _plain_args(values["model_args"], arguments):
        bad.append(f"model_args is {_short(values['model_args'])}, not plain values for {', '.join(arguments)}")
    if not bad and values["labels"] and len(values["labels"]) != values["num_classes"]:
        bad = [f"labels has {len(values['labels'])} entries for {values['num_classes']} classes"]
    return bad


def _text(pattern: str, longest: int = 100) -> Check:
    return lambda value: isinstance(value, str) and len(value) <= longest and re.fullmatch(pattern, value) is not None


def _optional(check: Check) -> Check:
    return lambda value: value is None or check(value)


def _whole(low: int, high: int) -> Check:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _number(low: float, high: float) -> Check:
    return lambda value: (
        isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and low <= value <= high
    )


def _plain_args(value: Any, known: Mapping[str, Check]) -> bool:
    return isinstance(value, Mapping) and all(key in known and known[key](item) for key, item in value.items())


def _is_repo(value: Any) -> bool:
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

    try:
        validate_repo_id(value)
    except HFValidationError:
        return False
    return True


def _fitting_input(value: Any) -> bool:
    return isinstance(value, TextInput) or (isinstance(value, Preprocess) and max(value.input_size) <= MAX_SIDE)


def _short(value: Any) -> str:
    text = repr(asdict(value) if isinstance(value, Preprocess | TextInput) else value)
    return text if len(text) <= 80 else text[:77] + "..."


_WORD = _text(r"[A-Za-z0-9_.-]+")
_SHARE = _number(0, 1)

MODEL_ARGS: dict[str, Check] = {"norm": _WORD, "act": _WORD, "img_size": _whole(1, MAX_SIDE)}
"""Builder arguments a card of an image model may set."""

TEXT_ARGS: dict[str, Check] = {
    "act": _WORD,
    "fles_hidden": _optional(_whole(1, 65_536)),
    "fles_start": _WORD,
    "fles_steepness": _optional(_number(0, 100)),
    "vocab_size": _whole(1, 1_000_000),
    "max_position_embeddings": _whole(1, 65_536),
    "type_vocab_size": _whole(1, 1024),
    "pad_token_id": _optional(_whole(0, 1_000_000)),
    "layer_norm_eps": _number(0, 1),
    "hidden_dropout_prob": _SHARE,
    "attention_probs_dropout_prob": _SHARE,
    "classifier_dropout": _optional(_SHARE),
}
"""Builder arguments a card of a text model may set."""

_NAME = r"[A-Za-z0-9][A-Za-z0-9_-]*"
_LINES = _text(r"[^\x00-\x08\x0b-\x1f]*", LONGEST)
_RULES: dict[str, tuple[Check, str]] = {
    "model": (_text(_NAME), "a name of letters, digits, _ and -"),
    "tag": (_text(r"[A-Za-z0-9][A-Za-z0-9_.-]*"), "a name of letters, digits, dots, _ and -"),
    "num_classes": (_whole(1, MAX_CLASSES), f"a whole number from 1 to {MAX_CLASSES}"),
    "preprocess": (_fitting_input, f"a Preprocess of at most {MAX_SIDE} pixels a side or a TextInput"),
    "sha256": (_text(r"([0-9a-f]{64})?"), "64 hexadecimal digits in lower case"),
    "labels": (
        lambda v: isinstance(v, tuple) and all(map(_LINES, v)),
        f"a list of texts, {LONGEST} characters at most",
    ),
    "repo": (_optional(_is_repo), "a Hub repository like org/name"),
    "revision": (_optional(_text(r"[0-9a-f]{40}")), "a full commit hash or null"),
    "file": (_text(r"[A-Za-z0-9][A-Za-z0-9_.-]*\.safetensors"), "the plain name of a .safetensors file"),
    "dataset": (_LINES, "a text"),
    "recipe": (_optional(_LINES), "a text or null"),
    "license": (_text(r"[a-z0-9][a-z0-9.+-]*"), "a licence identifier such as apache-2.0"),
    "source": (_LINES, "a text"),
    "default": (lambda v: isinstance(v, bool), "true or false"),
    "results": (lambda v: isinstance(v, Mapping), "an object"),
}
