"""How far an exported file may be from PyTorch: the one table."""

from dataclasses import dataclass

from export.parity.probes import EXTREME, IMAGES, TEXTS

PADDING = "padding"


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
        reason: why these numbers.
    """

    max_rel: float
    own_errors: float
    same_top1: bool
    finite: bool
    reason: str


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
        reason="As for images; FleS-BERT with 6 and 12 layers was measured at 1e-6 and 2e-6, the jumps of FleS set "
        "aside (export.parity.edges). A text between two classes has logits near zero, the difference of large terms, "
        "hence the median over all texts as the smallest size.",
    ),
    ("float32", PADDING): Tolerance(
        max_rel=1e-5,
        own_errors=0.0,
        same_top1=False,
        finite=True,
        reason="Padding adds exact zeros to sums over tokens, so all that may change is the order of their terms: "
        "measured at 2e-6 and below, like the difference of the two runtimes, with the jumps of FleS set aside. A mean "
        "that counts one token of padding among a hundred changes logits by 1e-3 and more.",
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

# Logits below this are compared as if the largest were this: float32 keeps no relative precision under 1.2e-38.
SMALLEST_SCALE = 1e-30

# An input on which PyTorch's own float32 error would excuse a difference above this says nothing about the file: it is
# reported as ill-conditioned, and only NaN and infinity are judged on it. A wrong operator starts to hide here.
ILL_CONDITIONED = 1e-2
