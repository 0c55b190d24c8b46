"""The inputs on which an exported text model has to agree with PyTorch."""

import torch
from torch import Tensor

from export.inputs.input_spec import Feeds
from export.inputs.text_input import IDS, MASK, TYPES, TextInputSpec
from export.parity.probes import BATCHES, EXTREME, TEXTS, Probe, batch_sizes
from export.parity.sentences import UNKNOWN
from export.parity.text_samples import encode, join

HEAVY_PADDING = 128


def pad_id(spec: TextInputSpec) -> int:
    """The token that fills up; what it is must not matter."""
    return 0 if spec.preprocess is None else spec.preprocess.pad_id


def enough(texts: list[Feeds]) -> list[Feeds]:
    """The texts, repeated if they are fewer than the batches need."""
    needed = sum(BATCHES)
    return texts if len(texts) >= needed else (texts * -(-needed // len(texts)))[:needed]


def text_probes(texts: list[Feeds], spec: TextInputSpec) -> tuple[Probe, ...]:
    """Texts in the batches of `batch_sizes`, each filled up to its longest text.

    Args:
        texts: inputs of single texts, at least as many as the batches need.
        spec: the model's input.
    """
    probes, start = [], 0
    for i, size in enumerate(batch_sizes(len(texts))):
        batch = join(texts[start : start + size], pad_id(spec))
        probes.append(Probe(f"texts {i} (batch {size}, {batch[IDS].shape[1]} tokens)", TEXTS, batch))
        start += size
    return tuple(probes)


def extreme_text_probes(texts: list[Feeds], spec: TextInputSpec) -> tuple[Probe, ...]:
    """Inputs at the edges of what an encoder can meet.

    A text without a single token that counts has no defined result (attention over nothing): predictors refuse it, and
    what it gives is not compared. That its companions do not suffer from it is.

    Args:
        texts: inputs of single texts, at least three.
        spec: the model's input.
    """
    longest, top = spec.max_length, spec.vocab_size - 1
    words = torch.cat([text[IDS] for text in texts], 1)
    filled = words.repeat(1, -(-longest // words.shape[1]))[:, :longest]
    some = min(64, longest)
    one_of_many = _text(filled[:, : min(HEAVY_PADDING, longest)])
    one_of_many[MASK][:, 1:] = 0
    holes, second = _text(filled[:, :some]), _text(filled[:, :some])
    holes[MASK][:, 1::2] = 0
    second[TYPES] += spec.type_vocab_size - 1
    in_turn = torch.arange(min(16, longest))[None] % 2 * top
    without = join(texts[:3], pad_id(spec))
    without[MASK][1] = 0
    cases = {
        "one token": _text(filled[:, :1]),
        f"{longest} tokens, the largest number": _text(filled),
        f"one token padded to {one_of_many[IDS].shape[1]}": one_of_many,
        "the same token throughout": _text(filled[:, :1].repeat(1, some)),
        "token 0 throughout": _text(in_turn * 0),
        f"token {top} throughout": _text(in_turn * 0 + top),
        f"tokens 0 and {top} in turn": _text(in_turn),
        "every other token masked": holes,
        "the last token type throughout": second,
    }
    if spec.preprocess is not None:
        cases["unknown characters"] = join(encode(UNKNOWN, spec), pad_id(spec))
        cases["an empty text"] = encode([""], spec)[0]
    probes = [Probe(name, EXTREME, feeds) for name, feeds in cases.items()]
    return (*probes, Probe("companions of a text without a token", EXTREME, without, rows=(0, 2)))


def _text(ids: Tensor) -> Feeds:
    return {IDS: ids.clone(), MASK: torch.ones_like(ids), TYPES: torch.zeros_like(ids)}
