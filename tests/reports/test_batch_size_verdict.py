"""The verdict of reports/batch_size.py on made-up tables: every outcome can come out."""

import pytest
from batch_size import BASELINE, SALUNET, judge


def rows(network, top1, by_batch=(None, None), diverged=0):
    return [
        {
            "network": network,
            "batch_size": size,
            "top1": value,
            "runs": 1,
            "diverged": diverged if value is None else 0,
            "top1_batch_statistics": other,
        }
        for size, value, other in zip((1, 512), top1, by_batch, strict=True)
    ]


@pytest.mark.parametrize(
    ("salunet", "baseline", "outcome", "words"),
    [
        ((50, 40), (11, 50), "borne out", "BN+ReLU fails and SaluNet-C-18 does not"),
        ((11, 40), (11, 50), "both fail", "both networks fail"),
        ((50, 40), (45, 50), "neither fails", "neither network fails"),
        ((11, 40), (45, 50), "the reverse", "SaluNet-C-18 fails and BN+ReLU does not"),
        ((50, 40), (10, 12), "no answer", "BN+ReLU learned nothing"),
        ((None, 40), (45, 50), "the reverse", "1 of 1 runs diverged"),
        ((None, None), (45, 50), "no answer", "SaluNet-C-18 diverged at every batch size"),
    ],
)
def test_outcomes(salunet, baseline, outcome, words):
    found = judge([*rows(SALUNET, salunet, diverged=1), *rows(BASELINE, baseline)], chance=10)
    assert found["outcome"] == outcome
    assert words in found["sentence"]


def test_half_of_the_best_above_chance_is_the_border():
    at = judge([*rows(SALUNET, (50, 50)), *rows(BASELINE, (30.0, 50))], chance=10)
    below = judge([*rows(SALUNET, (50, 50)), *rows(BASELINE, (29.9, 50))], chance=10)
    assert (at["outcome"], below["outcome"]) == ("neither fails", "borne out")
    assert below["fails"] == {SALUNET: [], BASELINE: [1]}
    assert (
        "BN+ReLU reaches 30.00 % there; its best is 50.00 % at batch size 512, of whose lead over chance it keeps 50 %."
        in at["sentence"]
    )


@pytest.mark.parametrize(("by_batch", "words"), [(45, "its weights did learn"), (12, "learned too little as well")])
def test_the_diagnosis_says_where_the_fault_lies(by_batch, words):
    found = judge([*rows(SALUNET, (50, 50)), *rows(BASELINE, (11, 50), (by_batch, 50))], chance=10)
    assert words in found["sentence"]
    fine = judge([*rows(SALUNET, (50, 50)), *rows(BASELINE, (45, 50), (by_batch, 50))], chance=10)
    assert "evaluation batch" not in fine["sentence"]
