"""Does the slope move as the paper says? Three observations, each judged by numbers that could say the opposite.

With s_e the first PReLU's slope after epoch e of E, and h = E // 2 (all ours; the paper shows curves and no numbers):

- early change |s_h − s_0|, late change |s_E − s_h|, late range max − min over s_h..s_E.
- "BatchNorm holds the slope in a narrow range": its late range is below that under SALU.
- "without stabiliser the slope drifts": its late change is above that under SALU.
- "under SALU it is adaptive and stable": |s_E − s_0| is above that under BatchNorm, and late change below early change.

Means over the seeds closer than two standard errors are undecided (`zoo.studies.numbers.compare`).
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from zoo.studies.numbers import compare, spread

Answer = Literal["holds", "does not hold", "undecided"]
_FIGURES = {"late_range": "range in the second half", "late_change": "change in the second half"}


def movement(run: Mapping[str, Any], layer: int = 0) -> dict[str, float]:
    """How one run's slope moved: `final`, `total_change`, `early_change`, `late_change`, `late_range`."""
    slopes = [row["slopes"][layer] for row in run["watched"]]
    half = (len(slopes) - 1) // 2
    late = slopes[half:]
    return {
        "final": slopes[-1],
        "total_change": abs(slopes[-1] - slopes[0]),
        "early_change": abs(slopes[half] - slopes[0]),
        "late_change": abs(slopes[-1] - slopes[half]),
        "late_range": max(late) - min(late),
    }


def judge(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Judge the three observations.

    Args:
        runs: with `stabiliser`, `watched` and `diverged`; a diverged run counts for nothing but is named.

    Returns:
        `points`, each with `claim`, `answer` and `found`; `sentence`.
    """
    moved: dict[str, list[dict[str, float]]] = {"batchnorm": [], "none": [], "salu": []}
    for run in runs:
        if not run["diverged"]:
            moved[run["stabiliser"]].append(movement(run))
    lost = [f"{run['stabiliser']} (seed {run['seed']})" for run in runs if run["diverged"]]
    ending = f" Diverged and left out: {', '.join(lost)}." if lost else ""
    if not all(moved.values()):
        missing = ", ".join(name for name, found in moved.items() if not found)
        return {"points": [], "sentence": f"No verdict: no finished run of {missing}.{ending}"}
    narrow = "BatchNorm holds the slope in a narrower range than SALU does"
    drift = "without a stabiliser the slope drifts further than under SALU"
    points = [
        _against_salu(moved, narrow, "batchnorm", "below", "late_range"),
        _against_salu(moved, drift, "none", "above", "late_change"),
        _adaptive(moved),
    ]
    held = [point["answer"] for point in points]
    head = f"Of the paper's three observations {held.count('holds')} held here"
    body = "; ".join(f"{point['claim']}: {point['answer']} ({point['found']})" for point in points)
    return {"points": points, "sentence": f"{head}. {body}.{ending}"}


def _values(moved: Mapping[str, list[dict[str, float]]], name: str, figure: str) -> list[float]:
    return [found[figure] for found in moved[name]]


def _shown(moved: Mapping[str, list[dict[str, float]]], name: str, figure: str) -> str:
    mean, std = spread(_values(moved, name, figure))
    return f"{mean:.3f}" if std is None else f"{mean:.3f} ± {std:.3f}"


def _answer(found: str, wanted: str) -> Answer:
    return "undecided" if found == "undecided" else "holds" if found == wanted else "does not hold"


def _against_salu(
    moved: Mapping[str, list[dict[str, float]]], claim: str, other: str, wanted: str, figure: str
) -> dict[str, str]:
    """Whether a figure of `other` lies `wanted` that under SALU."""
    order = compare(_values(moved, other, figure), _values(moved, "salu", figure))
    what, behind = _FIGURES[figure], {"batchnorm": "BatchNorm", "none": "nothing"}[other]
    return {
        "claim": claim,
        "answer": _answer(order, wanted),
        "found": f"{what} {_shown(moved, other, figure)} behind {behind}, {_shown(moved, 'salu', figure)} behind SALU",
    }


def _adaptive(moved: Mapping[str, list[dict[str, float]]]) -> dict[str, str]:
    adapts = _answer(
        compare(_values(moved, "salu", "total_change"), _values(moved, "batchnorm", "total_change")), "above"
    )
    settles = _answer(compare(_values(moved, "salu", "late_change"), _values(moved, "salu", "early_change")), "below")
    both: tuple[Answer, Answer] = (adapts, settles)
    answer: Answer = "does not hold" if "does not hold" in both else "undecided" if "undecided" in both else "holds"
    return {
        "claim": "under SALU the slope adapts more than behind BatchNorm, and settles",
        "answer": answer,
        "found": f"change over the whole training {_shown(moved, 'salu', 'total_change')} behind SALU, "
        f"{_shown(moved, 'batchnorm', 'total_change')} behind BatchNorm; behind SALU "
        f"{_shown(moved, 'salu', 'early_change')} in the first half, {_shown(moved, 'salu', 'late_change')} in the "
        "second",
    }
