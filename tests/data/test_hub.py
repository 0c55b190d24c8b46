"""Datasets from the Hub: only the split that was asked for, from the cache where there is no network."""

import pickle

import datasets
import pytest
from tiny_images import CIFAR10_NAMES, make_images, write_parquet

from zoo.data import load_vision
from zoo.errors import DataNotFoundError

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """The Hub's cache with the commit that `main` stands for, laid out by hand; nothing is fetched."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    place = tmp_path / "hub" / "datasets--uoft-cs--cifar10"
    (place / "refs").mkdir(parents=True)
    (place / "refs" / "main").write_text(COMMIT)
    return place / "snapshots" / COMMIT


def test_hub_out_of_reach_names_the_hub_and_data(hub):
    with pytest.raises(DataNotFoundError, match=r"uoft-cs/cifar100.*--data FOLDER.*HF_HUB_OFFLINE"):
        load_vision("cifar100")


def test_hub_cache_serves_offline_and_names_the_revision(hub):
    write_parquet(hub / "plain_text" / "test-00000-of-00001.parquet", make_images(3, 10))
    images = load_vision("cifar10")
    assert images.source == {
        "kind": "hub",
        "repository": "uoft-cs/cifar10",
        "config": "plain_text",
        "revision": COMMIT,
    }
    assert (len(images), images.labels) == (3, CIFAR10_NAMES)
    assert pickle.loads(pickle.dumps(images)).source == images.source  # noqa: S301
    with pytest.raises(DataNotFoundError, match=f"Split 'train' of cifar10 is neither .* at revision {COMMIT}"):
        load_vision("cifar10", "train")


@pytest.mark.parametrize(
    ("name", "files", "wanted"),
    [
        ("cifar10", ["plain_text/train-00000-of-00001.parquet", "plain_text/test-00000-of-00001.parquet"], {1}),
        ("cifar10", ["plain_text/train/0000.parquet", "plain_text/test/0000.parquet"], {1}),
        ("imagenet-1k", ["data/train-00000-of-00001.parquet", "data/validation-00000-of-00001.parquet"], {1}),
        ("cifar10", ["README.md", "other/test-00000-of-00001.parquet", "plain_text/test.parquet"], {2}),
    ],
)
def test_only_the_files_of_the_split_are_fetched(tmp_path, monkeypatch, name, files, wanted):
    from huggingface_hub.utils import filter_repo_objects

    def download(repo, *, repo_type, allow_patterns):
        fetched.extend(filter_repo_objects(files, allow_patterns=allow_patterns))
        for file in fetched:
            (tmp_path / COMMIT / file).parent.mkdir(parents=True)
            (tmp_path / COMMIT / file).touch()
        return str(tmp_path / COMMIT)

    def read(data_files, *, split):
        opened.extend(data_files[split])
        raise ValueError("far enough")

    fetched, opened = [], []
    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    monkeypatch.setattr(datasets.Dataset, "from_parquet", read)
    with pytest.raises(DataNotFoundError, match="far enough"):
        load_vision(name)
    assert fetched == [files[number] for number in wanted]
    assert opened == [str(tmp_path / COMMIT / file) for file in fetched]


@pytest.mark.hub
def test_cifar10_from_the_hub():
    images = load_vision("cifar10")
    assert (len(images), len(images.source["revision"])) == (10000, 40)
