"""How tensors are walked through: sizes and strides on the host, without a kernel."""

import itertools

import pytest
import torch
from torch import Tensor

from zoo.kernels.strides import RANK, gathered, room, sizes, split, strides, varying, walk
from zoo.kernels.triton import tiles

from .cases import LAYOUTS, arranged

X = torch.arange(2.0 * 3 * 4 * 5).view(2, 3, 4, 5)


def walked(x: Tensor, dense: Tensor) -> list[float]:
    """The elements of x in the order in which the kernel reads them."""
    found = walk(x, dense)
    offsets = itertools.product(*(range(0, n * s, s) if s else [0] * n for n, s in zip(*found, strict=True)))
    storage = x.as_strided((x.untyped_storage().nbytes() // x.element_size(),), (1,), 0)
    return [storage[x.storage_offset() + sum(offset)].item() for offset in offsets]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_walk_follows_the_memory_of_the_result(layout: str) -> None:
    x = arranged(X, layout)
    dense = torch.empty_like(x).copy_(x)
    in_memory = dense.as_strided((x.numel(),), (1,)).tolist()
    assert walked(x, dense) == in_memory
    assert walk(dense, dense).sizes == (1,) * (RANK - 1) + (120,), "a dense tensor is one run"


def test_too_many_strides_for_a_walk() -> None:
    x = torch.zeros([4] * 6)[::2, ::2, ::2, ::2, ::2, ::2]
    assert walk(x, torch.empty_like(x)) is None


@pytest.mark.parametrize(
    ("shapes", "axes"),
    [
        ([(2, 3, 1, 1), ()], (0, 1)),
        ([(5,), (2, 1, 1, 1)], (0, 3)),
        ([(3, 1, 1)], (1,)),
        ([()], ()),
        ([(2, 3, 4, 1)], None),
        ([(7,)], None),
        ([(1, 1, 1, 1, 1)], None),
    ],
    ids=str,
)
def test_axes_along_which_coefficients_vary(shapes: list[tuple[int, ...]], axes: tuple[int, ...] | None) -> None:
    assert varying(X, [torch.zeros(shape) for shape in shapes]) == axes


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("axes", [(0, 1), (0, 3), (1, 3), (2,), ()], ids=str)
def test_groups_cover_every_element_once(layout: str, axes: tuple[int, ...]) -> None:
    x = arranged(X, layout)
    groups = split(x, axes)
    copy = gathered(x, groups)
    assert torch.equal(copy, x)
    assert room(x, groups).stride() == copy.stride()
    found = strides(copy, groups)
    assert found is not None
    regular = copy.as_strided(sizes(x, groups), found)
    assert sorted(regular.flatten().tolist()) == sorted(x.flatten().tolist())


def test_pieces_cover_what_there_is_to_do() -> None:
    for n in (1, 1000, 2**22, 2**25 + 1, 2**31 + 5):
        piece = tiles.flat(n)
        assert 0 <= piece.programs(n) * piece.block * piece.steps - n < piece.block * piece.steps
    for samples, channels, positions in ((1, 1, 1), (3, 7, 50), (64, 256, 3136), (64, 2048, 49), (1, 8, 2**28)):
        for inside, reduces in itertools.product((False, True), repeat=2):
            tile = tiles.tile(samples, channels, positions, inside, reduces)
            elements = tile.positions * tile.channels
            assert elements.bit_count() == 1
            assert elements <= 4096
            assert 1 <= tile.steps <= (16 if reduces else 1)
