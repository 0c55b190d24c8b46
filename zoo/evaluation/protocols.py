"""Parts that an evaluation needs: something that predicts, samples that score it, and a way to show progress."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from torch import Tensor

Item = TypeVar("Item")

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


class MeasuredSamples(Protocol[Item]):
    """Samples to measure a model on, and the scoring of predictions for them.

    They are scored batch by batch, so that any split over processes adds up to the same figures.
    """

    name: str
    split: str | None
    source: dict[str, Any]
    unit: str
    """Word for the samples: "images" or "texts"."""
    advice: str
    """What to check where the model does not run on them."""

    def __len__(self) -> int: ...

    def batches(self, chosen: Sequence[int], batch_size: int) -> list[list[int]]:
        """The chosen samples, cut into batches."""
        ...

    def load(self, batches: Sequence[Sequence[int]]) -> Iterator[tuple[Any, Any, str]]:
        """For each batch the model's input, what its outputs are compared with, and the input's shape in words."""
        ...

    def score(self, indices: Sequence[int], outputs: "Tensor", targets: Any) -> Item:
        """What is kept of one batch; any process can send it."""
        ...

    def figures(self, parts: Sequence[Item], chosen: Sequence[int]) -> dict[str, Any]:
        """Fields of the result; must not depend on the order of the parts."""
        ...
