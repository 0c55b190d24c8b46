import pytest

from zoo.studies.numbers import binomial_error, compare, spread


def test_spread_is_mean_and_sample_deviation():
    assert spread([1.0, 3.0]) == (2.0, pytest.approx(2**0.5))
    assert spread([5.0]) == (5.0, None)


@pytest.mark.parametrize(
    ("first", "second", "found"),
    [
        ([1.0, 1.1, 0.9], [2.0, 2.1, 1.9], "below"),
        ([2.0, 2.1, 1.9], [1.0, 1.1, 0.9], "above"),
        ([1.0, 2.0, 3.0], [1.5, 2.5, 3.5], "undecided"),
        ([1.0], [9.0, 9.0], "undecided"),  # one run says nothing of the spread
        ([1.0, 1.0], [1.0, 1.0], "undecided"),
    ],
)
def test_compare(first, second, found):
    assert compare(first, second) == found


def test_binomial_error_of_half_of_10000_is_half_a_point():
    assert binomial_error(50, 10_000) == pytest.approx(0.5)
    assert binomial_error(100, 10_000) == 0
