"""S and W of a model, by layer and by the stages of the paper's table."""

import math
import statistics

import pytest
import torch
from torch import nn

from tests.analysis.nets import tiny_resnet
from zoo.activations import GALU, SALU, SWALU
from zoo.analysis import geometry, plot_geometry, stage_geometry
from zoo.analysis.stages import stage_of
from zoo.errors import ConfigurationError, OutputError
from zoo.models import build_model

# Model, a pattern of its own in each: path -> stage.
DOWN = "Downsampling"
PLACES = {
    "salunet_c50": {"bn1": "Stem", "layer1.0.bn3": "L1", "layer4.2.act1": "L4", "layer2.0.downsample.1": DOWN},
    "salunet_t_cifar": {"blocks.0.norm1": "B1", "blocks.6.mlp.act2": "B7", "norm": "Head", "patch_embed": "Stem"},
    "fles_poolformer_cifar": {"stages.0.blocks.1.mlp.act": "S1", "stages.2": "S3", "stages.1.downsample": DOWN},
    "fles_swin_cifar": {"layers.2.blocks.0.mlp.act": "S3", "layers.1.downsample.norm": DOWN, "head.fc": "Head"},
}  # fmt: skip


@pytest.mark.parametrize("name", PLACES)
def test_the_modules_of_a_model_belong_to_its_stages(name):
    paths = dict(build_model(name, device="meta").named_modules())
    for path, stage in PLACES[name].items():
        assert path in paths
        assert stage_of(path) == stage
    # Everything with parameters of its own has a place.
    own = [path for path, m in paths.items() if path and any(True for _ in m.parameters(recurse=False))]
    assert "Other" not in {stage_of(path) for path in own}


def test_texts_and_strangers_have_a_stage_too():
    assert stage_of("bert.encoder.layer.5.intermediate") == "B6"
    assert stage_of("embeddings.norm") == "Stem"
    assert stage_of("something.else") == "Other"


def test_the_numbers_are_those_of_a_and_b():
    net = nn.Sequential(SALU(a=4.0, b=0.25), SWALU(a=2.0, b=8.0), nn.ReLU(), GALU())
    first, second, third = geometry(net)
    assert (first.layer, first.kind, first.saturation, first.width) == ("0", "SALU", 4.0, 1.0)
    assert (second.kind, second.saturation, second.width) == ("SWALU", pytest.approx(0.5), pytest.approx(0.25))
    assert (third.layer, third.kind, third.saturation, third.width) == ("3", "GALU", 1.0, pytest.approx(2))
    assert first.saturation / first.width == pytest.approx(first.a)
    assert (first.is_gate, second.is_gate) == (False, True)


def test_what_counts_is_the_value_that_takes_effect():
    net = nn.Sequential(SALU())
    with torch.no_grad():
        net[0].a.fill_(-2.0)
        net[0].b.zero_()
    found = geometry(net)[0]
    assert (found.a, found.b) == (2.0, 1e-6)
    # S is what the module itself saturates at.
    assert found.saturation == pytest.approx(net(torch.tensor(1e12)).item(), rel=1e-6)


def test_stages_are_summed_up_as_in_the_paper():
    layers = geometry(tiny_resnet())
    rows = stage_geometry(layers)
    assert [(row.kind, row.stage, row.n) for row in rows] == [
        *(("SALU", stage, n) for stage, n in
          (("Stem", 1), ("L1", 2), ("L2", 2), ("L3", 2), ("L4", 2), ("Downsampling", 4))),
        *(("SWALU", stage, n) for stage, n in (("Stem", 1), ("L1", 2), ("L2", 2), ("L3", 2), ("L4", 2))),
    ]  # fmt: skip
    stem, _, second = rows[:3]
    assert (stem.saturation_std, stem.width_std) == (None, None)
    values = [g.width for g in layers if g.kind == "SALU" and g.layer.startswith("layer2.0.bn")]
    assert second.width_mean == pytest.approx(sum(values) / 2)
    assert second.width_std == pytest.approx(statistics.stdev(values))
    assert sum(row.n for row in rows) == len(layers)


def test_a_model_without_them_and_broken_weights_are_refused():
    with pytest.raises(ConfigurationError, match="no SALU"):
        geometry(nn.Linear(2, 2))
    net = nn.Sequential(SALU())
    with torch.no_grad():
        net[0].b.fill_(math.nan)
    with pytest.raises(ConfigurationError, match="not finite"):
        geometry(net)


def test_the_picture_is_written_whole_or_not_at_all(tmp_path):
    from PIL import Image

    layers = geometry(tiny_resnet())
    with Image.open(plot_geometry(layers, tmp_path / "found.png", "A title")) as picture:
        assert picture.size[0] > 1000
    (tmp_path / "file").touch()
    with pytest.raises(OutputError):
        plot_geometry(layers, tmp_path / "file" / "found.png")
    with pytest.raises(ConfigurationError, match="no layer"):
        plot_geometry([], tmp_path / "none.png")
