import pytest

from zoo.benchmarks.time_statistics import Ratio, Times


def test_median_and_quartiles_in_milliseconds():
    assert Times.of([0.005, 0.001, 0.004, 0.002, 0.003]) == Times(median_ms=3.0, q1_ms=2.0, q3_ms=4.0)


def test_a_machine_that_slows_down_changes_no_ratio():
    found = Ratio.of([2, 4, 20], [1, 2, 10])
    assert (found.median, found.low, found.high) == (2, 2, 2)
    assert Ratio.of([1, 1, 1], [2, 2, 2]).median == 0.5


def test_quotients_are_taken_turn_by_turn():
    """The medians 10 and 2 would give 5; the quotients are 10, 5 and 1."""
    assert Ratio.of([10, 10, 10], [1, 2, 10]).median == 5
    assert Ratio.of([1, 10, 12], [1, 5, 2]).median == 2


def test_the_interval_holds_the_median_and_repeats():
    own = [1.0 + 0.01 * k for k in range(20)]
    found = Ratio.of(own, [1.0] * 20)
    assert found == Ratio.of(own, [1.0] * 20)
    assert found.median == pytest.approx(1.095)
    assert own[0] < found.low < found.median < found.high < own[-1]
    narrow = Ratio.of([1.0 + 0.001 * k for k in range(20)], [1.0] * 20)
    assert narrow.high - narrow.low == pytest.approx((found.high - found.low) / 10)


def test_both_sides_have_as_many_turns():
    with pytest.raises(ValueError, match="zip"):
        Ratio.of([1, 2], [1])
