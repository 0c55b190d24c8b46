"""The papers that cards name, and what of FleS is this project's own."""

from zoo.models.build import find_spec
from zoo.pretrained.tag import PretrainedTag

PAPER = "SaluNet: Enabling Total Plasticity in Normalization-Free Deep Networks"
PAPER_ID = "2606.02927"
FLES = "Toward Principled Flexible Scaling for Self-Gated Neural Activation"
FLES_ID = "XGODWn7HeJ"

FLES_NOTICE = (
    f"The activation is FleS (ICLR 2026, OpenReview {FLES_ID}): x times a sigmoid gate whose height κ_ve and steepness "
    "κ_ho are predicted for each sample and channel from the mean of the channel's positive elements. The paper's "
    "slides give that form and its results, not the small network that predicts the coefficients. The coefficient "
    "network in these weights is this project's reconstruction, chosen because it meets every parameter count that the "
    "slides print; the authors' own may differ."
)

_SALUNET_CITATION = f"""```bibtex
@misc{{salunet,
  title         = {{{PAPER}}},
  year          = {{2026}},
  eprint        = {{{PAPER_ID}}},
  archivePrefix = {{arXiv}}
}}
```"""
_FLES_CITATION = f"""```bibtex
@inproceedings{{fles,
  title     = {{{FLES}}},
  booktitle = {{International Conference on Learning Representations (ICLR)}},
  year      = {{2026}},
  url       = {{https://openreview.net/forum?id={FLES_ID}}}
}}
```"""


def is_salunet(tag: PretrainedTag) -> bool:
    """Whether the model is one of the SaluNet paper."""
    return find_spec(tag.model).family.startswith("salunet")


def has_fles(tag: PretrainedTag) -> bool:
    """Whether FleS, or a variant of it with a coefficient network, is the model's activation."""
    act = str(tag.model_args.get("act", find_spec(tag.model).act))
    return act.startswith("fles") and act not in ("fles_dg", "fles_proto")


def citation(tag: PretrainedTag) -> str:
    """The paper to cite, as BibTeX."""
    return _SALUNET_CITATION if is_salunet(tag) else _FLES_CITATION
