"""Folders of this user's own, by an environment variable of ours, one of the desktop's, or below the home directory."""

import os
from pathlib import Path

from zoo.errors import OutputError


def user_folder(own: str, shared: str, usual: str) -> Path:
    """The folder that `own` names, else `salu-zoo` in the one that `shared` names, else in `usual`.

    Args:
        own: a variable of the environment, such as SALU_ZOO_HOME.
        shared: one that programs share, such as XDG_DATA_HOME.
        usual: such as ~/.local/share.

    Raises:
        OutputError: there is no home directory to name.
    """
    named = os.environ.get(own)
    place = Path(named) if named else Path(os.environ.get(shared) or usual) / "salu-zoo"
    try:
        return place.expanduser().absolute()
    except RuntimeError as error:
        raise OutputError(
            f"{place} has no place: HOME is not set, and the system knows no home directory of this user. Set {own} to "
            "a folder you may write to."
        ) from error
