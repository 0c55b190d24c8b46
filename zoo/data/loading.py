"""Batches from a dataset, read in this process or in worker processes, with errors that stay readable."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch.utils.data import DataLoader, Dataset, default_collate

from zoo.data.photo import decoding
from zoo.errors import ConfigurationError, ZooError

if TYPE_CHECKING:
    from zoo.data.preprocess import Preprocess


class Samples(Protocol):
    """Anything that gives a sample for a key; a key is a position or whatever the batches are made of."""

    def __getitem__(self, key: Any, /) -> Any: ...


class ModelInputs:
    """Images of a dataset as model inputs: position to (preprocessed tensor, class number).

    Args:
        images: gives (PIL image, class number) by position.
        preprocess: the model's.
    """

    def __init__(self, images: Samples, preprocess: "Preprocess") -> None:
        self.images, self.preprocess = images, preprocess

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        image, label = self.images[index]
        with decoding(getattr(self.images, "place", "Image {}".format)(index)):
            return self.preprocess(image), label


def load_batches(samples: Samples, batches: Sequence[Sequence[Any]], workers: int) -> Iterator[Any]:
    """Batches as torch's `default_collate` makes them, in the order given.

    The global random generators are left alone.

    Args:
        samples: what is read; workers get a copy of it.
        batches: the keys of each batch.
        workers: processes that read; 0 reads in this one.

    Raises:
        ZooError: whatever reading a sample raises; from a worker it arrives as it would from this process.
        ConfigurationError: the system lets this process open too few files for so many workers.
    """
    keys = [list(batch) for batch in batches]
    workers = min(workers, len(keys))
    if workers:
        _check_open_files(workers)
    source: Any = _Safe(samples) if workers else samples
    loader: DataLoader[Any] = DataLoader(
        source, batch_sampler=keys, num_workers=workers, collate_fn=_collate, generator=torch.Generator()
    )
    for batch in loader:
        if isinstance(batch, _Failure):
            raise batch.restore()
        yield batch


def _check_open_files(workers: int) -> None:
    """Refuse workers whose batches could not arrive: torch passes each as open files, and would wait for ever."""
    with suppress(ImportError):  # Windows has no such limit
        import resource

        limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        descriptors = Path("/proc/self/fd")
        needed = (len(list(descriptors.iterdir())) if descriptors.is_dir() else 32) + 8 + 12 * workers
        if limit not in (-1, resource.RLIM_INFINITY) and limit < needed:
            raise ConfigurationError(
                f"{workers} workers need about {needed} open files, and the system allows this process {limit}. "
                "Raise that (ulimit -n 1024), or read without workers (--workers 0)."
            )


@dataclass(frozen=True)
class _Failure:
    """An error on its way out of a worker, in parts, since not every error can be made again from its message."""

    kind: type[ZooError]
    args: tuple[Any, ...]
    attributes: dict[str, Any]

    def restore(self) -> ZooError:
        error = self.kind.__new__(self.kind, *self.args)
        vars(error).update(self.attributes)
        return error


class _Safe(Dataset[Any]):
    """The samples, or a `_Failure` in place of one: torch would put a traceback into the error's text."""

    def __init__(self, samples: Samples) -> None:
        self.samples = samples

    def __getitem__(self, key: Any) -> Any:
        try:
            return self.samples[key]
        except ZooError as error:
            return _Failure(type(error), error.args, dict(vars(error)))


def _collate(samples: list[Any]) -> Any:
    failed = next((sample for sample in samples if isinstance(sample, _Failure)), None)
    return default_collate(samples) if failed is None else failed
