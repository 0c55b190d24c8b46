"""Verdicts of the invariance check on made-up runtimes, whose one mean of FleS is their logit's whole part."""

import re

import pytest
import torch
from tiny_text_model import some_tokens

from export import TextInputSpec
from export.parity.given import Ran
from export.parity.invariance import InvarianceCheck
from export.parity.tolerances import PADDING, TOLERANCES

LIMIT = TOLERANCES["float32", PADDING]
TEXT = some_tokens(1, 3)


class MadeUp:
    """Runtimes with these logits for one text; PyTorch gives a mean back as its logit, off by `error`."""

    def __init__(self, torch_alone, torch_padded, file_alone, file_padded, error=0.0, gap=0.0, same=True):
        self.logits = {"torch": (torch_alone, torch_padded), "file": (file_alone, file_padded)}
        self.error, self.gap, self.same = error, gap, same

    def _ran(self, side, feeds):
        logit = torch.tensor([[self.logits[side][feeds["input_ids"].shape[1] > 3]]])
        return Ran(logit, {"site": [logit]}, same=self.same or side == "torch")

    def runtime(self, feeds):
        return self._ran("file", feeds)

    def torch(self, feeds, given):
        if not given:
            return self._ran("torch", feeds)
        return Ran(given["site"][0] + self.error, given, {"site": torch.tensor([self.gap])})

    def exact(self, feeds, means):
        return means["site"][0].double() + self.error


def ran(*logits, **options):
    check = InvarianceCheck([TEXT], TextInputSpec(8, 20), MadeUp(*logits, **options), LIMIT)
    return next(check.run([], 1.0))


JUMPS = {
    "PyTorch padded": (1.0, 1.1, 1.0, 1.0),
    "file padded": (1.0, 1.0, 1.0, 1.1),
    "file alone": (1.0, 1.0, 1.1, 1.0),
    "file alone, PyTorch on the other side": (1.1, 1.1, 1.0, 1.1),
}


@pytest.mark.parametrize("logits", JUMPS.values(), ids=JUMPS.keys())
def test_whichever_side_jumped_the_means_explain_it(logits):
    found = ran(*logits)
    assert not found.problems
    assert max(found.torch, found.onnxruntime) <= LIMIT.max_rel


@pytest.mark.parametrize(
    "wrong",
    [{"error": 1e-3}, {"gap": 1e-2}, {"gap": float("inf")}],
    ids=["other logits", "a mean that cannot be", "inf"],
)
@pytest.mark.parametrize("logits", JUMPS.values(), ids=JUMPS.keys())
def test_what_no_mean_explains_is_a_problem(logits, wrong):
    found = ran(*logits, **wrong)
    assert len(found.problems) == 1
    assert re.search(
        r"a text of 3 tokens change by (1.00e-03|9.99e-04|inf) of their size at length 4", found.problems[0]
    )


def test_means_of_another_program_explain_nothing():
    assert len(ran(1.0, 1.0, 1.0, 1.1, same=False).problems) == 1


@pytest.mark.parametrize("logits", [(1.0, 1.0, 1.0, float("nan")), (1.0, 1.0, float("nan"), 1.0)])
def test_nan_is_a_problem(logits):
    assert len(ran(*logits).problems) == 1


def test_nothing_changes():
    found = ran(1.0, 1.0, 2.0, 2.0, error=1.0)
    assert (found.torch, found.onnxruntime, found.problems, found.lengths) == (0.0, 0.0, (), ((3, 4),))
