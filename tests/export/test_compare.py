"""Figures and verdicts of one probe."""

import math

import pytest
import torch

from export.parity.compare_outputs import allowance, compare, failures
from export.parity.probes import EXTREME, IMAGES
from export.parity.tolerances import ILL_CONDITIONED, TOLERANCES
from export.targets import TARGETS, get_target

STRICT, EDGE = TOLERANCES["float32", IMAGES], TOLERANCES["float32", EXTREME]


def test_figures_of_a_known_pair():
    reference = torch.tensor([[4.0, 1.0], [0.0, -2.0]])
    found = compare(reference, torch.tensor([[4.0, 1.0], [0.5, -2.0]]), reference.double())
    assert (found.n, found.max_abs, found.max_rel) == (2, 0.5, 0.25)
    assert found.cosine == pytest.approx(2 / math.sqrt(4.25))
    assert (found.max_rel_float64, found.own_rel_float64) == (0.25, 0.0)
    assert (found.top1_changed, found.new_nans, found.undefined) == (0, 0, 0)


def test_verdicts():
    reference = torch.tensor([[1.0, 1.0 - 5e-6]])
    same = compare(reference, reference)
    assert failures(same, STRICT) == ()
    assert (same.max_rel, same.cosine) == (0.0, pytest.approx(1.0))
    flipped = compare(reference, reference.flip(1))
    assert failures(flipped, STRICT) == ("another first class on 1 of 1 samples",)
    assert failures(flipped, EDGE) == ()
    assert "relative difference 2.00e-05" in failures(compare(reference, reference + 2e-5), STRICT)[0]


def test_nan_of_the_runtime_alone_always_fails():
    reference = torch.tensor([[1.0, 2.0]])
    found = compare(reference, torch.tensor([[float("nan"), 2.0]]))
    assert found.new_nans == 1
    assert len(failures(found, EDGE)) == 2
    assert found.max_rel == math.inf
    assert failures(compare(reference, torch.tensor([[math.inf, 2.0]])), EDGE)


def test_undefined_extremes_of_torch_are_not_judged():
    reference = torch.tensor([[float("nan"), math.inf, 2.0]])
    found = compare(reference, torch.tensor([[1.0, 1.0, 2.0]]))
    assert (found.undefined, found.new_nans, found.max_rel) == (2, 0, 0.0)
    assert failures(compare(reference, torch.tensor([[1.0, float("nan"), 2.0]])), EDGE)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_images_on_which_torch_itself_is_undefined_fail(value):
    reference = torch.full((2, 3), value)
    found = compare(reference, reference, reference.double())
    assert found.undefined == 6
    assert failures(found, STRICT) == ("6 logits of PyTorch itself are NaN or infinite",)
    assert failures(found, EDGE) == ()


def test_ill_conditioned_extremes_are_judged_by_torch_own_error():
    exact = torch.tensor([[1.0]], dtype=torch.float64)
    found = compare(torch.tensor([[1.0 + 4e-4]]), torch.tensor([[1.0 - 4e-4]]), exact)
    assert failures(found, EDGE) == ()
    assert failures(found, STRICT)
    assert allowance(found, EDGE) == pytest.approx(4e-3, rel=1e-3)


def test_beyond_one_percent_of_torch_own_error_only_nan_and_infinity_are_judged():
    exact = torch.tensor([[1.0, 0.0]], dtype=torch.float64)
    reference = torch.tensor([[1.01, 0.0]])
    found = compare(reference, torch.tensor([[7.0, 0.0]]), exact)
    assert allowance(found, EDGE) > ILL_CONDITIONED
    assert failures(found, EDGE) == ()
    for bad in (math.nan, math.inf):
        assert failures(compare(reference, torch.tensor([[bad, 0.0]]), exact), EDGE)


def test_zero_and_denormal_logits_are_comparable():
    zero = torch.zeros(1, 3)
    assert failures(compare(zero, zero), STRICT) == ()
    assert compare(zero, zero).cosine == 1.0
    assert failures(compare(zero + 1e-40, zero), STRICT) == ()


def test_every_target_has_its_tolerances_with_a_reason():
    for name in TARGETS:
        for precision in get_target(name).precisions:
            for kind in (IMAGES, EXTREME):
                assert len(TOLERANCES[precision, kind].reason) > 40
