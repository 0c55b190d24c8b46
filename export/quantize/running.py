"""Running a graph on images, and how far two tables of logits are apart."""

from collections.abc import Iterator

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray
from torch import Tensor

from export.runtime.session import Session, open_session, run_session

BATCH = 16
# Beyond this two tables of float32 are the same for all that matters; JSON knows no infinity.
_MOST_DB = 150.0


def open_plain(model: ir.Model | bytes, threads: int | None, *, optimize: bool = True) -> Session:
    """A session on a graph that is opened once: not brought into this machine's layout."""
    file = model if isinstance(model, bytes) else ir.to_proto(model).SerializeToString()
    return open_session(file, threads=threads, spin=False, optimize=optimize, arranged=False)


def logits_of(session: Session, images: Tensor) -> NDArray[np.float32]:
    """The first output for all images."""
    return np.concatenate([run_session(session, {session.get_inputs()[0].name: part})[0] for part in _parts(images)])


def _parts(images: Tensor) -> Iterator[NDArray[np.float32]]:
    for part in images.split(BATCH):
        yield part.contiguous().numpy()


def signal_to_noise_db(exact: NDArray[np.float32], found: NDArray[np.float32]) -> float:
    """10·log10(Σ f² / Σ (g - f)²) of logits, each row less its mean, which no probability depends on."""
    signal = exact.astype(np.float64) - exact.mean(axis=1, keepdims=True, dtype=np.float64)
    noise = found.astype(np.float64) - found.mean(axis=1, keepdims=True, dtype=np.float64) - signal
    power, error = float(np.square(signal).sum()), float(np.square(noise).sum())
    if not np.isfinite(error):
        return -_MOST_DB
    if power == 0.0 or error == 0.0:
        return _MOST_DB if error == 0.0 else -_MOST_DB
    return float(np.clip(10 * np.log10(power / error), -_MOST_DB, _MOST_DB))
