"""The papers that cards name, and what of FleS is this project's own."""

from typing import Any

from zoo.models.build import find_spec
from zoo.weights.tag import PretrainedTag

PAPER = "SaluNet: Enabling Total Plasticity in Normalization-Free Deep Networks"
PAPER_ID = "2606.02927"
FLES = "Toward Principled Flexible Scaling for Self-Gated Neural Activation"
FLES_ID = "XGODWn7HeJ"

FLES_NOTICE = (
    f"The activation is FleS (ICLR 2026, OpenReview {FLES_ID}), second edition: x times a sigmoid gate whose height "
    "κ_ve and steepness κ_ho, both positive by a softplus, are predicted for each sample and channel from the mean of "
    "the channel's elements x >= 0, divided by the average of these means over the channels. The paper's slides give "
    "the form and the results; the statistic, the start values and the softplus are those of a public summary of the "
    "paper (Paper-Notes, 2026-05-08). The coefficient network in these weights is this project's reconstruction, "
    "chosen because it meets every parameter count that the slides print; the authors' own may differ."
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


_FIGURES = {
    ("salunet_c18_cifar", "cifar10"): ("SaluNet-C-18", 97.18, 99.86, "300 epochs, mean of several runs", "5.2"),
    ("salunet_c18_cifar", "cifar100"): ("SaluNet-C-18", 83.06, 96.20, "300 epochs, mean of several runs", "5.2"),
    ("salunet_c50", "imagenet-1k"): (
        "SaluNet-C-50",
        78.75,
        94.48,
        "90 epochs, 176/224 px, mean of several runs",
        "5.3",
    ),
    ("salunet_t_cifar", "cifar10"): ("SaluNet-T-CIFAR", 90.96, None, "200 epochs, mean of several runs", "5.4"),
    ("salunet_t_cifar", "cifar100"): ("SaluNet-T-CIFAR", 68.00, None, "200 epochs, mean of several runs", "5.4"),
}


def paper_figure(model: str, dataset: str) -> dict[str, Any] | None:
    """Return the paper's figures of a model on a data set as an entry of `comparisons`; None where it says nothing."""
    if (model, dataset) not in _FIGURES:
        return None
    name, top1, top5, how, section = _FIGURES[model, dataset]
    note = f"{how} as reported in arXiv {PAPER_ID}, section {section}; not run here"
    figures = {"top1": top1} if top5 is None else {"top1": top1, "top5": top5}
    return {"label": f"{name} of the paper", **figures, "note": note}


def paper(tag: PretrainedTag) -> tuple[str, str]:
    """Title and address of the paper a model follows."""
    if is_salunet(tag):
        return PAPER, f"https://arxiv.org/abs/{PAPER_ID}"
    return FLES, f"https://openreview.net/forum?id={FLES_ID}"


def is_salunet(tag: PretrainedTag) -> bool:
    """True if the model is one of the SaluNet paper."""
    return find_spec(tag.model).family.startswith("salunet")


def has_fles(tag: PretrainedTag) -> bool:
    """True if FleS, or a variant of it with a coefficient network, is the model's activation."""
    act = str(tag.model_args.get("act", find_spec(tag.model).act))
    return act.startswith("fles") and act not in ("fles_dg", "fles_proto")


def citation(tag: PretrainedTag) -> str:
    """The paper to cite, as BibTeX."""
    return _SALUNET_CITATION if is_salunet(tag) else _FLES_CITATION
