"""An exported text model as something `zoo.evaluation` can measure."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from export.errors import OnnxFileError
from export.metadata import open_preprocess
from export.runtime.opened import OpenFile
from zoo.data.tokenize import INPUT_NAMES, TextPreprocess
from zoo.errors import ConfigurationError, ShapeError


class OnnxTextPredictor:
    """Logits from an exported text model; it carries the labels and the tokenizer stored in the file.

    `preprocess` is a `TextPreprocess`, or None for a file that was exported without a tokenizer; `max_length` is the
    largest number of tokens the model takes, which may be more than the tokenizer cuts at.

    Args:
        opened: the file.

    Raises:
        OnnxFileError: the file has other inputs and outputs than an exported text classifier.
    """

    def __init__(self, opened: OpenFile) -> None:
        self._opened = opened
        self.path, self.session, self.metadata = opened.path, opened.session, opened.metadata
        found = open_preprocess(self.metadata)
        self.preprocess = found if isinstance(found, TextPreprocess) else None
        self.labels = self.metadata.labels
        self.max_length = self.metadata.limits["max_length"]
        inputs, outputs = self.session.get_inputs(), self.session.get_outputs()
        wanted = [(name, "tensor(int64)", 2) for name in INPUT_NAMES]
        if [(i.name, i.type, len(i.shape)) for i in inputs] != wanted or len(outputs) != 1:
            raise OnnxFileError(
                f"{self.path} has inputs {[i.name for i in inputs]} and outputs {[o.name for o in outputs]}; an "
                f"exported text classifier has {', '.join(INPUT_NAMES)} (batch, tokens) in int64 and one table of "
                "logits. Export the model again."
            )

    def __call__(self, batch: Mapping[str, Tensor]) -> Tensor:
        """Logits (n, classes) of a batch, on the CPU in float32.

        Args:
            batch: `input_ids`, `attention_mask` and `token_type_ids`, each int64 (n, tokens), as `preprocess.encode`
                gives them. A text without a single token that counts is refused: attention over nothing is undefined.

        Raises:
            ConfigurationError: an input is missing, unknown, of another type, or holds a number out of range.
            ShapeError: an input has another rank or shape than the others, or too many tokens.
            ExportError: ONNX Runtime gave up, for instance for want of memory.
        """
        feeds = self._checked(batch)
        return self._opened.run(feeds)

    def __reduce__(self) -> tuple[Any, ...]:
        return OnnxTextPredictor, (self._opened,)

    def describe(self) -> dict[str, Any]:
        """Describe the run; see `OpenFile.describe`."""
        return self._opened.describe()

    def _checked(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The inputs in the file's order, if they fit."""
        name, names = self.path.name, ", ".join(INPUT_NAMES)
        if not isinstance(batch, Mapping) or set(batch) != set(INPUT_NAMES):
            given = ", ".join(map(str, batch)) if isinstance(batch, Mapping) else type(batch).__name__
            raise ConfigurationError(f"{name} takes a dictionary of {names}; got {given or 'nothing'}.")
        feeds = {key: batch[key] for key in INPUT_NAMES}
        for key, value in feeds.items():
            if value.dtype != torch.int64:
                raise ConfigurationError(f"{name} takes {key} as int64, not {value.dtype}. Convert it: {key}.long().")
        shapes = {key: tuple(value.shape) for key, value in feeds.items()}
        if len(set(shapes.values())) > 1 or feeds["input_ids"].ndim != 2 or not feeds["input_ids"].numel():
            raise ShapeError(f"{name} takes inputs of one shape (batch, tokens), none of them 0; got {shapes}.")
        if feeds["input_ids"].shape[1] > self.max_length:
            raise ShapeError(
                f"{name} takes at most {self.max_length} tokens; got {feeds['input_ids'].shape[1]}. Cut the texts, as "
                "`preprocess` does."
            )
        self._check_values(feeds)
        return feeds

    def _check_values(self, feeds: Mapping[str, Tensor]) -> None:
        limits = self.metadata.limits
        tops = {"input_ids": limits["vocab_size"], "attention_mask": 2, "token_type_ids": limits["type_vocab_size"]}
        for key, top in tops.items():
            low, high = (int(value) for value in torch.aminmax(feeds[key]))
            if low < 0 or high >= top:
                raise ConfigurationError(
                    f"{self.path.name} takes {key} from 0 to {top - 1}; got {low} to {high}. Use its own `preprocess`."
                )
        empty = (feeds["attention_mask"] == 0).all(1).nonzero().flatten().tolist()
        if empty:
            raise ConfigurationError(
                f"{self.path.name}: attention_mask is 0 for every token of text {empty[0]}, so there is nothing to "
                "predict from. Leave the text out."
            )
