"""Output of a finished run: model and tokenizer, written by transformers, each file put in place whole."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from zoo.errors import OutputError
from zoo.weights.tag import WEIGHTS_FILE

_STAGING = ".saving."


def save_model(model: Any, tokenizer: Any, folder: Path) -> None:
    """Let transformers save into a folder beside the final place, then move every file, the weights last.

    Raises:
        OutputError: the folder cannot be written, or is full.
    """
    with writing(folder), tempfile.TemporaryDirectory(dir=folder, prefix=_STAGING) as staging:
        model.save_pretrained(staging)
        tokenizer.save_pretrained(staging)
        for file in sorted(Path(staging).iterdir(), key=lambda file: file.name == WEIGHTS_FILE):
            file.replace(folder / file.name)


def remove_leftovers(folder: Path) -> None:
    """Remove what a kill in the middle of `save_model` left."""
    for staging in folder.glob(f"{_STAGING}*"):
        shutil.rmtree(staging)


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Explain the errors of transformers in words while it writes into `folder`.

    Raises:
        OutputError: the folder cannot be written, or is full.
    """
    from safetensors import SafetensorError

    try:
        yield
    except (OSError, SafetensorError) as error:
        raise OutputError(
            f"Cannot write in {folder}: {error}. Make room or choose another folder (--output); with --resume the run "
            "goes on from its last checkpoint."
        ) from error
