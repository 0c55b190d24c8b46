"""Classification: Top-1, Top-5, cross entropy and the counts by class, exact to the sample."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zoo.analysis.classes import ClassCounts

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class ClassificationSums:
    """Counts and summed loss of some images.

    Args:
        n: images.
        correct1: those whose class scored highest.
        correct5: those whose class was among the five highest.
        loss_sum: sum of their cross entropies.
        pairs: (class, predicted class, images), sorted; each pair once.
        num_classes: how many classes there are.
    """

    n: int
    correct1: int
    correct5: int
    loss_sum: float
    pairs: tuple[tuple[int, int, int], ...] = ()
    num_classes: int = 0


class Classification:
    """Top-1, Top-5 and mean cross entropy of single-label classification.

    An image counts for Top-k if fewer than k classes rank above its own. Among equal scores the lower class number
    ranks first, so the count does not depend on how a device's `topk` breaks ties. With fewer than five classes Top-5
    is 100 %. The loss is -log softmax(scores)[class] without label smoothing, in float64.
    """

    def score(self, outputs: "Tensor", targets: "Tensor") -> ClassificationSums:
        """The sums of one batch.

        Args:
            outputs: scores (n, classes), finite.
            targets: class numbers (n,).
        """
        import torch
        from torch.nn.functional import cross_entropy

        scores = outputs.double()
        own = scores.gather(1, targets[:, None])
        lower = torch.arange(scores.shape[1])[None, :] < targets[:, None]
        rank = ((scores > own) | ((scores == own) & lower)).sum(dim=1)
        # Of equal scores argmax gives the lower class number as well.
        pairs = Counter(zip(targets.tolist(), scores.argmax(dim=1).tolist(), strict=True))
        return ClassificationSums(
            n=len(targets),
            correct1=int((rank < 1).sum()),
            correct5=int((rank < 5).sum()),
            loss_sum=float(cross_entropy(scores, targets, reduction="sum")),
            pairs=_sorted(pairs),
            num_classes=scores.shape[1],
        )

    def combine(self, parts: Sequence[ClassificationSums]) -> ClassificationSums:
        """The sums over all batches; `math.fsum` rounds once, so the order of the batches leaves no trace."""
        pairs: Counter[tuple[int, int]] = Counter()
        for part in parts:
            for target, answer, count in part.pairs:
                pairs[target, answer] += count
        return ClassificationSums(
            n=sum(part.n for part in parts),
            correct1=sum(part.correct1 for part in parts),
            correct5=sum(part.correct5 for part in parts),
            loss_sum=math.fsum(part.loss_sum for part in parts),
            pairs=_sorted(pairs),
            num_classes=max((part.num_classes for part in parts), default=0),
        )

    def metrics(self, total: ClassificationSums) -> dict[str, Any]:
        """`n`, `correct1`, `correct5`, the mean `loss`, and `classes`, the counts by class."""
        return {
            "n": total.n,
            "correct1": total.correct1,
            "correct5": total.correct5,
            "loss": total.loss_sum / total.n,
            "classes": ClassCounts.of({(a, b): count for a, b, count in total.pairs}, total.num_classes),
        }


def _sorted(pairs: Counter[tuple[int, int]]) -> tuple[tuple[int, int, int], ...]:
    return tuple((target, answer, count) for (target, answer), count in sorted(pairs.items()))
