"""Which side jumped: verdicts of the invariance check on made-up runtimes."""

import re
from types import SimpleNamespace

import pytest
import torch
from tiny_text_model import some_tokens

from export import TextInputSpec
from export.parity.invariance import InvarianceCheck
from export.parity.tolerances import PADDING, TOLERANCES

LIMIT = TOLERANCES["float32", PADDING]
TEXT = some_tokens(1, 3)


def ran(torch_alone, torch_padded, file_alone, file_padded, explained=(), exact=None):
    """The figures of one text in runtimes with these logits; `aligned` gives those that are `explained` by a jump."""

    def gives(alone, padded):
        return lambda feeds: torch.tensor([[alone if feeds["input_ids"].shape[1] == 3 else padded]])

    torch_side, file_side = gives(torch_alone, torch_padded), gives(file_alone, file_padded)
    sides = SimpleNamespace(torch=torch_side, runtime=file_side, exact=exact or (lambda _feeds: None))

    def entering(side):
        return lambda feeds: ({"site": side(feeds)[:, :, None]}, side(feeds))

    def aligned(_text, there):
        value = float(there["site"])
        found = value if round(value, 3) in explained else torch_alone
        return torch.tensor([[found]]), int(abs(found - torch_alone) > 1e-6)

    def aligned_exact(feeds, _there):
        return sides.exact(feeds)

    edges = SimpleNamespace(
        sites=("site",),
        of_torch=entering(torch_side),
        of_file=entering(file_side),
        aligned=aligned,
        exact=aligned_exact,
    )
    check = InvarianceCheck([TEXT], TextInputSpec(8, 20), sides, edges, LIMIT)
    return next(check.run([], 1.0))


@pytest.mark.parametrize(
    "logits",
    [(1.0, 1.1, 1.0, 1.0), (1.0, 1.0, 1.0, 1.1), (1.0, 1.0, 1.1, 1.0), (1.1, 1.1, 1.0, 1.1)],
    ids=["PyTorch padded", "file padded", "file alone", "file alone, PyTorch on the other side"],
)
def test_whichever_side_jumped_is_told(logits):
    found = ran(*logits, explained=(1.0, 1.1))
    assert not found.problems
    assert found.jumps == 1
    assert found.jump_change == pytest.approx(0.1, rel=0.1)
    assert max(found.torch, found.onnxruntime) <= LIMIT.max_rel


@pytest.mark.parametrize("logits", [(1.0, 1.1, 1.0, 1.0), (1.0, 1.0, 1.0, 1.1), (1.0, 1.0, 1.1, 1.0)])
def test_what_no_jump_explains_is_a_problem(logits):
    found = ran(*logits)
    assert len(found.problems) == 1
    assert re.search(r"a text of 3 tokens change by (1.00e-01|9.09e-02) of their size at length 4", found.problems[0])
    assert (found.jumps, found.jump_change) == (0, 0.0)


def test_nan_is_a_problem():
    assert len(ran(1.0, 1.0, 1.0, float("nan")).problems) == 1


def test_nothing_changes():
    found = ran(1.0, 1.0, 2.0, 2.0)
    assert (found.torch, found.onnxruntime, found.problems, found.lengths) == (0.0, 0.0, (), ((3, 4),))


@pytest.mark.parametrize(("own", "passes"), [(1e-5, True), (2e-6, False), (1.0, False)])
def test_a_text_that_float32_loses_digits_on_may_move_by_them(own, passes):
    """Four of PyTorch's own errors, and never more than `most`."""
    moved = 3e-5 if own < 1 else 2 * LIMIT.most

    def exact(feeds):
        value = 1.0 + (own if feeds["input_ids"].shape[1] == 3 else moved)
        return torch.tensor([[value]], dtype=torch.float64)

    found = ran(1.0, 1.0 + moved, 1.0, 1.0, exact=exact)
    assert (not found.problems) == passes
    assert found.allowed == pytest.approx(min(LIMIT.most, max(LIMIT.max_rel, 4 * own)), rel=0.2)
