"""Refusal of weights from FleS's first edition, with the reason; without torch, since names alone tell it."""

from collections.abc import Iterable

from zoo.errors import WeightsMismatchError

_NAMES = ("gamma", "beta", "lam", "norm_weight", "norm_bias")
FIRST_EDITION = (
    "weights of the first edition of FleS (LayerNorm over the channels, coefficients without softplus). The second "
    "edition is another formula, by the published definition, and nothing converts the one into the other. Train the "
    "model anew with this version of salu-zoo."
)
"""Why what holds the first edition's names is refused."""


def refuse_first_edition(names: Iterable[str], wanted: Iterable[str]) -> None:
    """Refuse weights of the first edition.

    Args:
        names: of the tensors that are to be loaded.
        wanted: of the model's own, among which every FleS with parameters has a `vertical_bias`.

    Raises:
        WeightsMismatchError: a FleS is given a parameter of the first edition.
    """
    given = set(names)
    sites = [name.removesuffix("vertical_bias") for name in wanted if name.endswith("vertical_bias")]
    old = [site + name for site in sites for name in _NAMES if site + name in given]
    if old:
        raise WeightsMismatchError(f"{', '.join(old[:5])}: these are {FIRST_EDITION}")
