"""Facts on the data sets for cards: their titles, the terms under which they come, their known flaws."""

from dataclasses import dataclass

from zoo.data.glue import GLUE
from zoo.data.image_dataset import DATASETS


@dataclass(frozen=True)
class DataFacts:
    """One data set, for readers.

    Args:
        title: its name as papers write it.
        origin: what it holds and where it comes from.
        licence: under which terms.
        bias: known flaws that a model trained on it inherits.
    """

    title: str
    origin: str
    licence: str
    bias: str


_TINY = (
    "The photographs are from the 80 Million Tiny Images collection, found on the web by search words and withdrawn by "
    "its makers in 2020 for offensive labels and pictures elsewhere in it. Who and what the photographs show follows "
    "the web of 2008. Near copies between the training and the test images are known (arXiv:1902.00423), so test "
    "accuracy is a little too high for new images."
)
_CIFAR_LICENCE = "Its authors state no licence; they ask for the citation of their technical report (Krizhevsky, 2009)."
_GLUE_LICENCE = "GLUE has no licence of its own; each corpus in it keeps its owner's terms."

_FACTS = {
    "cifar10": DataFacts(
        "CIFAR-10", "60,000 photographs of 32x32 px in 10 classes of vehicles and animals", _CIFAR_LICENCE, _TINY
    ),
    "cifar100": DataFacts(
        "CIFAR-100",
        "60,000 photographs of 32x32 px in 100 classes, among them five of people (baby, boy, girl, man, woman)",
        _CIFAR_LICENCE,
        _TINY + " The classes of people rest on how searchers and labellers saw them; do not use them to tell people.",
    ),
    "imagenet-1k": DataFacts(
        "ImageNet-1K",
        "1.28 million web photographs in 1,000 classes",
        "Non-commercial research and education only, after agreeing to ImageNet's terms of access.",
        "Classes follow WordNet, about 120 of them are breeds of dogs; the photographs are mostly from North "
        "America and Europe. Many images hold several objects and have one label.",
    ),
    "sst2": DataFacts(
        "GLUE SST-2",
        "67,349 sentences and phrases of English film reviews with their sentiment (Socher et al., 2013)",
        _GLUE_LICENCE + " SST-2 is given out for research.",
        "Film reviews of around 2000 from one web site: names, groups and styles that reviewers liked or disliked "
        "shift the answer. Most training texts are phrases, not sentences.",
    ),
}
_GLUE_BIAS = "The texts are English, mostly news and web pages; what writers and labellers believed is in the labels."


def title_of(name: str) -> str:
    """A data set's name as papers write it, such as `CIFAR-10` for cifar10; any other text as it is."""
    return facts_of(name).title if name in (*DATASETS, *GLUE) else name


def facts_of(name: str) -> DataFacts:
    """Return what is known of a data set; empty texts where that is nothing."""
    if name in _FACTS:
        return _FACTS[name]
    if name in GLUE:
        task = GLUE.get(name)
        return DataFacts(f"GLUE {name.upper()}", f"a task of GLUE: {task.description}", _GLUE_LICENCE, _GLUE_BIAS)
    return DataFacts(name, "", "", "")
