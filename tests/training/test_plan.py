import pytest
import torch

from zoo.errors import RecipeError
from zoo.training.images.step_plan import evaluation_chunks, make_plan
from zoo.training.processes import Devices

from .tiny import tiny_recipe

CPU = torch.device("cpu")


def indices(parts):
    return torch.cat([part.indices for part in parts]).tolist()


def test_processes_share_each_step_without_overlap():
    recipe = tiny_recipe("data.batch_size=8", "runtime.accumulation=2")
    plans = [make_plan(recipe, 44, Devices(CPU, rank, 2)) for rank in range(2)]
    shares = [plan.epoch(3) for plan in plans]
    assert plans[0].steps == 5
    assert all(len(share) == 10 and all(len(part.indices) == 2 for part in share) for share in shares)
    together = indices(shares[0]) + indices(shares[1])
    assert len(set(together)) == 40
    alone = make_plan(tiny_recipe("data.batch_size=8"), 44, Devices(CPU)).epoch(3)
    first_step = set(indices(shares[0][:2]) + indices(shares[1][:2]))
    assert first_step == set(alone[0].indices.tolist())


def test_order_changes_with_epoch_and_seed_only():
    plan = make_plan(tiny_recipe(), 44, Devices(CPU))
    assert indices(plan.epoch(1)) == indices(plan.epoch(1))
    assert indices(plan.epoch(1)) != indices(plan.epoch(2))
    other = make_plan(tiny_recipe("runtime.seed=1"), 44, Devices(CPU))
    assert indices(plan.epoch(1)) != indices(other.epoch(1))


def test_rest_of_an_epoch_is_its_tail():
    plan = make_plan(tiny_recipe("runtime.accumulation=2"), 44, Devices(CPU))
    whole, rest = plan.epoch(1), plan.epoch(1, first_step=3)
    assert indices(rest) == indices(whole[6:])
    assert [part.number for part in rest] == [6, 7, 8, 9]


def test_too_few_images_and_unequal_shares_are_refused():
    with pytest.raises(RecipeError, match="only 5 training images"):
        make_plan(tiny_recipe(), 5, Devices(CPU))
    with pytest.raises(RecipeError, match="3 processes"):
        make_plan(tiny_recipe(), 44, Devices(CPU, 0, 3))
    with pytest.raises(RecipeError, match="odd part"):
        make_plan(tiny_recipe("regularisation.mixup=0.2", "data.batch_size=10"), 44, Devices(CPU, 0, 2))


@pytest.mark.parametrize(
    ("images", "size", "world"), [(21, 8, 1), (21, 8, 2), (16, 8, 2), (3, 8, 1), (2, 8, 4), (1, 1, 2), (0, 8, 1)]
)
def test_evaluation_counts_every_image_once(images, size, world):
    shares = [evaluation_chunks(images, size, Devices(CPU, rank, world)) for rank in range(world)]
    assert all(len(chunk) == size for share in shares for chunk, _ in share)
    counted = [int(i) for share in shares for chunk, count in share for i in chunk[:count]]
    assert sorted(counted) == list(range(images))
