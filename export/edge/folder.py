"""A folder that `zoo export --bundle` wrote: opened, checked, and run on an image or a text."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .engines import Run, open_engine
from .errors import EdgeError
from .images import prepare, read_image
from .manifest import read_listed, read_record
from .operators import Own, find_operators
from .texts import encode

MODEL, LABELS, PREPROCESS, TOKENIZER = "model.onnx", "labels.txt", "preprocess.json", "tokenizer.json"
_TYPES = ("float32", "float16", "int64")
_LONGEST_LABEL = 1000


@dataclass(frozen=True)
class Folder:
    """A folder's description of its model.

    Args:
        path: the folder.
        record: its bundle.json.
        preprocess: its preprocess.json: how an image or a text becomes the model's input.
        labels: its class names; empty if they are unknown.
        model: its model, the bytes that were compared with their digest.
        tokenizer: of a text model; empty if it came without.
    """

    path: Path
    record: dict[str, Any]
    preprocess: dict[str, Any]
    labels: tuple[str, ...]
    model: bytes = field(repr=False)
    tokenizer: str = field(repr=False)

    @classmethod
    def read(cls, path: str | Path) -> "Folder":
        """Read a folder: what its manifest lists, each file compared with its digest, and nothing else.

        Raises:
            EdgeError: it is no such folder, of a newer format, or a file is missing, changed, not listed, or outside.
        """
        folder = Path(path)
        record = read_record(folder)
        read = {name: read_listed(folder, name, record["files"]) for name in {MODEL, PREPROCESS, *record["files"]}}
        try:
            preprocess = json.loads(read[PREPROCESS])
            labels, tokenizer = (str(read.get(name, b""), "utf-8") for name in (LABELS, TOKENIZER))
            sound = isinstance(preprocess, dict) and all(kind in _TYPES for kind in record["inputs"].values())
            sound = sound and max(map(len, labels.splitlines()), default=0) <= _LONGEST_LABEL
        except (ValueError, RecursionError):
            sound = False
        if not sound:
            raise EdgeError(f"The files of {folder} are not what an export writes. Take it from where it was made.")
        return cls(folder, record, preprocess, tuple(labels.splitlines()), read[MODEL], tokenizer)

    @property
    def takes_texts(self) -> bool:
        """True if the model is one for texts."""
        return "input_size" not in self.preprocess

    def open(self, threads: int = 0, *, trust_library: bool = False, own: Own | None = None) -> Run:
        """The model as a function from its inputs to its logits; see `open_engine` and `find_operators`.

        Args:
            threads: of one operator on a CPU; 0 leaves it to the engine.
            trust_library: load the library of operators in the folder, if the model needs one.
            own: gives the library of a digest that this installation brought or compiled, if there is one.

        Raises:
            EdgeError: its engine or its operators are not to be had here, or are not trusted.
        """
        libraries = self.operators(trust_library=trust_library, own=own)
        return open_engine(self.model, self.record["engine"], libraries, threads)

    def operators(self, *, trust_library: bool = False, own: Own | None = None) -> list[Path]:
        """The library of the model's operators for this machine; empty if it needs none. See `find_operators`."""
        return find_operators(self.path, self.record, own, trust_library)

    def inputs(self, given: Sequence[str]) -> dict[str, NDArray[Any]]:
        """The model's inputs for the path of an image, or for a text or a pair of texts.

        Raises:
            EdgeError: the image cannot be read, the tokenizer is missing, or the arguments are of another number.
        """
        if self.takes_texts:
            if not self.tokenizer:
                raise EdgeError("This model came without a tokenizer; feed it token numbers from your own program.")
            found: dict[str, Any] = encode(given, self.preprocess, self.tokenizer)
            return found
        if len(given) != 1:
            raise EdgeError(f"Give the path of one image; got {len(given)} arguments.")
        image = prepare(read_image(given[0], self.preprocess["input_size"][0]), self.preprocess)
        return {name: image.astype(kind) for name, kind in self.record["inputs"].items()}

    def best(self, logits: NDArray[Any], count: int = 5) -> list[dict[str, Any]]:
        """The most probable classes of one sample, the best first; of a model with one output, its value.

        Args:
            logits: (1, classes).
            count: how many at most.
        """
        row = logits[0].astype(np.float64)
        if len(row) == 1:
            return [{"value": float(row[0])}]
        shifted = np.exp(row - row.max())
        shares, order = shifted / shifted.sum(), np.argsort(-row, kind="stable")[:count]
        names = self.labels or tuple(map(str, range(len(row))))
        return [{"label": names[i], "class": int(i), "probability": float(shares[i])} for i in order]
