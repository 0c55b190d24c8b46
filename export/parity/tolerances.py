"""Tolerances between an exported file and PyTorch: the one table."""

import math
from dataclasses import dataclass

from export.parity.probes import EXTREME, IMAGES, TEXTS

PADDING = "padding"

ILL_CONDITIONED = 1e-2
"""In float32, where an excused difference stops being a test: a wrong operator starts to hide here."""


@dataclass(frozen=True, kw_only=True)
class Tolerance:
    """The limits for one precision and one kind of input, or for what must not change a result.

    Args:
        max_rel: largest |difference| of a logit, relative to the largest |logit| of the same image or text; for a text
            at least the median of those over all texts of the check.
        own_errors: where PyTorch's float32 is itself further from float64 than `max_rel`, this many times that
            distance is allowed instead; 0 allows `max_rel` only.
        same_top1: every sample must keep its first class.
        finite: PyTorch's own logits must be finite; NaN on both sides is no agreement.
        ill_conditioned: an input on which `own_errors` would excuse more than this says nothing about the file: it is
            reported as ill-conditioned, and only NaN and infinity are judged on it.
        most: `own_errors` never excuse more than this.
        largest: an extreme on which a layer of the model exceeds this in PyTorch is reported and not judged at all: the
            precision cannot hold it.
        reason: why these numbers.
    """

    max_rel: float
    own_errors: float
    same_top1: bool
    finite: bool
    reason: str
    ill_conditioned: float = ILL_CONDITIONED
    most: float = math.inf
    largest: float = math.inf


TOLERANCES: dict[tuple[str, str], Tolerance] = {
    ("float32", IMAGES): Tolerance(
        max_rel=1e-5,
        own_errors=0.0,
        same_top1=True,
        finite=True,
        reason="float32 rounds at 6e-8. Summing the same products in another order, through all layers of a SaluNet "
        "trained on CIFAR-10, was measured at 1e-6; a wrong constant or operator at 1e-3 and more. On pictures nothing "
        "excuses another first class, or a logit that is not a number.",
    ),
    ("float32", TEXTS): Tolerance(
        max_rel=1e-5,
        own_errors=0.0,
        same_top1=True,
        finite=True,
        reason="As for images; with the same means of FleS (export.parity.given) the SST-2 weights were measured at "
        "3e-6 on 872 texts, though their coefficients can reach 30. A text between two classes has logits near zero, "
        "the difference of large terms, hence the median over all texts as the smallest size.",
    ),
    ("float32", PADDING): Tolerance(
        max_rel=1e-5,
        own_errors=0.0,
        same_top1=False,
        finite=True,
        reason="Padding adds exact zeros to sums over tokens, so all that may change is the order of their terms: "
        "measured at 2e-6 and below, like the difference of the two runtimes, with the same means of FleS. A mean that "
        "counts one token of padding among a hundred changes logits by 1e-3 and more.",
    ),
    ("float32", EXTREME): Tolerance(
        max_rel=1e-5,
        own_errors=10.0,
        same_top1=False,
        finite=False,
        reason="As for images and texts. Far outside the pixel range a float32 result can be ill-conditioned by itself "
        "(large terms cancel), so both sides may be as far from float64 as PyTorch is, times ten for another order of "
        "summation: 3,136 equal numbers, as a constant image has, are added by ONNX Runtime with an error of 6e-6 and "
        "by PyTorch with 4e-7; logits of FleS-ResNet-50 were 4.8 of PyTorch's own errors apart. Saturated inputs can "
        "tie classes exactly, so the first class is reported and not judged.",
    ),
}

TOLERANCES["int8", IMAGES] = Tolerance(
    max_rel=math.inf,
    own_errors=0.0,
    same_top1=False,
    finite=True,
    reason="How far integers are from float32 depends on the network: on single images up to 0.22 with a SaluNet-C-18, "
    "0.42 with a FleS-PoolFormer, both trained on CIFAR-10. The graph in float32 has passed by the rows above, and "
    "accuracy on many images decides about the export (export.quantize.accuracy). What is measured then becomes the "
    "file's own limit (export.quantize.measured); here only NaN and infinity are judged.",
)
TOLERANCES["int8", EXTREME] = Tolerance(
    max_rel=math.inf,
    own_errors=0.0,
    same_top1=False,
    finite=False,
    reason="As for images: far outside the pixel range an integer ends where calibration said, which the export "
    "measures as well.",
)


def _rounded(bits: int, floor: float, most: float, largest: float, kind: str) -> Tolerance:
    """The limits for a precision of so many significant bits, float32 having 24."""
    return Tolerance(
        max_rel=floor,
        own_errors=9 * 2.0 ** (24 - bits),
        same_top1=False,
        finite=kind != EXTREME,
        ill_conditioned=most,
        most=math.inf if kind == EXTREME else most,
        largest=largest,
        reason=f"A precision of {bits} bits may be off by as many of its roundings as PyTorch's float32 is by its own: "
        f"2^{24 - bits} times the distance of PyTorch's float32 from float64. Up to 4.6 times that was measured on "
        "images of twelve networks, most with FleS, whose mean jumps where rounding moves an element over zero, and "
        "7.8 on a text; nine are allowed, and never more than ill-conditioned inputs start at. An image between two "
        "classes may change sides, so the first class is reported; where the margin exceeds twice the difference it "
        "cannot.",
    )


_PRECISIONS: dict[str, tuple[int, float, float, float]] = {
    "tf32": (11, 1e-3, 0.1, math.inf),
    "float16": (11, 2e-3, 0.1, 65504.0),
    "bfloat16": (8, 1.6e-2, 0.5, (2 - 2.0**-7) * 2.0**127),
}
"""Significant bits; a floor of about four roundings, for inputs that float32 computes exactly; the most that may be
excused; the largest number."""

TOLERANCES |= {
    (name, kind): _rounded(*numbers, kind)
    for name, numbers in _PRECISIONS.items()
    for kind in (IMAGES, TEXTS, PADDING, EXTREME)
}

# Logits below this are compared as if the largest were this: float32 keeps no relative precision under 1.2e-38.
SMALLEST_SCALE = 1e-30
