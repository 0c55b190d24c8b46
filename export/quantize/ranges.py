"""Calibration: the range of every activation that is to become an 8-bit integer."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import count
from math import gcd

import numpy as np
import onnx
import onnx_ir as ir
from numpy.typing import NDArray
from torch import Tensor

from export.errors import CalibrationError
from export.quantize.insert import Ranges, insert
from export.quantize.quantized_sites import QuantizedSite
from export.quantize.running import BATCH, logits_of, open_plain, signal_to_noise_db
from export.runtime.session import run_session
from zoo.data.preprocess import Preprocess

PERCENTILES = (100.0, 99.99, 99.9)
"""Shares of a tensor's values that its range holds, half of the rest cut off on either side; 100 is its extremes."""

# A percentile is taken of about so many values of a tensor per batch.
_VALUES = 2**18


@dataclass(frozen=True)
class Calibration:
    """The ranges chosen.

    Args:
        ranges: for each tensor.
        percentile: one of `PERCENTILES`.
        tried: signal-to-noise ratio in dB of the logits with each percentile, all sites quantised, on images that the
            ranges were not taken from.
    """

    ranges: Ranges
    percentile: float
    tried: dict[float, float]


def calibrate(
    model: ir.Model,
    sites: Iterable[QuantizedSite],
    images: Tensor,
    held_out: Tensor,
    given: Preprocess,
    threads: int | None,
) -> Calibration:
    """Take ranges by each percentile, and keep those with which the logits come closest to float32.

    The range of the input is not measured: it is that of a pixel after the model's preprocessing.

    Args:
        model: the float32 graph.
        sites: what will be quantised.
        images: to take ranges from.
        held_out: others, to choose a percentile on.
        given: the model's preprocessing.
        threads: of the sessions.

    Raises:
        CalibrationError: an activation is NaN or infinite.
    """
    chosen = tuple(sites)
    every = measure(model, _tensors(model, chosen), images, threads)
    low = min((0 - mean) / std for mean, std in zip(given.mean, given.std, strict=True))
    high = max((1 - mean) / std for mean, std in zip(given.mean, given.std, strict=True))
    exact = logits_of(open_plain(model, threads), held_out)
    tried = {}
    for percentile, ranges in every.items():
        ranges[str(model.graph.inputs[0].name)] = (low, high)
        found = logits_of(open_plain(insert(model, chosen, ranges), threads), held_out)
        tried[percentile] = signal_to_noise_db(exact, found)
    best = max(tried, key=lambda percentile: tried[percentile])
    return Calibration(every[best], best, tried)


def measure(
    model: ir.Model, names: list[str], images: Tensor, threads: int | None
) -> dict[float, dict[str, tuple[float, float]]]:
    """For each percentile the range of each tensor: the extremes over all images, or the mean over the batches.

    Raises:
        CalibrationError: an activation is NaN or infinite.
    """
    proto = ir.to_proto(model)
    returned = {output.name for output in proto.graph.output}
    proto.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in returned)
    session = open_plain(proto.SerializeToString(), threads, optimize=False)
    given = session.get_inputs()[0].name
    seen: dict[tuple[float, str], list[tuple[float, float]]] = {}
    for part in images.split(BATCH):
        values = run_session(session, {given: part.contiguous().numpy()}, names)
        for name, value in zip(names, values, strict=True):
            for percentile, ends in _ends(name, value).items():
                seen.setdefault((percentile, name), []).append(ends)
    merge: dict[float, Callable[[list[tuple[float, float]]], tuple[float, float]]] = {100.0: _extremes}
    return {p: {name: merge.get(p, _mean)(seen[p, name]) for name in names} for p in PERCENTILES}


def _tensors(model: ir.Model, sites: tuple[QuantizedSite, ...]) -> list[str]:
    """Every activation that the nodes of the sites read or make, but the graph's input."""
    inside = {name for site in sites for name in site.nodes}
    touched = (v for n in model.graph if n.name in inside for v in (*n.inputs, *n.outputs) if v is not None)
    return list(dict.fromkeys(str(v.name) for v in touched if not v.is_initializer() and not v.is_graph_input()))


def _ends(name: str, value: NDArray[np.float32]) -> dict[float, tuple[float, float]]:
    flat = value.reshape(-1)
    low, high = float(flat.min()), float(flat.max())
    if not np.isfinite([low, high]).all():
        raise CalibrationError(
            f"On the calibration images {name} of the float32 graph becomes NaN or infinite; no range holds it. Use "
            "images like those the model was trained on."
        )
    shares = [share for p in PERCENTILES[1:] for share in ((100 - p) / 2, (100 + p) / 2)]
    cut = np.percentile(flat[:: _stride(flat.size)], shares)
    pairs = zip(PERCENTILES[1:], cut[::2].tolist(), cut[1::2].tolist(), strict=True)
    return {100.0: (low, high)} | {p: (a, b) for p, a, b in pairs}


def _stride(size: int) -> int:
    """From one value to the next; prime to every axis, or some rows, columns or channels would never be seen."""
    return next(stride for stride in count(max(1, size // _VALUES)) if gcd(stride, size) == 1)


def _extremes(ends: list[tuple[float, float]]) -> tuple[float, float]:
    return min(low for low, _ in ends), max(high for _, high in ends)


def _mean(ends: list[tuple[float, float]]) -> tuple[float, float]:
    low, high = np.mean(ends, axis=0).tolist()
    return low, high
