"""Parts that an evaluation needs: something that predicts, a task that scores it, and a way to show progress."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from torch import Tensor

Sums = TypeVar("Sums")

Progress = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]
"""Opens a progress bar (description, number of samples) and gives the function that advances it."""


class Predictor(Protocol):
    """A model in any runtime: one batch in, scores (N, classes) before the softmax out.

    A batch of images is one float32 tensor (N, C, H, W); a batch of texts is a dictionary with
    `zoo.data.tokenize.INPUT_NAMES`, each int64 (N, tokens).

    It may also have `preprocess: Preprocess | TextPreprocess`, `labels: tuple[str, ...]` and `describe() -> dict`; what
    is returned by the entry points of the group `zoo.predictors`, called with (path, device=..., threads=...), has all
    three. A device is "cpu", or such as "cuda:0".
    """

    def __call__(self, batch: Any, /) -> "Tensor":
        """Predict one batch."""
        ...


class Task(Protocol[Sums]):
    """Scoring of predictions: per batch, so that any split over processes adds up to the same figures."""

    def score(self, outputs: "Tensor", targets: "Tensor") -> Sums:
        """The sums of one batch."""
        ...

    def combine(self, parts: Sequence[Sums]) -> Sums:
        """The sums over all batches; must not depend on their order."""
        ...

    def metrics(self, total: Sums) -> dict[str, Any]:
        """Figures by name, from the sums over the whole dataset."""
        ...
