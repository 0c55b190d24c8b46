"""Random inputs of every operator against float64, with each set of instructions this processor has."""

from functools import cache

import numpy as np
import pytest
from native_cases import Case, make_cases
from native_models import run_cases

from export.native import OPERATORS

FEW, MANY, AT_ONCE = 200, 1000, 100


@cache
def cases_of(name: str, count: int) -> list[Case]:
    return make_cases(name, count)


@pytest.mark.parametrize("count", [FEW, pytest.param(MANY, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", OPERATORS)
def test_fuzz(name, count, isa):
    cases = cases_of(name, count)
    for start in range(0, count, AT_ONCE):
        part = cases[start : start + AT_ONCE]
        for case, found in zip(part, run_cases(part, threads=2), strict=True):
            case.check(found)


def test_cases_cover_what_they_should():
    """The fuzz has empty inputs, scalars, several tasks, and NaN, infinities and denormals."""
    cases = cases_of("Swalu", FEW)
    sizes = {case.inputs[0].size for case in cases}
    assert {0, 1} <= sizes
    assert max(sizes) > 2 * 16384
    values = np.concatenate([case.inputs[0].ravel() for case in cases])
    assert np.isnan(values).any()
    assert np.isposinf(values).any()
    assert np.isneginf(values).any()
    assert ((values != 0) & (np.abs(values) < np.finfo(np.float32).tiny)).any()
