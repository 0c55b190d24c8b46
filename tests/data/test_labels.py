import pytest

from zoo.data.labels import check_same_order, check_standard_order, imagenet_names, imagenet_wordnet_ids, wordnet_names
from zoo.errors import ConfigurationError

PETS = ("cat", "dog", "fish")


@pytest.mark.parametrize(
    "other",
    [
        PETS,
        (),
        ("Cat", "DOG", "fish"),
        ("cat, Felis catus", "dog", "fish"),
        ("cat", "dog", "goldfish"),
        ("cat", "dog", "cat"),
    ],
)
def test_the_same_order_passes(other):
    check_same_order("model", PETS, "data", other)
    check_same_order("data", other, "model", PETS)


def test_another_order_names_the_first_moved_class():
    with pytest.raises(ConfigurationError, match=r"model and data.*'cat' is 0 in the first and 1 .*\(2 such names\)"):
        check_same_order("model", PETS, "data", ("dog", "cat", "fish"))


def test_no_common_name_is_another_dataset():
    with pytest.raises(ConfigurationError, match="no class name in common"):
        check_same_order("model", PETS, "data", ("car", "bus", "tram"))


def test_imagenet_names_follow_sorted_wordnet_ids():
    ids = imagenet_wordnet_ids()
    assert len(ids) == len(imagenet_names()) == 1000
    assert list(ids) == sorted(ids)
    assert wordnet_names(("n01440764", "mine")) == ("tench, Tinca tinca", "mine")


def test_standard_order_is_asked_of_imagenet_only():
    swapped = (imagenet_names()[1], imagenet_names()[0], *imagenet_names()[2:])
    check_standard_order("imagenet-1k", imagenet_names())
    check_standard_order("imagefolder", swapped)
    with pytest.raises(ConfigurationError, match="ImageNet-1k standard"):
        check_standard_order("imagenet-1k", swapped)
