"""Does BatchNorm fail at batch size 1 where SaluNet does not? Answered from the table alone.

A network fails at a batch size if a run of it diverged there, or if what it reaches above chance is less than half of
what it reaches above chance at its best batch size [ours]. Each network is its own measure, since in so short a
training their levels differ. A network that nowhere comes half as far again as chance has learned nothing to lose.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from zoo.studies.batch_size.cells import BASELINE, SALUNET

Outcome = Literal["borne out", "both fail", "neither fails", "the reverse", "no answer"]
SHARE = 0.5
LEARNED = 1.5
_SENTENCES: dict[Outcome, str] = {
    "borne out": "The paper's claim is borne out: at batch size {size} {baseline} fails and {salunet} does not.",
    "both fail": "The paper's claim is not borne out: at batch size {size} both networks fail.",
    "neither fails": "The paper's claim is not borne out: at batch size {size} neither network fails.",
    "the reverse": "The paper's claim is reversed: at batch size {size} {salunet} fails and {baseline} does not.",
    "no answer": "No answer: {idle} learned nothing at any batch size.",
}


def judge(rows: Sequence[Mapping[str, Any]], chance: float) -> dict[str, Any]:
    """Judge the smallest batch size of the table.

    Args:
        rows: of `zoo.studies.batch_size.report.table`.
        chance: Top-1 of guessing, percent.

    Returns:
        `outcome`, `batch_size`, `fails` (network to the batch sizes it fails at), `sentence`.
    """
    networks = (SALUNET.label, BASELINE.label)
    size = min(row["batch_size"] for row in rows)
    fails = {
        name: [row["batch_size"] for row in rows if row["network"] == name and _fails(row, rows, chance)]
        for name in networks
    }
    idle = [name for name in networks if not _best(name, rows) > LEARNED * chance]
    outcome: Outcome = "no answer" if idle else _outcome(size in fails[SALUNET.label], size in fails[BASELINE.label])
    sentence = _SENTENCES[outcome].format(
        size=size, baseline=BASELINE.label, salunet=SALUNET.label, idle=" and ".join(idle)
    )
    details = " ".join(_describe(name, size, rows, chance) for name in networks)
    return {
        "outcome": outcome,
        "batch_size": size,
        "chance": chance,
        "fails": fails,
        "sentence": " ".join([sentence, details, *_diagnosis(rows, size, fails, chance)]),
    }


def _outcome(salunet: bool, baseline: bool) -> Outcome:
    if salunet:
        return "both fail" if baseline else "the reverse"
    return "borne out" if baseline else "neither fails"


def _best(network: str, rows: Sequence[Mapping[str, Any]]) -> float:
    """Highest Top-1 of a network over the batch sizes; -inf if it diverged at all of them."""
    return max(
        (row["top1"] for row in rows if row["network"] == network and row["top1"] is not None), default=-math.inf
    )


def _fails(row: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], chance: float) -> bool:
    return bool(row["diverged"]) or row["top1"] - chance < SHARE * (_best(row["network"], rows) - chance)


def _describe(network: str, size: int, rows: Sequence[Mapping[str, Any]], chance: float) -> str:
    own = {row["batch_size"]: row for row in rows if row["network"] == network}
    known = [row for row in own.values() if row["top1"] is not None]
    if not known:
        return f"{network} diverged at every batch size."
    best = max(known, key=lambda row: row["top1"])
    here = own[size]
    lost = f", {here['diverged']} of {here['runs']} runs diverged" if here["diverged"] else ""
    reached = "reaches no result" if here["top1"] is None else f"reaches {here['top1']:.2f} %"
    level = f"{network} {reached} there{lost}; its best is {best['top1']:.2f} % at batch size {best['batch_size']}"
    if here["top1"] is None or best["top1"] <= chance:
        return f"{level}."
    kept = max(0.0, here["top1"] - chance) / (best["top1"] - chance)
    return f"{level}, of whose lead over chance it keeps {100 * kept:.0f} %."


def _diagnosis(
    rows: Sequence[Mapping[str, Any]], size: int, fails: Mapping[str, list[int]], chance: float
) -> list[str]:
    """What BatchNorm reaches there with the statistics of each evaluation batch in place of its running averages."""
    name = BASELINE.label
    row = next(row for row in rows if (row["network"], row["batch_size"]) == (name, size))
    found = row["top1_batch_statistics"]
    if size not in fails[name] or found is None:
        return []
    enough = found - chance >= SHARE * (_best(name, rows) - chance)
    cause = (
        "its weights did learn, and the running averages are what fails"
        if enough
        else "its weights learned too little as well, so the running averages are not the only fault"
    )
    instead = "With the statistics of each evaluation batch instead of its running averages it reaches"
    return [f"{instead} {found:.2f} %: {cause}."]
