"""A folder that `zoo export --bundle` wrote: opened, checked, and run on an image or a text."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .engines import Run, open_engine
from .errors import EdgeError
from .images import prepare, read_image
from .operators import check_digest, find_operators
from .texts import encode

RECORD, MODEL, LABELS, PREPROCESS, TOKENIZER = (
    *("bundle.json", "model.onnx"),
    *("labels.txt", "preprocess.json", "tokenizer.json"),
)
FORMAT = 1


@dataclass(frozen=True)
class Folder:
    """A folder's description of its model.

    Args:
        path: the folder.
        record: its bundle.json.
        preprocess: its preprocess.json: how an image or a text becomes the model's input.
        labels: its class names; empty if they are unknown.
    """

    path: Path
    record: dict[str, Any]
    preprocess: dict[str, Any]
    labels: tuple[str, ...]

    @classmethod
    def read(cls, path: str | Path) -> "Folder":
        """Read a folder and compare each of its files with its digest.

        Raises:
            EdgeError: it is no such folder, of a newer format, or a file is missing or changed.
        """
        folder = Path(path)
        try:
            record = json.loads((folder / RECORD).read_text("utf-8"))
            form, digests = record["format"], record["files"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise EdgeError(
                f"{folder} is not a folder that `zoo export --bundle` wrote: {RECORD} is missing or damaged. "
                "Give the whole folder, not a file in it."
            ) from error
        if form != FORMAT:
            raise EdgeError(f"{folder} is of format {form}, this program reads {FORMAT}. Use the run.py in the folder.")
        for name, digest in digests.items():
            check_digest(folder / name, digest)
        labels = (folder / LABELS).read_text("utf-8").splitlines() if LABELS in digests else []
        return cls(folder, record, json.loads((folder / PREPROCESS).read_text("utf-8")), tuple(labels))

    @property
    def takes_texts(self) -> bool:
        """True if the model is one for texts."""
        return "input_size" not in self.preprocess

    def open(self, threads: int = 0) -> Run:
        """The model as a function from its inputs to its logits; see `open_engine`.

        Raises:
            EdgeError: its engine or its operators are not to be had here.
        """
        return open_engine(self.path / MODEL, self.record["engine"], self.operators(), threads)

    def operators(self) -> list[Path]:
        """The library of the model's operators for this machine; empty if it needs none. See `find_operators`."""
        return find_operators(self.path, self.record["operators"])

    def inputs(self, given: Sequence[str]) -> dict[str, NDArray[Any]]:
        """The model's inputs for the path of an image, or for a text or a pair of texts.

        Raises:
            EdgeError: the image cannot be read, the tokenizer is missing, or the arguments are of another number.
        """
        if self.takes_texts:
            if TOKENIZER not in self.record["files"]:
                raise EdgeError("This model came without a tokenizer; feed it token numbers from your own program.")
            found: dict[str, Any] = encode(given, self.preprocess, (self.path / TOKENIZER).read_text("utf-8"))
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
