"""The configuration of `fles_bert`: BERT's own, and what its FleS needs."""

from typing import Any

from transformers import BertConfig

from zoo.errors import WeightsMismatchError
from zoo.first_edition import FIRST_EDITION


class FlesBertConfig(BertConfig):
    """A BERT encoder with FleS in every intermediate layer.

    All arguments of `transformers.BertConfig`, of which `hidden_act` stands in the head for masked words alone, and:

    Args:
        fles_variant: the variant of FleS; see `zoo.activations.FleS`. "proto" is refused: its outputs would depend on
            the other samples of a batch.
        fles_hidden: units of the coefficient network's trunk; None for max(32, intermediate_size // 32).
        fles_start: what a fresh FleS starts at, "paper" or "identity".
        fles_steepness: κ_ho at the start "identity": 1.0 makes a fresh model BERT with SiLU, 1.702 nearly BERT with
            GELU; None for 1.0.

    Raises:
        WeightsMismatchError: the fields are those of a model with the first edition of FleS.

    Source: FleS slides (ICLR 2026) name BERT without figures; the placement is that of their transformers.
    """

    model_type = "fles_bert"

    fles_variant: str = "fles"
    fles_hidden: int | None = None
    fles_start: str = "paper"
    fles_steepness: float | None = None
    hidden_act: str = "gelu"
    use_cache: bool = False

    def __post_init__(self, **kwargs: Any) -> None:
        """As transformers has it, without the zoo's record of published weights: what is saved again may be others."""
        kwargs.pop("salu_zoo", None)
        if "fles_beta" in kwargs:
            raise WeightsMismatchError(f"The configuration's fles_beta belongs to {FIRST_EDITION}")
        super().__post_init__(**kwargs)

    def to_diff_dict(self) -> dict[str, Any]:
        """As transformers has it, with the variant always written, so that a reader sees it."""
        fields: dict[str, Any] = super().to_diff_dict()
        return fields | {"fles_variant": self.fles_variant}
