"""Conversion report as data: complete enough to repeat the conversion on a fresh model."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

from zoo.errors import ConfigurationError

FORMAT = 2


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
        difference: largest |new - old| over x in [-8, 8], at the start; None for a norm layer.
        calls: how often the example pass calls it; 0 where there was no pass.
        aliases: further names of the same place.
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
class Report:
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
    format: int = field(default=FORMAT)

    @property
    def preserves(self) -> bool:
        """True if every site gives the values it gave before, to the last bit in float32."""
        return all(site.preserves for site in self.sites)

    def to_dict(self) -> dict[str, Any]:
        """All fields, ready for JSON."""
        values: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Report":
        """The inverse of `to_dict`; entries of other names are refused.

        Raises:
            ConfigurationError: it is no report, or one of another format.
        """
        if values.get("format") != FORMAT or set(values) != {f.name for f in fields(cls)}:
            raise ConfigurationError(
                f"This is no conversion report of format {FORMAT}: it has {', '.join(sorted(values)) or 'nothing'}. "
                "Format 1 belongs to the first edition of FleS, another formula: convert the model anew. "
                '`convert` gives one, and `zoo convert` writes it to conversion.json under "report".'
            )
        try:
            sites = tuple(ConvertedSite(**{**site, "aliases": tuple(site["aliases"])}) for site in values["sites"])
            left = tuple(Left(**entry) for entry in values["left"])
        except (TypeError, KeyError) as error:
            raise ConfigurationError(f"The conversion report is damaged: {error}.") from error
        lists = {name: tuple(values[name]) for name in ("warnings", "parameters")}
        return cls(**{**values, **lists, "sites": sites, "left": left})
