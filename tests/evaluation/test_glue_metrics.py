"""The official metrics against their definitions, worked out in plain Python."""

import math
from collections import Counter

import pytest
import torch

from zoo.data.glue import GLUE
from zoo.errors import ConfigurationError
from zoo.evaluation import official_metrics
from zoo.evaluation.glue_metrics import count_correct, mean_loss

COUNT = 500


def drawn(task):
    """Logits with some skill, and labels."""
    generator = torch.Generator().manual_seed(0)
    spec = GLUE.get(task)
    if not spec.labels:
        labels = (torch.rand(COUNT, generator=generator) * 20).round() / 4
        return spec, (labels + torch.randn(COUNT, generator=generator))[:, None], labels
    labels = torch.randint(spec.num_outputs, (COUNT,), generator=generator)
    logits = torch.randn(COUNT, spec.num_outputs, generator=generator)
    return spec, logits + torch.nn.functional.one_hot(labels, spec.num_outputs), labels


def table(logits, labels):
    """Counts of (found, wanted) for two classes: tp, fp, fn, tn."""
    counts = Counter(zip(logits.argmax(1).tolist(), labels.tolist(), strict=True))
    return counts[1, 1], counts[1, 0], counts[0, 1], counts[0, 0]


def ranks(values):
    """Ranks from 1; equal values share the mean of theirs."""
    order = sorted(range(len(values)), key=values.__getitem__)
    result = [0.0] * len(values)
    for i in order:
        same = [k for k, j in enumerate(order) if values[j] == values[i]]
        result[i] = sum(same) / len(same) + 1
    return result


def correlation(first, second):
    a, b = (sum(values) / len(values) for values in (first, second))
    covariance = sum((x - a) * (y - b) for x, y in zip(first, second, strict=True))
    return covariance / math.sqrt(sum((x - a) ** 2 for x in first) * sum((y - b) ** 2 for y in second))


@pytest.mark.parametrize("task", ["sst2", "mnli"])
def test_accuracy(task):
    spec, logits, labels = drawn(task)
    right = int((logits.argmax(1) == labels).sum())
    assert COUNT // 4 < right < COUNT
    assert official_metrics(spec, logits, labels) == {"accuracy": pytest.approx(right / COUNT, abs=1e-7)}
    assert count_correct(spec, logits, labels) == right


def test_f1_is_that_of_class_one():
    spec, logits, labels = drawn("mrpc")
    tp, fp, fn, _ = table(logits, labels)
    found = official_metrics(spec, logits, labels)
    assert list(found) == ["accuracy", "f1"]
    assert found["f1"] == pytest.approx(2 * tp / (2 * tp + fp + fn), abs=1e-6)


def test_matthews_correlation():
    spec, logits, labels = drawn("cola")
    tp, fp, fn, tn = table(logits, labels)
    wanted = (tp * tn - fp * fn) / math.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
    assert official_metrics(spec, logits, labels) == {"matthews_correlation": pytest.approx(wanted, abs=1e-6)}


@pytest.mark.parametrize("found", [0, 1])
@pytest.mark.parametrize("wanted", [[0, 1, 1, 1], [1, 1, 1, 1], [0, 0, 0, 0]])
def test_matthews_correlation_of_one_class_is_zero(found, wanted):
    logits = torch.zeros(4, 2)
    logits[:, found] = 1
    assert official_metrics(GLUE.get("cola"), logits, torch.tensor(wanted)) == {"matthews_correlation": 0.0}


def test_correlations_with_ties():
    spec, logits, labels = drawn("stsb")
    assert len(labels.unique()) < 25
    scores, wanted = logits[:, 0].tolist(), labels.tolist()
    found = official_metrics(spec, logits, labels)
    assert list(found) == ["pearson", "spearman"]
    assert found["pearson"] == pytest.approx(correlation(scores, wanted), abs=1e-6)
    assert found["spearman"] == pytest.approx(correlation(ranks(scores), ranks(wanted)), abs=1e-5)
    assert count_correct(spec, logits, labels) is None


@pytest.mark.parametrize(
    ("logits", "labels"), [([1.0, 1.0, 1.0], [0.0, 1.0, 2.0]), ([1.0, 2.0], [3.0, 3.0]), ([1.0], [2.0])]
)
def test_a_correlation_that_is_not_defined(logits, labels):
    with pytest.raises(ConfigurationError, match=r"[Cc]orrelation"):
        official_metrics(GLUE.get("stsb"), torch.tensor(logits)[:, None], torch.tensor(labels))


def test_ties_go_to_the_lower_class():
    assert official_metrics(GLUE.get("sst2"), torch.zeros(4, 2), torch.tensor([0, 0, 0, 1])) == {"accuracy": 0.75}


def test_losses():
    spec, logits, labels = drawn("mnli")
    rows = zip(logits.double().tolist(), labels.tolist(), strict=True)
    wanted = sum(math.log(sum(map(math.exp, row))) - row[label] for row, label in rows) / COUNT
    assert mean_loss(spec, logits, labels) == pytest.approx(wanted, rel=1e-12)
    spec, logits, labels = drawn("stsb")
    wanted = sum((x - y) ** 2 for x, y in zip(logits[:, 0].tolist(), labels.tolist(), strict=True)) / COUNT
    assert mean_loss(spec, logits, labels) == pytest.approx(wanted, rel=1e-12)
