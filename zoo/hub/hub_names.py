"""Names of repositories, revisions and files of the Hub, by pattern: only such a name becomes part of a path."""

import re
from pathlib import PurePosixPath

from zoo.errors import WeightsNotFoundError

HUB_PREFIX = "hf-hub:"
_WORD = r"[A-Za-z0-9_][A-Za-z0-9_.+-]*"
_REPO = re.compile(rf"({_WORD}/)?{_WORD}")
_REVISION = re.compile(rf"{_WORD}(/{_WORD})*")
COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
ETAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+=:-]{0,199}")
_LONGEST = 200


def split_hub_name(name: str) -> tuple[str, str | None]:
    """Repository and revision of `hf-hub:ORG/REPO[@REVISION]`.

    Raises:
        WeightsNotFoundError: one of them is no name the Hub gives.
    """
    repo, _, revision = name.removeprefix(HUB_PREFIX).partition("@")
    check_hub_names(repo, revision or None)
    return repo, revision or None


def check_hub_names(repo: str, revision: str | None, file: str = "config.json") -> None:
    """Refuse names that could lead out of the cache's folder.

    Raises:
        WeightsNotFoundError: one of them is no name the Hub gives; it is named.
    """
    for what, value, good in (
        ("repository, which is ORG/NAME", repo, _matches(_REPO, repo) and "--" not in repo),
        ("branch, tag or commit", revision or "", revision is None or _matches(_REVISION, revision)),
        ("file of a repository", file, is_inside(file)),
    ):
        if not good:
            raise WeightsNotFoundError(f"{value!r} is no {what}. Names of the Hub have letters, digits, - . _ and /.")


def is_inside(path: str) -> bool:
    """True for a relative path that stays where it starts."""
    plain = all(sign.isprintable() and sign not in "\\:" for sign in path)
    return plain and path == str(PurePosixPath(path)) and path[:1] not in ("/", "") and ".." not in path.split("/")


def _matches(pattern: re.Pattern[str], value: str) -> bool:
    return pattern.fullmatch(value) is not None and ".." not in value and len(value) <= _LONGEST
