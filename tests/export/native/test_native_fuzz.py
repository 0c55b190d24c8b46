"""1,000 random inputs of every operator against float64, with each set of instructions this processor has."""

from functools import cache

import numpy as np
import pytest
from native_cases import Case, make_cases
from native_models import run_cases

from export.native import OPERATORS

CASES, AT_ONCE = 1000, 100


@cache
def cases_of(name: str) -> list[Case]:
    return make_cases(name, CASES)


@pytest.mark.parametrize("name", OPERATORS)
def test_fuzz(name, isa):
    cases = cases_of(name)
    for start in range(0, CASES, AT_ONCE):
        part = cases[start : start + AT_ONCE]
        for case, found in zip(part, run_cases(part, threads=2), strict=True):
            case.check(found)


def test_cases_cover_what_they_should():
    """The fuzz has empty inputs, scalars, several tasks, and NaN, infinities and denormals."""
    cases = cases_of("Swalu")
    sizes = {case.inputs[0].size for case in cases}
    assert {0, 1} <= sizes
    assert max(sizes) > 2 * 16384
    values = np.concatenate([case.inputs[0].ravel() for case in cases])
    assert np.isnan(values).any()
    assert np.isposinf(values).any()
    assert np.isneginf(values).any()
    assert ((values != 0) & (np.abs(values) < np.finfo(np.float32).tiny)).any()
