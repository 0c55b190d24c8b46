import hashlib
import json
import pickle

import numpy as np
import pytest
from PIL import Image
from tiny_images import CIFAR10_NAMES, make_images, write_cifar10, write_folders, write_parquet

from zoo.data import DATASETS, load_vision
from zoo.data.labels import imagenet_wordnet_ids
from zoo.errors import DataNotFoundError, UnknownNameError


def listing(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_parquet_in_the_layout_of_the_hub(tmp_path):
    folder = write_cifar10(tmp_path / "cifar10", 12)
    before = listing(folder)
    images = load_vision("cifar10", data=folder)
    assert (len(images), images.split, images.labels, images.num_classes) == (12, "test", CIFAR10_NAMES, 10)
    for (image, label), (expected, number) in zip((images[i] for i in range(12)), make_images(12, 10), strict=True):
        assert (image.mode, label) == ("RGB", number)
        assert np.array_equal(np.asarray(image), np.asarray(expected))
    file = folder / "plain_text" / "test-00000-of-00001.parquet"
    assert images.source == {
        "kind": "parquet",
        "folder": str(folder),
        "files": [
            {
                "file": "plain_text/test-00000-of-00001.parquet",
                "size_bytes": file.stat().st_size,
                "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
            }
        ],
    }
    assert json.loads(json.dumps(images.source)) == images.source
    assert listing(folder) == before


@pytest.mark.parametrize("place", ["test.parquet", "data/test-0.parquet", "plain_text/test/0000.parquet"])
def test_parquet_at_any_level(tmp_path, place):
    write_parquet(tmp_path / place, make_images(3, 10))
    assert len(load_vision("cifar10", "test", tmp_path)) == 3


def test_shards_are_read_in_order(tmp_path):
    rows = make_images(6, 10)
    write_parquet(tmp_path / "test-00000-of-00002.parquet", rows[:4])
    write_parquet(tmp_path / "test-00001-of-00002.parquet", rows[4:])
    images = load_vision("cifar10", data=tmp_path)
    assert [images[i][1] for i in range(len(images))] == [0, 1, 2, 3, 4, 5]
    assert len(images.source["files"]) == 2


def test_a_missing_shard_is_not_overlooked(tmp_path):
    write_parquet(tmp_path / "test-00000-of-00002.parquet", make_images(4, 10))
    with pytest.raises(DataNotFoundError, match=r"has 1 of the 2 files of this split \(test-00000-of-00002.parquet"):
        load_vision("cifar10", data=tmp_path)


def test_plain_columns_without_features(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    write_parquet(tmp_path / "source.parquet", make_images(3, 10))
    table = pq.read_table(tmp_path / "source.parquet").replace_schema_metadata(None)
    (tmp_path / "source.parquet").unlink()
    pq.write_table(pa.table(table), tmp_path / "test.parquet")
    images = load_vision("cifar10", data=tmp_path)
    assert (images.labels, images.num_classes, images[2][0].size) == ((), 10, (8, 8))


def test_dataset_can_be_pickled_for_workers(tmp_path):
    images = load_vision("cifar10", data=write_cifar10(tmp_path, 3))
    assert pickle.loads(pickle.dumps(images))[2][1] == 2  # noqa: S301


def test_image_folder_sorts_its_classes(tmp_path):
    write_folders(tmp_path, ("zebra", "ant", "moth"))
    images = load_vision("imagefolder", data=tmp_path)
    assert (images.labels, len(images), images.split) == (("ant", "moth", "zebra"), 6, None)
    assert [images[i][1] for i in range(6)] == [0, 0, 1, 1, 2, 2]
    assert np.array_equal(np.asarray(images[4][0]), np.asarray(make_images(2, 1, seed=0)[0][0]))
    assert images.source["files"] == 6
    assert len(images.source["listing_sha256"]) == 64


def test_image_folder_with_splits(tmp_path):
    write_folders(tmp_path / "train", ("a", "b"), 3)
    write_folders(tmp_path / "val", ("a", "b"), 1)
    assert len(load_vision("imagefolder", "val", tmp_path)) == 2
    assert len(load_vision("imagefolder", "train", tmp_path)) == 6
    with pytest.raises(DataNotFoundError, match=r"split 'test' of imagefolder.*train, val"):
        load_vision("imagefolder", "test", tmp_path)
    with pytest.raises(DataNotFoundError, match=r"folders are splits: train, val. Choose one with --split"):
        load_vision("imagefolder", data=tmp_path)


def test_imagenet_as_folders_takes_the_standard_names(tmp_path):
    ids = imagenet_wordnet_ids()
    for name in ids:
        (tmp_path / "val" / name).mkdir(parents=True)
    for name in ids:
        Image.new("L", (2, 2)).save(tmp_path / "val" / name / "1.png")
    images = load_vision("imagenet-1k", data=tmp_path)
    assert (images.split, len(images.labels), images.labels[0]) == ("validation", 1000, "tench, Tinca tinca")
    assert len(load_vision("imagenet-1k", data=tmp_path / "val")) == 1000
    with pytest.raises(DataNotFoundError, match="split 'train'"):
        load_vision("imagenet-1k", "train", tmp_path / "val")


def test_unknown_dataset_offers_the_nearest():
    with pytest.raises(UnknownNameError, match=r"Unknown dataset 'cifar-10'.*cifar10"):
        load_vision("cifar-10")
    assert DATASETS.names() == ["cifar10", "cifar100", "imagefolder", "imagenet-1k"]


def test_unknown_split_offers_the_known(tmp_path):
    with pytest.raises(UnknownNameError, match=r"split of cifar10 'validation'.*test, train"):
        load_vision("cifar10", "validation", write_cifar10(tmp_path, 2))


def test_missing_split_lists_the_files(tmp_path):
    with pytest.raises(DataNotFoundError, match=r"split 'train' of cifar10.*plain_text/test-00000-of-00001.parquet"):
        load_vision("cifar10", "train", write_cifar10(tmp_path, 2))


def test_missing_folder_and_file_in_its_place(tmp_path):
    with pytest.raises(DataNotFoundError, match=r"does not exist.*uoft-cs/cifar10"):
        load_vision("cifar10", data=tmp_path / "nowhere")
    (tmp_path / "file").touch()
    with pytest.raises(DataNotFoundError, match="is a file"):
        load_vision("cifar10", data=tmp_path / "file")


def test_imagefolder_needs_data():
    with pytest.raises(DataNotFoundError, match="--data"):
        load_vision("imagefolder")


def test_folder_without_images(tmp_path):
    with pytest.raises(DataNotFoundError, match=r"neither parquet files nor .*Found: nothing"):
        load_vision("cifar10", data=tmp_path)
    (tmp_path / "notes.txt").touch()
    (tmp_path / "empty_class").mkdir()
    with pytest.raises(DataNotFoundError, match=r"class folder .*empty_class holds no image"):
        load_vision("imagefolder", data=tmp_path)


def test_missing_column_lists_the_columns(tmp_path):
    write_parquet(tmp_path / "test.parquet", make_images(2, 10), columns=("image", "label"))
    with pytest.raises(DataNotFoundError, match=r"'img' and 'label'.*\['image', 'label'\]"):
        load_vision("cifar10", data=tmp_path)


def test_two_datasets_in_one_folder(tmp_path):
    write_parquet(tmp_path / "a" / "test.parquet", make_images(2, 10))
    write_parquet(tmp_path / "b" / "test.parquet", make_images(2, 10))
    with pytest.raises(DataNotFoundError, match=r"several folders \(a, b\)"):
        load_vision("cifar10", data=tmp_path)


def test_wrong_number_of_classes(tmp_path):
    write_parquet(tmp_path / "test.parquet", make_images(2, 2), names=("a", "b"))
    with pytest.raises(DataNotFoundError, match=r"cifar10 has 10 classes.*has 2 class names"):
        load_vision("cifar10", data=tmp_path)
    write_folders(tmp_path / "folders", ("a", "b"))
    with pytest.raises(DataNotFoundError, match="has 2 class folders"):
        load_vision("cifar10", data=tmp_path / "folders")


def test_hidden_labels_are_refused(tmp_path):
    write_parquet(tmp_path / "test.parquet", [(image, -1) for image, _ in make_images(2, 10)])
    with pytest.raises(DataNotFoundError, match="labels from -1 to -1"):
        load_vision("cifar10", data=tmp_path)


def test_truncated_parquet(tmp_path):
    file = write_parquet(tmp_path / "test.parquet", make_images(9, 10))
    file.write_bytes(file.read_bytes()[:-200])
    with pytest.raises(DataNotFoundError, match=r"Cannot read test.parquet"):
        load_vision("cifar10", data=tmp_path)


def test_damaged_image_is_named(tmp_path):
    write_folders(tmp_path, ("a", "b"))
    (tmp_path / "b" / "0.png").write_bytes(b"not an image")
    images = load_vision("imagefolder", data=tmp_path)
    with pytest.raises(DataNotFoundError, match=r"b/0\.png is no image"):
        images[2]


@pytest.mark.parametrize(("name", "count"), [("cifar10", 10000), ("cifar100", 10000), ("imagenet_sample", 1000)])
def test_real_datasets(shared_dir, name, count):
    known = "imagenet-1k" if name == "imagenet_sample" else name
    images = load_vision(known, data=shared_dir / "data" / name)
    assert (len(images), images.num_classes) == (count, DATASETS.get(known).num_classes)
    image, label = images[count - 1]
    assert image.mode == "RGB"
    assert 0 <= label < images.num_classes


def test_ones_own_photos_are_turned_as_people_see_them(tmp_path):
    (tmp_path / "a").mkdir()
    image = Image.fromarray(np.arange(48, dtype=np.uint8).reshape(4, 4, 3))
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright: turn by 90 degrees
    image.save(tmp_path / "a/x.png", exif=exif)
    found = load_vision("imagefolder", data=tmp_path)[0][0]
    assert np.array_equal(np.asarray(found), np.rot90(np.asarray(image), -1))
