"""The inputs of a parity check."""

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_model import SIZE

from export.parity.probes import extreme_probes, image_probes, load_samples, seeded_images
from export.parity.shipped import default_images, shipped_images
from zoo.data.preprocess import Preprocess
from zoo.errors import DataNotFoundError, ShapeError


@pytest.mark.parametrize(("n", "sizes"), [(1, [1, 3, 8]), (12, [1, 3, 8]), (13, [1, 3, 8, 1]), (28, [1, 3, 8, 8, 8])])
def test_batches(n, sizes):
    images = torch.arange(n).view(n, 1, 1, 1).float()
    probes = image_probes(images)
    assert [len(probe.feeds["image"]) for probe in probes] == sizes
    assert set(torch.cat([p.feeds["image"] for p in probes]).flatten().tolist()) == set(range(n))


def test_extremes_are_finite_and_reach_the_edges(preprocess):
    probes = {probe.name: probe.feeds["image"] for probe in extreme_probes(preprocess)}
    assert all(batch.shape == (1, *SIZE) and batch.isfinite().all() for batch in probes.values())
    everything = torch.cat(list(probes.values()))
    assert everything.max() == torch.finfo(torch.float32).max
    assert everything.min() == -torch.finfo(torch.float32).max
    assert 0 < probes["denormal"].max() < torch.finfo(torch.float32).tiny
    assert probes["white"][0, 0, 0, 0] == pytest.approx((1 - 0.5) / 0.2)
    assert probes["one-hot"].count_nonzero() == 1


def test_synthetic_images_repeat_and_look_like_photographs(preprocess):
    images = seeded_images(preprocess.for_size(32), 4)
    assert torch.equal(images, seeded_images(preprocess.for_size(32), 4))
    pixels = images * torch.tensor(preprocess.std).view(3, 1, 1) + torch.tensor(preprocess.mean).view(3, 1, 1)
    assert pixels.min() >= -1e-6
    assert pixels.max() <= 1 + 1e-6
    order = torch.randperm(32, generator=torch.Generator().manual_seed(0))
    steps, shuffled = (p.diff(dim=-1).abs().mean() for p in (pixels, pixels[..., order]))
    assert steps < 0.75 * shuffled


def test_shipped_images_are_those_of_the_demo(repository):
    from zoo.data import load_vision

    sample = load_vision("cifar10", data=repository / "demo/cifar10_sample")
    seen, expected = dict.fromkeys(range(10), 0), []
    for image, label in sample:
        seen[label] += 1
        if seen[label] <= 2:
            expected.append(image.tobytes())
    assert [image.tobytes() for image in shipped_images()] == expected
    assert len(expected) == 20


@pytest.mark.parametrize(("channels", "size"), [(3, 32), (3, 48), (1, 16)])
def test_default_images_are_real_ones(channels, size):
    preprocess = Preprocess((channels, size, size), "bicubic", 1.0, "center", (0.5,) * channels, (0.2,) * channels)
    images, described = default_images(preprocess)
    assert described == "20 CIFAR-10 test images"
    assert images.shape == (20, channels, size, size)
    assert torch.equal(images[3], preprocess(shipped_images()[3]))


def test_default_images_of_other_channel_counts_are_synthetic():
    preprocess = Preprocess((4, 8, 8), "bicubic", 1.0, "center", (0.5,) * 4, (0.2,) * 4)
    images, described = default_images(preprocess)
    assert torch.equal(images, seeded_images(preprocess))
    assert described == "12 seeded synthetic images (no image file has 4 channels)"


def test_samples_are_evenly_spaced(preprocess):
    pictures = [Image.new("RGB", (8, 8), (i, i, i)) for i in range(10)]
    images, described = load_samples(pictures, preprocess, limit=4)
    assert torch.equal(images, torch.stack([preprocess(pictures[i]) for i in (0, 2, 5, 7)]))
    assert described == "4 images of a sequence"
    table = torch.stack([preprocess(picture) for picture in pictures])
    assert torch.equal(load_samples(table, preprocess, limit=4)[0], images)


def test_samples_of_every_kind(preprocess, tmp_path):
    picture = Image.fromarray(np.arange(192, dtype=np.uint8).reshape(8, 8, 3))
    (tmp_path / "deep").mkdir()
    picture.save(tmp_path / "deep" / "a.png")
    expected = preprocess(picture)
    dataset = [(picture, 3), (picture, 1)]
    for samples in (tmp_path, tmp_path / "deep" / "a.png", [picture], dataset):
        images, described = load_samples(samples, preprocess, limit=1)
        assert torch.equal(images, expected[None])
        assert described.startswith("1 images of")
    images, _ = load_samples(expected[None].repeat(3, 1, 1, 1), preprocess, limit=2)
    assert images.shape == (2, *SIZE)


def test_bad_samples(preprocess, tmp_path):
    for samples, message in ((tmp_path, "No images in"), (tmp_path / "none", "No images in"), ([], "empty")):
        with pytest.raises(DataNotFoundError, match=message):
            load_samples(samples, preprocess, limit=4)
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(DataNotFoundError, match=r"is no image|cannot be decoded"):
        load_samples(tmp_path, preprocess, limit=4)
    (tmp_path / "a.png").unlink()
    Image.new("F", (8, 8)).save(tmp_path / "a.tiff")
    with pytest.raises(ShapeError, match="needs 8 or 16 bits"):
        load_samples(tmp_path, preprocess, limit=4)
    for shape in ((2, 1, 8, 8), (3, 8, 8), (0, 3, 8, 8)):
        with pytest.raises(ShapeError, match="sample images have shape"):
            load_samples(torch.zeros(shape), preprocess, limit=4)
