"""The verdict of reports/plasticity.py on made-up slopes: every answer can come out."""

import pytest
from experiment import spread
from plasticity import below, judge, movement


def runs(stabiliser: str, *courses: list[float], diverged: str | None = None):
    return [
        {
            "stabiliser": stabiliser,
            "seed": seed,
            "diverged": diverged,
            "watched": [{"epoch": epoch, "slopes": [value]} for epoch, value in enumerate(course)],
        }
        for seed, course in enumerate(courses)
    ]


def answers(found):
    return [point["answer"] for point in found["points"]]


FLAT = [[0.25, 0.05, 0.05, 0.05, 0.06], [0.25, 0.06, 0.06, 0.06, 0.06]]
WILD = [[0.25, 0.4, 0.5, 0.9, 1.4], [0.25, 0.4, 0.5, 0.95, 1.5]]
SETTLED = [[0.25, 0.8, 1.0, 1.2, 1.3], [0.25, 0.8, 1.02, 1.2, 1.31]]


def test_movement_by_hand():
    found = movement(runs("salu", [0.25, 0.5, 0.4, 0.7, 0.6])[0])
    assert found == pytest.approx(
        {"final": 0.6, "total_change": 0.35, "early_change": 0.15, "late_change": 0.2, "late_range": 0.3}
    )


def test_the_papers_picture():
    found = judge([*runs("batchnorm", *FLAT), *runs("none", *WILD), *runs("salu", *SETTLED)])
    assert answers(found) == ["holds"] * 3
    assert found["sentence"].startswith("Of the paper's three observations 3 held here")
    assert "0.300 ±" not in found["points"][0]["found"].split("behind BatchNorm")[0]


def test_the_opposite_picture():
    found = judge([*runs("batchnorm", *WILD), *runs("none", *FLAT), *runs("salu", *SETTLED[::-1])])
    assert answers(found)[:2] == ["does not hold", "does not hold"]
    restless = judge([*runs("batchnorm", *FLAT), *runs("none", *FLAT), *runs("salu", *WILD)])
    assert answers(restless)[2] == "does not hold"
    assert (
        "observations 0 held"
        in judge([*runs("batchnorm", *WILD), *runs("none", *FLAT), *runs("salu", *FLAT)])["sentence"]
    )


def test_equal_runs_and_single_runs_decide_nothing():
    same = judge([*runs("batchnorm", *WILD), *runs("none", *WILD), *runs("salu", *WILD)])
    assert answers(same)[:2] == ["undecided", "undecided"]
    single = judge([*runs("batchnorm", FLAT[0]), *runs("none", WILD[0]), *runs("salu", SETTLED[0])])
    assert answers(single) == ["undecided"] * 3


def test_without_a_finished_run_there_is_no_verdict():
    found = judge([*runs("batchnorm", *FLAT), *runs("none", WILD[0], diverged="not finite"), *runs("salu", *SETTLED)])
    assert found["points"] == []
    assert "no finished run of none" in found["sentence"]
    assert "none (seed 0)" in found["sentence"]


def test_spread_is_mean_and_sample_deviation():
    assert spread([1.0, 3.0]) == (2.0, pytest.approx(2**0.5))
    assert spread([5.0]) == (5.0, None)


@pytest.mark.parametrize(
    ("first", "second", "found"),
    [
        ([1.0, 1.1, 0.9], [2.0, 2.1, 1.9], "holds"),
        ([2.0, 2.1, 1.9], [1.0, 1.1, 0.9], "does not hold"),
        ([1.0, 2.0, 3.0], [1.5, 2.5, 3.5], "undecided"),
        ([1.0], [9.0, 9.0], "undecided"),  # one run says nothing of the spread
        ([1.0, 1.0], [1.0, 1.0], "undecided"),
    ],
)
def test_below(first, second, found):
    assert below("a", "b", {"a": first, "b": second}) == found
