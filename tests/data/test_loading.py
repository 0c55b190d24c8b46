"""Batches from worker processes: the same as without, errors included."""

import pytest
import torch

from zoo.data.loading import load_batches
from zoo.errors import DataNotFoundError, UnknownNameError


class Squares:
    """Gives the square of its key, and errors for two keys; one of the errors cannot be made from its message alone."""

    def __getitem__(self, key):
        if key == 7:
            raise UnknownNameError("number", "seven", ["six", "eight"])
        if key == 8:
            raise DataNotFoundError("eight is gone") from OSError("disk")
        return torch.tensor(key * key), key


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_come_in_order(workers):
    batches = [[0, 1, 2], [5], [4, 3]]
    found = [(squares.tolist(), keys.tolist()) for squares, keys in load_batches(Squares(), batches, workers)]
    assert found == [([0, 1, 4], [0, 1, 2]), ([25], [5]), ([16, 9], [4, 3])]


@pytest.mark.parametrize("workers", [0, 1])
def test_errors_are_the_same_from_a_worker(workers):
    with pytest.raises(UnknownNameError) as caught:
        list(load_batches(Squares(), [[1, 7]], workers))
    expected = UnknownNameError("number", "seven", ["six", "eight"])
    assert (str(caught.value), vars(caught.value)) == (str(expected), vars(expected))
    batches = load_batches(Squares(), [[1], [8]], workers)
    assert next(batches)[1].tolist() == [1]
    with pytest.raises(DataNotFoundError, match=r"^eight is gone$"):
        next(batches)


def test_nothing_to_load_and_global_generators():
    before = torch.get_rng_state()
    assert list(load_batches(Squares(), [], 4)) == []
    assert len(list(load_batches(Squares(), [[1]], 0))) == 1
    assert torch.equal(torch.get_rng_state(), before)
