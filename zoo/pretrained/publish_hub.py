"""The calls that look at and change a repository of the Hub, each with its errors in words."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.errors import PublishError
from zoo.pretrained.hub_errors import LOGIN, explain, is_unreachable
from zoo.pretrained.publish_check import CardFile
from zoo.pretrained.readme.frontmatter import LIBRARY

if TYPE_CHECKING:
    from huggingface_hub import HfApi

# Git's own, made by the Hub: no file of ours, and not to be deleted.
_HOUSEKEEPING = (".gitattributes", ".gitignore")
# Also true where the answer to a commit was lost, and nobody here knows whether it was made.
_WHOLE = "A commit is made whole or not at all: push again, and what is there already is left."


@dataclass(frozen=True)
class Remote:
    """A repository as it is on the Hub.

    Args:
        head: the newest commit of main.
        private: who may see it.
        files: each with the hash the Hub has of it: sha256 of a large one, git's own of others.
        large: those that are kept by LFS.
        tags: each with its commit.
    """

    head: str
    private: bool
    files: Mapping[str, str]
    large: frozenset[str]
    tags: Mapping[str, str]

    def state(self, file: CardFile) -> str:
        """`new`, `changed` or `same`."""
        there = self.files.get(file.name)
        own = file.sha256 if file.name in self.large else file.blob_id
        return "new" if there is None else "same" if there == own else "changed"


class Unreachable(PublishError):  # noqa: N818 an answer as well: a plan can be made without the Hub
    """Nobody answers, or the Hub is in trouble."""


def open_api() -> "HfApi":
    """The Hub at HF_ENDPOINT, with the token of HF_TOKEN or of `hf auth login`, if there is one."""
    from huggingface_hub import HfApi, constants, get_token

    return HfApi(endpoint=constants.ENDPOINT, token=get_token() or False, library_name=LIBRARY)


def check_token(api: "HfApi", repo: str) -> None:
    """Refuse to begin without a token.

    Raises:
        PublishError: there is none.
    """
    if not api.token:
        raise PublishError(
            f"Publishing to {repo} on {api.endpoint} needs a token with write access, and there is none. First {LOGIN}."
        )


def look(api: "HfApi", repo: str, revision: str | None = None) -> Remote | None:
    """The repository as it is, or None if there is none that the token opens.

    Args:
        api: the Hub.
        repo: ORG/NAME.
        revision: a commit instead of the newest one.

    Raises:
        Unreachable: nobody answers.
        PublishError: the token is refused.
    """
    from huggingface_hub import RepoFile
    from huggingface_hub.errors import RepositoryNotFoundError

    with asking(f"look at {repo}", api):
        try:
            facts = api.model_info(repo, revision=revision, timeout=30)
        except RepositoryNotFoundError:
            return None
        listed = list(api.list_repo_tree(repo, recursive=True, revision=facts.sha))
        refs = api.list_repo_refs(repo)
    files = [row for row in listed if isinstance(row, RepoFile)]
    return Remote(
        head=str(facts.sha),
        private=bool(facts.private),
        files={row.path: row.lfs.sha256 if row.lfs else row.blob_id for row in files if row.path not in _HOUSEKEEPING},
        large=frozenset(row.path for row in files if row.lfs),
        tags={row.name: row.target_commit for row in refs.tags},
    )


def create(api: "HfApi", repo: str, private: bool) -> str:
    """Make a repository; one that exists stays as it is.

    Returns:
        Its newest commit.
    """
    with asking(f"create {repo}", api):
        api.create_repo(repo, private=private, exist_ok=True)
        return str(api.model_info(repo, timeout=30).sha)


def commit(
    api: "HfApi",
    repo: str,
    folder: Path,
    changes: tuple[Sequence[CardFile], Sequence[str]],
    message: str,
    parent: str,
) -> str:
    """All files in one commit, on top of the one that was looked at, or nothing.

    Args:
        api: the Hub.
        repo: ORG/NAME.
        folder: where the files lie.
        changes: files to add or replace, names of files to delete.
        message: of the commit.
        parent: the newest commit there must still be.

    Returns:
        The commit.
    """
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    added, deleted = changes
    operations: list[CommitOperationAdd | CommitOperationDelete] = [
        CommitOperationAdd(file.name, str(folder / file.name) if file.content is None else file.content)
        for file in added
    ]
    operations += [CommitOperationDelete(name) for name in deleted]
    with asking(f"upload to {repo}", api, _WHOLE):
        return str(api.create_commit(repo, operations, commit_message=message, parent_commit=parent).oid)


def tag(api: "HfApi", repo: str, name: str, revision: str) -> None:
    """Name a commit for ever."""
    with asking(f"tag {revision} of {repo} as {name}", api, "The files are published; only the tag is missing."):
        api.create_tag(repo, tag=name, revision=revision)


@contextmanager
def asking(what: str, api: "HfApi", state: str = "Nothing was published.") -> Iterator[None]:
    """Put every way huggingface_hub can fail into one error that says what was asked.

    Raises:
        PublishError: with what the server said and what to do.
    """
    # The base class of the HTTP library underneath, which is another one in other versions.
    from huggingface_hub.errors import HTTPError as NetworkError  # type: ignore[attr-defined]

    try:
        yield
    except (NetworkError, OSError, ValueError, RuntimeError) as error:
        said, advice = explain(error)
        kind = Unreachable if is_unreachable(error) else PublishError
        raise kind(f"Cannot {what} on {api.endpoint}: {said}. {state} {advice}".rstrip()) from error
