"""What a push would do, and what it did."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.pretrained.publish_check import CardFile
from zoo.pretrained.publish_hub import Remote
from zoo.pretrained.tag import PretrainedTag


@dataclass(frozen=True)
class PushPlan:
    """What a push would do.

    Args:
        tag: the card.
        folder: where it lies.
        repo: ORG/NAME.
        endpoint: address of the Hub.
        private: whether a repository made now is hidden.
        message: of the commit.
        revision_tag: what the commit will be called besides its hash; None for nothing.
        delete_extra: whether files of the repository that are not of the card go.
        files: what is published.
        left_out: what lies in the folder and is not.
        remote: the repository now; None if there is none or it could not be seen.
        unseen: why it could not be seen; "" if it could.
    """

    tag: PretrainedTag
    folder: Path
    repo: str
    endpoint: str
    private: bool
    message: str
    revision_tag: str | None
    delete_extra: bool
    files: tuple[CardFile, ...]
    left_out: tuple[str, ...]
    remote: Remote | None
    unseen: str = ""

    def state(self, file: CardFile) -> str:
        """`new`, `changed` or `same`, against what is on the Hub."""
        return "new" if self.remote is None else self.remote.state(file)

    def is_large(self, file: CardFile) -> bool:
        """Whether the Hub keeps a file by LFS, or is expected to."""
        known = self.remote is not None and self.state(file) == "same"
        return file.name in self.remote.large if known and self.remote else file.large

    @property
    def changes(self) -> tuple[CardFile, ...]:
        """Files that are not there, or are there with other content."""
        return tuple(file for file in self.files if self.state(file) != "same")

    @property
    def extra(self) -> tuple[str, ...]:
        """Files of the repository that are not of the card."""
        names = {file.name for file in self.files}
        return tuple(sorted(set(self.remote.files) - names)) if self.remote else ()

    @property
    def deletions(self) -> tuple[str, ...]:
        """Those of them that go."""
        return self.extra if self.delete_extra else ()

    @property
    def to_commit(self) -> bool:
        """Whether anything differs."""
        return bool(self.changes or self.deletions)

    @property
    def tag_to_make(self) -> str | None:
        """The tag asked for, if it is not there."""
        return None if self.remote and self.revision_tag in self.remote.tags else self.revision_tag

    @property
    def is_done(self) -> bool:
        """Whether everything is there already, under the tag asked for."""
        return self.remote is not None and not self.to_commit and self.tag_to_make is None

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        rows = [
            {
                "name": file.name,
                "size_bytes": file.size,
                "sha256": file.sha256,
                "lfs": self.is_large(file),
                "state": self.state(file),
            }
            for file in self.files
        ]
        return {
            "card": self.tag.name,
            "folder": str(self.folder),
            "repo": self.repo,
            "endpoint": self.endpoint,
            "exists": None if self.unseen else self.remote is not None,
            "private": self.remote.private if self.remote else self.private,
            "head": self.remote.head if self.remote else None,
            "message": self.message,
            "revision_tag": self.revision_tag,
            "files": rows,
            "left_out": list(self.left_out),
            "extra": list(self.extra),
            "delete_extra": self.delete_extra,
            "unseen": self.unseen or None,
        }


@dataclass(frozen=True)
class Pushed:
    """What a push did.

    Args:
        commit: the card's commit, also if it was there before.
        url: where to look at it.
        load: the name to give `create_model`.
        uploaded: files that were new or changed.
        deleted: files that went.
        created: whether the repository was made.
        pinned: the config.json that now names repository and commit; None if that was not asked for.
    """

    commit: str
    url: str
    load: str
    uploaded: tuple[str, ...]
    deleted: tuple[str, ...]
    created: bool
    pinned: Path | None = None

    def to_dict(self) -> Mapping[str, Any]:
        """For JSON."""
        return {**vars(self), "pinned": None if self.pinned is None else str(self.pinned)}
