import itertools
import math

import pytest
import torch

from zoo.evaluation.classification import Classification, ClassificationSums

TASK = Classification()


def test_counts_and_loss_of_a_batch():
    scores = torch.tensor([[4.0, 3, 2, 1, 0, -1], [0, 1, 2, 3, 4, 5], [0, 0, 0, 0, 0, 9]])
    sums = TASK.score(scores, torch.tensor([0, 1, 0]))
    expected = sum(
        math.log(sum(math.exp(v) for v in row)) - row[t] for row, t in zip(scores.tolist(), (0, 1, 0), strict=True)
    )
    assert (sums.n, sums.correct1, sums.correct5) == (3, 1, 3)
    assert sums.loss_sum == pytest.approx(expected, rel=1e-14)


def test_agrees_with_topk_on_random_scores():
    scores = torch.randn(500, 20, generator=torch.Generator().manual_seed(1))
    targets = torch.arange(500) % 20
    sums = TASK.score(scores, targets)
    found = scores.topk(5).indices == targets[:, None]
    assert (sums.correct1, sums.correct5) == (int(found[:, 0].sum()), int(found.sum()))


@pytest.mark.parametrize(("target", "correct1", "correct5"), [(0, 1, 1), (1, 0, 1), (4, 0, 1), (5, 0, 0)])
def test_ties_go_to_the_lower_class(target, correct1, correct5):
    sums = TASK.score(torch.zeros(1, 8), torch.tensor([target]))
    assert (sums.correct1, sums.correct5) == (correct1, correct5)


def test_fewer_than_five_classes():
    assert TASK.score(torch.tensor([[2.0, 1.0]]), torch.tensor([1])).correct5 == 1


def test_the_order_of_the_batches_leaves_no_trace():
    parts = [ClassificationSums(1, 0, 1, value) for value in (1e16, 1.0, -1e16, 1e-3, 0.1)]
    totals = {TASK.combine(order) for order in itertools.permutations(parts)}
    assert len(totals) == 1
    total = totals.pop()
    assert (total.n, total.correct1, total.correct5) == (5, 0, 5)
    assert TASK.metrics(total) == {"n": 5, "correct1": 0, "correct5": 5, "loss": total.loss_sum / 5}
