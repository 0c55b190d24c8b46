import itertools
import math

import pytest
import torch

from zoo.analysis.classes import KEPT, ClassCounts
from zoo.errors import ConfigurationError
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
    found = TASK.metrics(total)
    assert found.pop("classes") == ClassCounts((), (), ())
    assert found == {"n": 5, "correct1": 0, "correct5": 5, "loss": total.loss_sum / 5}


def test_counts_by_class_are_those_of_torchmetrics():
    from torchmetrics.functional.classification import multiclass_confusion_matrix

    scores = torch.randn(300, 12, generator=torch.Generator().manual_seed(2))
    targets = torch.arange(300) % 11  # no image of the last class
    parts = [TASK.score(scores[i : i + 64], targets[i : i + 64]) for i in range(0, 300, 64)]
    counts = TASK.metrics(TASK.combine(parts))["classes"]
    assert counts.matrix() == multiclass_confusion_matrix(scores, targets, num_classes=12).tolist()
    assert counts.accuracy[-1] is None
    assert sum(counts.correct) == sum(part.correct1 for part in parts)
    assert ClassCounts.from_dict(counts.to_dict()) == counts


def test_of_many_classes_only_the_most_frequent_confusions_are_kept():
    pairs = {(target, (target + step) % 30): 1 + target for target in range(30) for step in range(3)}
    counts = ClassCounts.of(pairs, 30)
    assert counts.matrix() is None
    assert counts.confused[:2] == ((29, 0, 30), (29, 1, 30))
    assert len(counts.confused) == KEPT
    assert counts.accuracy[3] == pytest.approx(100 / 3)
    assert ClassCounts.from_dict(counts.to_dict()) == counts


@pytest.mark.parametrize(
    "wrong",
    [
        {"images": [2]},
        {"correct": [2, 1]},
        {"confused": []},
        {"confused": [[0, 0, 1]]},
        {"confused": [[0, 5, 1]]},
        {"confused": 3},
        {"images": [2.0, 1]},
    ],
)
def test_edited_counts_are_found_out(wrong):
    stored = {"images": [2, 1], "correct": [1, 1], "confused": [[0, 1, 1]]}
    assert ClassCounts.from_dict(stored).matrix() == [[1, 1], [0, 1]]
    with pytest.raises(ConfigurationError, match="by class"):
        ClassCounts.from_dict(stored | wrong)
