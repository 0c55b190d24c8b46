"""Batches from worker processes: the same as without, errors included."""

import subprocess
import sys

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


FEW_FILES = """
import resource, torch
from zoo.data.loading import load_batches
from zoo.errors import ConfigurationError

class Ones:
    def __getitem__(self, key):
        return torch.ones(3), key

found = list(load_batches(Ones(), [[n] for n in range(40)], 2))
resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16))
try:
    list(load_batches(Ones(), [[n] for n in range(40)], 2))
except ConfigurationError as error:
    print(len(found), error)
print(len(list(load_batches(Ones(), [[1]], 0))))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
def test_too_few_open_files_are_told_before_anybody_waits(repository):
    done = subprocess.run(
        [sys.executable, "-c", FEW_FILES], cwd=repository, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("40 2 workers need about ")
    assert "the system allows this process 16. Raise that (ulimit -n 1024), or read without workers" in done.stdout
    assert done.stdout.endswith("\n1\n")
