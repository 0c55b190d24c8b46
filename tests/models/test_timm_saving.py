"""From a model to the files timm saves, and back."""

from pathlib import Path

import pytest
import timm
import torch

from zoo.errors import WeightsMismatchError
from zoo.models import build_model
from zoo.weights.tag import read_tag

from .cases import ALL, REPRESENTATIVES, images, small_size

EACH = [pytest.param(name, marks=() if name in REPRESENTATIVES else pytest.mark.slow) for name in ALL]


@pytest.mark.parametrize("name", EACH)
def test_what_timm_saves_it_builds_again(name: str, tmp_path: Path) -> None:
    """With every argument that was not the default, and every tensor."""
    torch.manual_seed(0)
    options = {"act": "silu"} if name.startswith("fles") else {"norm": "layernorm", "act": "relu"}
    saved = build_model(name, num_classes=3, in_chans=1, img_size=small_size(name), **options).eval()
    timm.models.save_for_hf(saved, tmp_path)
    loaded = timm.create_model(f"local-dir:{tmp_path}", pretrained=True).eval()
    batch = images(name, batch=1, channels=1)
    with torch.no_grad():
        assert torch.equal(loaded(batch), saved(batch))
    assert str(loaded) == str(saved)
    with pytest.raises(WeightsMismatchError, match=f"a model that timm saved .'{name}'.*local-dir:"):
        read_tag(tmp_path)


def test_positions_of_saved_weights_are_resampled(tmp_path: Path) -> None:
    saved = build_model("salunet_t_cifar", num_classes=3)
    timm.models.save_for_hf(saved, tmp_path, safe_serialization=True)
    loaded = timm.create_model(f"local-dir:{tmp_path}", pretrained=True, img_size=64)
    assert loaded.pos_embed.shape == (1, 257, 384)
    assert torch.equal(loaded.pos_embed[:, 0], saved.pos_embed[:, 0])
