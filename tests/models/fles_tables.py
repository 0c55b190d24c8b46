"""Tables 1 to 4 of the FleS slides: what they print of parameters (M) and FLOPs (G), row by row."""

from typing import Any, NamedTuple


class Row(NamedTuple):
    """One printed row.

    Args:
        table: its number.
        label: the activation's name in the slides.
        model: the zoo's name of the backbone.
        act: the zoo's name of the activation.
        parameters, flops: as printed, in millions and billions; None where nothing is printed.
        options: further arguments of the builder.
        changes: names of functions in `table_builds.py`. Three rows for ResNet-50 carry the figures of the rival's own
            paper, which start from another ResNet-50 (3.9 G with ReLU, where the slides' own rows have 4.1 G).
    """

    table: int
    label: str
    model: str
    act: str
    parameters: str
    flops: str | None
    options: dict[str, Any] = {}  # noqa: RUF012 - never changed
    changes: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.table}-{self.model}-{self.label}"


MIN, MICRO, TINY, BASE = (f"fles_swin_{size}" for size in ("min", "micro", "tiny", "base"))
VIT, POOL, RESNET = "fles_vit_base_patch16", "fles_poolformer_s12", "fles_resnet50"
PLAIN = {"GELU": "gelu", "ReLU": "relu", "SiLU": "silu", "Mish": "mish", "Pserf": "pserf", "SMU": "smu"}

ROWS = [
    Row(1, "GELU", MICRO, "gelu", "21.1", "2.6"),
    Row(1, "FleS-Proto", MICRO, "fles_proto", "21.1", "2.6"),
    Row(1, "GELU", BASE, "gelu", "87.7", "15.1"),
    *(Row(2, label, MIN, act, "11.8", "1.6") for label, act in PLAIN.items()),
    Row(2, "AdaS", MIN, "adashift", "13.7", "1.7"),
    Row(2, "StarReLU", MIN, "star_relu", "11.8", "1.6"),
    Row(2, "Meta-ACON", MIN, "meta_acon", "13.4", "1.6"),
    Row(2, "FleS (Ours)", MIN, "fles", "13.0", "1.6"),
    Row(2, "FleS-AdaS", MIN, "fles_adas", "14.1", "1.7"),
    *(Row(2, label, POOL, act, "11.9", "1.8") for label, act in PLAIN.items()),
    Row(2, "AdaS", POOL, "adashift", "15.1", "1.9"),
    Row(2, "StarReLU", POOL, "star_relu", "11.9", "1.8"),
    Row(2, "Meta-ACON", POOL, "meta_acon", "14.3", "1.8"),
    Row(2, "FleS (Ours)", POOL, "fles", "13.8", "1.8"),
    *(Row(3, label, MICRO, PLAIN[label], "21.1", "2.6") for label in ("GELU", "SiLU", "SMU")),
    Row(3, "Mt-ACON", MICRO, "meta_acon", "24.2", "2.6"),
    Row(3, "FleS", MICRO, "fles", "23.5", "2.6"),
    *(Row(3, label, TINY, PLAIN[label], "28.3", "4.4") for label in ("GELU", "SiLU", "SMU")),
    Row(3, "Mt-ACON", TINY, "meta_acon", "32.7", "4.4"),
    Row(3, "FleS", TINY, "fles", "31.7", "4.4"),
    Row(3, "GELU", VIT, "gelu", "86.6", "16.9"),
    Row(3, "FleS", VIT, "fles", "97.4", "16.9"),
    Row(3, "ReLU", RESNET, "relu", "25.6", "4.1"),
    Row(3, "+SE-Net", RESNET, "relu", "28.1", "4.1", {"attn_layer": "se"}),
    Row(3, "PReLU", RESNET, "prelu", "25.6", "4.1"),
    Row(3, "SMU", RESNET, "smu", "25.6", "4.1"),
    Row(3, "SMU-1", RESNET, "smu_1", "25.6", "4.1"),
    Row(3, "FReLU", RESNET, "relu", "25.7", "4.0", {}, ("frelu_in_three_stages", "stride_first", "biased")),
    Row(3, "DY-ReLU", RESNET, "dy_relu", "27.6", None),
    Row(3, "ACON-C", RESNET, "acon_c", "25.6", "3.9", {"gate_at": ("act2",)}, ("stride_first", "biased")),
    Row(3, "Mt-ACON", RESNET, "meta_acon", "25.8", "3.9", {"gate_at": ("act2",)}, ("stride_first", "biased")),
    Row(3, "AdaS", RESNET, "adashift", "25.6", "4.1"),
    Row(3, "FleS", RESNET, "fles", "28.1", "4.1"),
    Row(4, "GELU", MIN, "gelu", "11.8", "1.6"),
    Row(4, "FleS-DG", MIN, "fles_dg", "11.8", "1.6"),
    Row(4, "FleS", MIN, "fles", "13.0", "1.6"),
    Row(4, "FleS-P&N", MIN, "fles_pn", "13.0", "1.6"),
]

_ADAS = "the slides' larger form of AdaShift could not be established; ours is AdaShift-B, which fits ResNet-50"
# What the zoo's models have where that is not what is printed, and why.
DIFFERENT: dict[tuple[str, str], tuple[str, str | None, str]] = {
    ("GELU", BASE): ("87.8", "15.1", "87.768 M; the slides cut the digits off"),
    ("AdaS", MIN): ("11.8", "1.6", _ADAS),
    ("AdaS", POOL): ("11.9", "1.8", _ADAS),
    ("FleS-AdaS", MIN): ("14.1", "1.6", "the network is ours; its multiply-adds are as few as those of FleS"),
    ("DY-ReLU", RESNET): ("39.0", None, "sites and reduction are not printed; the paper counts without a classifier"),
}
# The rows of activations that the zoo does not have; `zoo/activations/rivals/__init__.py` says why.
ABSENT = [("IIEU", MIN, "13.4", "1.6"), ("IIEU", POOL, "14.3", "1.8"), ("IIEU", RESNET, "25.6", "4.2")]
# The one row without figures.
UNPRINTED = [("PWLU", RESNET)]
