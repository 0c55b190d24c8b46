"""The papers that cards name, and what of FleS is this project's own."""

from typing import Any

from zoo.models.build import find_spec
from zoo.models.paper import FLES, SALUNET
from zoo.weights.tag import PretrainedTag

FLES_NOTICE = (
    f"The activation is FleS (ICLR 2026, {FLES.reference}), second edition: x times a sigmoid gate whose height "
    "κ_ve and steepness κ_ho, both positive by a softplus, are predicted for each sample and channel from the mean of "
    "the channel's elements x >= 0, divided by the average of these means over the channels. The paper's slides give "
    "the form and the results; the statistic, the start values and the softplus are those of a public summary of the "
    "paper (Paper-Notes, 2026-05-08). The coefficient network in these weights is this project's reconstruction, "
    "chosen because it meets every parameter count that the slides print; the authors' own may differ."
)


def paper_figure(model: str, dataset: str) -> dict[str, Any] | None:
    """Return the paper's figures of a model on a data set as an entry of `comparisons`; None where it says nothing."""
    spec = find_spec(model)
    found = spec.reported.get(dataset)
    if found is None:
        return None
    note = f"{found.how} as reported in {spec.paper.reference}, section {found.section}; not run here"
    figures = {"top1": found.top1} if found.top5 is None else {"top1": found.top1, "top5": found.top5}
    called = spec.description.partition(":")[0].partition(" with")[0]
    return {"label": f"{called} of the paper", **figures, "note": note}


def is_salunet(tag: PretrainedTag) -> bool:
    """True if the model is one of the SaluNet paper."""
    return find_spec(tag.model).paper is SALUNET


def has_fles(tag: PretrainedTag) -> bool:
    """True if FleS, or a variant of it with a coefficient network, is the model's activation."""
    act = str(tag.model_args.get("act", find_spec(tag.model).act))
    return act.startswith("fles") and act not in ("fles_dg", "fles_proto")
