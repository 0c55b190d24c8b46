"""The papers behind the models, as cards and timm's configuration name them, and what they report."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Paper:
    """One paper.

    Args:
        title: its title.
        id: as timm writes it: arXiv:NUMBER, or OpenReview:ID.
        address: where to read it.
        bibtex: how to cite it.
        topics: what its models are tagged with on the Hub.
        elsewhere: a sentence on weights of its authors, for somebody who looks for them; "" where there is none.
    """

    title: str
    id: str
    address: str
    bibtex: str
    topics: Sequence[str] = ()
    elsewhere: str = ""

    @property
    def reference(self) -> str:
        """The id in a sentence: arXiv NUMBER, or OpenReview ID."""
        return self.id.replace(":", " ")


@dataclass(frozen=True, kw_only=True)
class Reported:
    """What a paper reports of a model on one data set; not run here.

    Args:
        top1: Top-1 in per cent.
        top5: Top-5 in per cent, or None.
        how: length of training and the like.
        section: where it stands.
    """

    top1: float
    top5: float | None
    how: str
    section: str


SALUNET = Paper(
    title="SaluNet: Enabling Total Plasticity in Normalization-Free Deep Networks",
    id="arXiv:2606.02927",
    address="https://arxiv.org/abs/2606.02927",
    bibtex="""@misc{salunet,
  title         = {SaluNet: Enabling Total Plasticity in Normalization-Free Deep Networks},
  year          = {2026},
  eprint        = {2606.02927},
  archivePrefix = {arXiv}
}""",
    topics=("salunet", "normalization-free"),
    elsewhere=(
        "The SaluNet authors' model card on the Hub (Mourad-zaied/SaluNet) only links to files hosted elsewhere, so "
        "they cannot be fetched by name."
    ),
)
FLES = Paper(
    title="Toward Principled Flexible Scaling for Self-Gated Neural Activation",
    id="OpenReview:XGODWn7HeJ",
    address="https://openreview.net/forum?id=XGODWn7HeJ",
    bibtex="""@inproceedings{fles,
  title     = {Toward Principled Flexible Scaling for Self-Gated Neural Activation},
  booktitle = {International Conference on Learning Representations (ICLR)},
  year      = {2026},
  url       = {https://openreview.net/forum?id=XGODWn7HeJ}
}""",
)
