"""Choice of the slots of a model that a conversion is asked to fill, and of those it passes by."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from torch import nn

from zoo.conversion.conversion_report import Left
from zoo.conversion.replaceable import FUNCTIONS, NORMS, USUAL_ACTIVATIONS, activation_kind, norm_kind, resembled_kind
from zoo.conversion.slots import Slot, find_slots
from zoo.conversion.target import Target
from zoo.errors import ConfigurationError, suggestion

Kinds = str | type[nn.Module] | Iterable[str | type[nn.Module]] | None


@dataclass(frozen=True)
class Wish:
    """The user's request: target, kinds, classes and patterns.

    Args:
        target: what sites become.
        kinds: kinds to replace.
        classes: further classes to replace, whatever they compute.
        include: patterns; a site must match one.
        exclude: patterns; a site must match none.
    """

    target: Target
    kinds: frozenset[str]
    classes: tuple[type[nn.Module], ...]
    include: tuple[str, ...]
    exclude: tuple[str, ...]

    def kind_of(self, module: nn.Module) -> str | None:
        """The kind of a module as this conversion sees it: norms for a norm replacement, activations for a gate."""
        if type(module) in self.classes:
            return type(module).__name__
        return norm_kind(module) if self.target.replaces_norms else activation_kind(module)


def make_wish(target: Target, of: Kinds, include: str | Iterable[str], exclude: str | Iterable[str]) -> Wish:
    """The arguments of `convert`, checked.

    Raises:
        ConfigurationError: `of` names no kind, or a pattern is not a text.
    """
    usual = NORMS if target.replaces_norms else USUAL_ACTIVATIONS
    given = list(usual) if of is None else [of] if isinstance(of, str | type) else list(of)
    names = [kind for kind in given if isinstance(kind, str)]
    classes = tuple(kind for kind in given if isinstance(kind, type) and issubclass(kind, nn.Module))
    known = NORMS if target.replaces_norms else _activation_names()
    for kind in given:
        if kind not in known and kind not in classes:
            raise ConfigurationError(
                f"of={kind!r} is no kind of {'norm' if target.replaces_norms else 'activation'} and no module class. "
                f"{suggestion(str(kind), known)}"
            )
    patterns = []
    for name, value in (("include", include), ("exclude", exclude)):
        listed = (value,) if isinstance(value, str) else tuple(value)
        if not all(isinstance(pattern, str) for pattern in listed):
            raise ConfigurationError(f"{name}={value!r}: give patterns of module names, such as 'blocks.*.act'.")
        patterns.append(listed)
    return Wish(target, frozenset(names), classes, *patterns)


def choose_slots(model: nn.Module, wish: Wish, beside: Wish | None = None) -> tuple[list[tuple[Slot, str]], list[Left]]:
    """The slots to convert, each with its kind, and those of a known kind that stay as they are.

    Args:
        model: the model.
        wish: what is asked for.
        beside: a second wish of the same conversion, whose slots its patterns may mean as well.

    Raises:
        ConfigurationError: a pattern fits nothing.
    """
    slots = find_slots(model)
    found = [(slot, kind) for slot in slots if (kind := wish.kind_of(slot.module)) is not None]
    meant = [slot for slot in slots if any(w.kind_of(slot.module) for w in (wish, beside) if w)]
    sort = "site" if beside else "norm layer" if wish.target.replaces_norms else "activation"
    for pattern in (*wish.include, *wish.exclude):
        if pattern != "*" and not any(slot.matches(pattern) for slot in meant):
            raise ConfigurationError(
                f"The pattern {pattern!r} fits no {sort} of {type(model).__name__}. "
                f"{suggestion(pattern, [slot.path for slot in meant])}"
            )
    chosen, left = [], [] if wish.target.replaces_norms else _derived(model, wish)
    for slot, kind in found:
        entry = _left_out(slot, kind, wish)
        if entry is None:
            chosen.append((slot, kind))
        else:
            left.append(entry)
    return chosen, left


def _derived(model: nn.Module, wish: Wish) -> list[Left]:
    """Subclasses of known activations: they may compute something else, so only their own name asks for them."""
    slots = [(slot, resembled_kind(slot.module)) for slot in find_slots(model) if not wish.kind_of(slot.module)]
    reason = "derived from a {} and may compute something else; name the class in of=..."
    return [
        Left(slot.path, type(slot.module).__name__, reason.format(kind), "kind")
        for slot, kind in slots
        if kind in wish.kinds
    ]


def _left_out(slot: Slot, kind: str, wish: Wish) -> Left | None:
    """Return the reason why a slot of a known kind is not asked for; None if it is."""
    what = type(slot.module).__name__
    if kind not in wish.kinds and type(slot.module) not in wish.classes:
        return Left(slot.path, what, f"{kind} is not among of={_shown(wish)}", "kind")
    if kind == wish.target.name:
        return Left(slot.path, what, f"is {kind} already", "kind")
    if not any(slot.matches(pattern) for pattern in wish.include):
        return Left(slot.path, what, "no pattern of include fits it", "pattern")
    pattern = next((pattern for pattern in wish.exclude if slot.matches(pattern)), None)
    return Left(slot.path, what, f"excluded by {pattern!r}", "pattern") if pattern is not None else None


def _shown(wish: Wish) -> str:
    return ", ".join(sorted([*wish.kinds, *(cls.__name__ for cls in wish.classes)]))


def _activation_names() -> Sequence[str]:
    from zoo.activations.gates import list_gates

    return sorted({*FUNCTIONS.values(), *USUAL_ACTIVATIONS, "hard_mish", "prelu", "celu", "softplus", *list_gates()})
