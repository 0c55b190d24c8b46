"""The configuration of `fles_bert`: BERT's own, and what its FleS needs."""

from typing import Any

from transformers import BertConfig


class FlesBertConfig(BertConfig):
    """A BERT encoder with FleS in every intermediate layer.

    All arguments of `transformers.BertConfig`, of which `hidden_act` stands in the head for masked words alone, and:

    Args:
        fles_variant: the variant of FleS; see `zoo.activations.FleS`. "proto" is refused: its outputs would depend on
            the other samples of a batch.
        fles_hidden: units of the coefficient network's trunk; None for max(32, intermediate_size // 32).
        fles_beta: start of β: 1.0 makes a fresh model BERT with SiLU, 1.702 nearly BERT with GELU.

    Source: FleS slides (ICLR 2026) name BERT without figures; the placement is that of their transformers.
    """

    model_type = "fles_bert"

    fles_variant: str = "fles"
    fles_hidden: int | None = None
    fles_beta: float = 1.0
    hidden_act: str = "gelu"
    use_cache: bool = False

    def __post_init__(self, **kwargs: Any) -> None:
        """As transformers has it, without the zoo's record of published weights: what is saved again may be others.

        Earlier releases wrote "fles" as BERT's activation, which is that of the head for masked words.
        """
        kwargs.pop("salu_zoo", None)
        if self.hidden_act == "fles":
            self.hidden_act = "gelu"
        super().__post_init__(**kwargs)

    def to_diff_dict(self) -> dict[str, Any]:
        """As transformers has it, with the variant always written, so that a reader sees it."""
        fields: dict[str, Any] = super().to_diff_dict()
        return fields | {"fles_variant": self.fles_variant, "fles_beta": self.fles_beta}
