"""Conversion report as data: complete enough to repeat the conversion on a fresh model."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

from zoo.records import Record


@dataclass(frozen=True)
class ConvertedSite:
    """One converted place.

    Args:
        path: the module's name in the model.
        was: the class that stood there.
        kind: what that is, such as "gelu" or "batchnorm".
        became: the target's name.
        num_features: channels, where the target has something for each.
        channel_axis: where they lie; None likewise.
        steepness: κ_ho at the start; None where the target has none to choose.
        preserves: whether old and new give the same values to the last bit in float32, at the start.
        difference: largest |new - old| at the start, for x in `span`; None for a norm layer.
        calls: how often the example pass calls it; 0 where there was no pass.
        aliases: further names of the same place.
        clip: the module clips its input to this number at most, as ReLU6 did; None where it does not.
        span: smallest and largest value that the example pass brought there; None where [-8, 8] was taken instead.
        pair: (a, b) at the start, where this conversion chose them; None where the report's arguments say them.
        folded: the layer that took up the BatchNorm that stood there; None where nothing was folded.
    """

    path: str
    was: str
    kind: str
    became: str
    num_features: int | None
    channel_axis: int | None
    steepness: float | None
    preserves: bool
    difference: float | None
    calls: int
    aliases: tuple[str, ...] = ()
    clip: float | None = None
    span: tuple[float, float] | None = None
    pair: tuple[float, float] | None = None
    folded: str | None = None


@dataclass(frozen=True)
class Left:
    """Something that was not converted.

    Args:
        path: the module, or the module that calls the function; "" for the model itself.
        what: its class, or the function's name with parentheses.
        reason: why.
        why: "function" (called as a function), "pattern" (include or exclude), "kind" (not among `of`), or "problem".
    """

    path: str
    what: str
    reason: str
    why: Literal["function", "pattern", "kind", "problem"]


@dataclass(frozen=True)
class Report(Record):
    """Report of what `convert` did.

    Args:
        model: class of the model.
        to: the target's name.
        arguments: what the target's constructor got at every site, beside channels and steepness.
        sites: what was converted, in the model's order.
        left: what was not, each with the reason.
        warnings: what a user must know before using the result.
        difference: largest |after - before| over the model's outputs on the example; None without an example pass, or
            where they are not finite.
        scale: largest |before| there; None likewise.
        parameters: how many the model had and has.
        model_type: "fles_bert" where the whole model was rebuilt as that type; None otherwise.
    """

    subject = "conversion report of format 3"
    remedy = (
        "Format 1 belongs to the first edition of FleS, another formula: convert the model anew. `convert` gives a "
        'report, and `zoo convert` writes it to conversion.json under "report".'
    )
    whole = True

    model: str
    to: str
    arguments: dict[str, Any]
    sites: tuple[ConvertedSite, ...]
    left: tuple[Left, ...]
    warnings: tuple[str, ...]
    difference: float | None
    scale: float | None
    parameters: tuple[int, int]
    model_type: str | None = None
    format: Literal[3] = 3

    @property
    def preserves(self) -> bool:
        """True if every site gives the values it gave before, to the last bit in float32."""
        return all(site.preserves for site in self.sites)

    @classmethod
    def from_dict(cls, values: Any) -> Self:
        """The inverse of `to_dict`. A report of format 2, which had neither clips nor spans nor folds, is read as well.

        Raises:
            ConfigurationError: it is no report, or one of another format.
        """
        older = isinstance(values, Mapping) and values.get("format") == 2
        return super().from_dict({**values, "format": 3} if older else values)
