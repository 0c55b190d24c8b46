import math

import pytest
import torch

from zoo.benchmarks.sizes import elements, map_shape
from zoo.errors import ConfigurationError


@pytest.mark.parametrize(
    ("size", "dtype", "count"),
    [
        ("64MiB", torch.float32, 2**24),
        ("64MiB", torch.bfloat16, 2**25),
        ("64 mb", torch.float32, 16_000_000),
        ("1.5kB", torch.float32, 375),
        ("1000", torch.bfloat16, 1000),
        ("2GiB", torch.float16, 2**30),
    ],
)
def test_elements_of_a_size(size, dtype, count):
    assert elements(size, dtype) == count


@pytest.mark.parametrize("size", ["", "MiB", "-1", "64 MBit", "1e6", "0", "1 kB 2", "0.0001kB"])
def test_what_is_no_size_is_refused(size):
    with pytest.raises(ConfigurationError, match="size="):
        elements(size, torch.float32)


def test_a_map_has_the_elements_asked_for():
    assert map_shape(2**24) == (256, 64, 32, 32)
    assert map_shape(2**16 - 1) == (3, 64, 16, 16)
    assert map_shape(4096) == (1, 64, 8, 8)
    assert map_shape(3000) == (2, 64, 4, 4)
    assert map_shape(2**16 + 5) == (1, 64, 32, 32)


@pytest.mark.parametrize("count", [1, 7, 63, 1000, 12345, 10**6])
def test_a_map_is_never_too_small_for_a_norm_layer_nor_larger_than_asked(count):
    n, c, h, w = map_shape(count)
    assert n * h * w > 1
    assert math.prod((n, c, h, w)) <= max(count, 4)
