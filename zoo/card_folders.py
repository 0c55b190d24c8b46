"""Folders of model cards, in the order in which a name is looked up: the user's own, then the zoo's."""

import os
from pathlib import Path

from zoo.errors import OutputError
from zoo.user_folder import user_folder

CARDS = "model_cards"
_CONFIG = "config.json"


def checkout_root() -> Path | None:
    """Root of the source checkout this package runs from, or None for an installed copy."""
    root = Path(__file__).resolve().parents[1]
    return root if (root / "pyproject.toml").is_file() else None


def user_home() -> Path:
    """The user's own folder: SALU_ZOO_HOME, or `salu-zoo` in XDG_DATA_HOME or in ~/.local/share.

    Raises:
        OutputError: there is no home directory to name.
    """
    return user_folder("SALU_ZOO_HOME", "XDG_DATA_HOME", "~/.local/share")


def card_roots() -> dict[str, Path]:
    """Folders that hold cards by what they are, in the order in which a name is looked up.

    "home" is the user's own. The other is "checkout", which has the weights, or "installed", which has the cards
    without them, unless a wheel of weights put them there.
    """
    try:
        found = {"home": user_home() / CARDS}
    except OutputError:
        found = {}  # nobody's home: what comes with the zoo is still found
    root = checkout_root()
    packed = Path(__file__).resolve().parent / "weights" / CARDS
    return found | ({"installed": packed} if root is None else {"checkout": root / CARDS})


def card_names() -> list[str]:
    """Names MODEL.TAG of all cards, sorted."""
    return sorted({file.parent.name for root in card_roots().values() for file in root.glob(f"*/{_CONFIG}")})


def card_folder(name: str) -> Path:
    """The folder of a card: the first that is there, else where the zoo's own would be."""
    places = [root / name for root in card_roots().values()]
    return next((place for place in places if (place / _CONFIG).is_file()), places[-1])


def root_of(folder: Path) -> str | None:
    """The key of `card_roots` under which a card's folder lies; None for one elsewhere."""
    return next((key for key, root in card_roots().items() if folder.parent == root), None)


def new_card_folder(name: str) -> Path:
    """Where a new card is found by its name afterwards: SALU_ZOO_HOME if set, else the checkout, else the user's home.

    Raises:
        OutputError: there is no home directory to name.
    """
    root = None if os.environ.get("SALU_ZOO_HOME") else checkout_root()
    return (root or user_home()) / CARDS / name
