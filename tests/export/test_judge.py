"""Verdicts on made-up answers: a file on float64's side of one of FleS's jumps is right, whatever hides the jump."""

from types import SimpleNamespace

import pytest
import torch

from export.parity.judge import Answers, judge
from export.parity.probes import IMAGES, Probe
from export.parity.tolerances import SMALLEST_SCALE, TOLERANCES

LIMIT = TOLERANCES["float32", IMAGES]
TORCH = torch.tensor([[1.0, -2.0], [0.5, 1.0]])


def verdict(candidate, exact, sites=("site",)):
    """No jump is seen by looking inside: what enters the sites is alike on both sides."""
    probe = Probe("images", IMAGES, {"image": torch.zeros(2, 3, 4, 4)})
    edges = SimpleNamespace(
        sites=sites,
        of_torch=lambda _feeds: ({}, TORCH),
        of_file=lambda _feeds: ({}, candidate),
        aligned=lambda _feeds, _inputs: (TORCH, 0),
        exact=lambda _feeds, _inputs: TORCH.double(),
    )
    return judge(Answers(probe, [0, 1], TORCH, candidate, exact), SMALLEST_SCALE, LIMIT, edges)


def moved(row, by):
    other = TORCH.clone()
    other[row] += by
    return other


@pytest.mark.parametrize("by", [3e-5, 1e-3])
def test_on_the_side_of_float64(by):
    found = verdict(moved(1, by), moved(1, by).double())
    assert not found.problems
    assert (found.jumps, found.jump_rel) == (1, pytest.approx(by, rel=0.1))


def test_between_the_sides_is_wrong():
    assert verdict(moved(1, 1e-3), moved(1, 3e-3).double()).problems
    assert verdict(moved(1, 1e-3), moved(0, 1e-3).double()).problems


def test_without_a_jump_there_is_no_excuse():
    assert verdict(moved(1, 1e-3), TORCH.double()).problems
    assert verdict(moved(1, 1e-3), moved(1, 1e-3).double(), sites=()).problems
    assert verdict(moved(1, 1e-3), None).problems
