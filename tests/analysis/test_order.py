"""Class-ordered batches help a network that reads its batch, and no other."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from tests.tiny_images import PREPROCESS, Linear, write_cifar10, write_parquet
from zoo.analysis import order_effect
from zoo.errors import ConfigurationError, DataNotFoundError


class BatchReader(nn.Module):
    """Tells the class from the mean grey of the whole batch: sure in a batch of one class, lost in a mixed one."""

    def __init__(self) -> None:
        super().__init__()
        self.pretrained_cfg = PREPROCESS.to_dict() | {"label_names": ()}
        self.levels = torch.arange(10) * 25 + 10

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mean, std = (torch.tensor(v).view(-1, 1, 1) for v in (PREPROCESS.mean, PREPROCESS.std))
        grey = (x * std + mean).mean() * 255
        return -(self.levels - grey).abs().expand(len(x), 10)


@pytest.fixture
def greys(tmp_path):
    """100 flat images, ten of each class, whose grey is the class's own give or take two classes."""
    noise = np.random.default_rng(0).integers(-10, 11, 100)
    rows = [(Image.new("RGB", (8, 8), (g := 25 * (i % 10) + 10 + int(noise[i]), g, g)), i % 10) for i in range(100)]
    write_parquet(tmp_path / "plain_text" / "test-00000-of-00001.parquet", rows)
    return tmp_path


def test_a_network_that_reads_its_batch_shows_the_order(greys):
    found = order_effect(BatchReader(), "cifar10", data=greys, batch_size=10)
    assert (found.n, found.ordered) == (100, 100)
    assert found.shuffled < 40
    assert found.to_dict()["ordered_top1"] == 100.0


def test_independent_samples_do_not_show_it(tmp_path):
    model = Linear().train()
    found = order_effect(model, "cifar10", data=write_cifar10(tmp_path), batch_size=7)
    assert found.ordered == found.shuffled
    assert 0 < found.n == 50
    assert model.training


def test_a_batch_size_must_be_positive(greys):
    with pytest.raises(ConfigurationError, match="batch_size=0"):
        order_effect(BatchReader(), "cifar10", data=greys, batch_size=0)


def test_missing_data_is_named(tmp_path):
    with pytest.raises(DataNotFoundError):
        order_effect(Linear(), "cifar10", data=tmp_path)
