"""Sensitivity of the sites to integers: each of them quantised alone, the worst first."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import onnx_ir as ir
from torch import Tensor

from export.quantize.insert import Ranges, insert
from export.quantize.quantized_sites import QuantizedSite
from export.quantize.running import logits_of, open_plain, signal_to_noise_db


@dataclass(frozen=True, kw_only=True)
class Sensitivity:
    """One site.

    Args:
        name: of the site.
        nodes: its nodes.
        signal_to_noise_db: of the logits, with this site in integers and all others in float32.
    """

    name: str
    nodes: tuple[str, ...]
    signal_to_noise_db: float


def rank(
    model: ir.Model,
    sites: Iterable[QuantizedSite],
    ranges: Ranges,
    images: Tensor,
    threads: int | None,
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> tuple[Sensitivity, ...]:
    """The sites by how much they change the logits, the worst first.

    The noise of one site alone: noises of several are nearly uncorrelated and add up, so leaving out the first ones of
    this list takes the most away.

    Args:
        model: the float32 graph.
        sites: its sites.
        ranges: of their tensors.
        images: to measure on.
        threads: of the sessions.
        on_progress: called after each site with how many are done and how many there are.
    """
    every = tuple(sites)
    exact = logits_of(open_plain(model, threads), images)
    found = []
    for site in every:
        logits = logits_of(open_plain(insert(model, [site], ranges), threads), images)
        ratio = signal_to_noise_db(exact, logits)
        found.append(Sensitivity(name=site.name, nodes=site.nodes, signal_to_noise_db=ratio))
        on_progress(len(found), len(every))
    return tuple(sorted(found, key=lambda entry: entry.signal_to_noise_db))
