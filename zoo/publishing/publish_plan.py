"""Plan and outcome of a push, and the choice of the card's files it takes."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from zoo.cards.readme.render import README_FILE, render_tag
from zoo.weights.tag import CONFIG_FILE, TAG_KEY, read_json, read_tag


@dataclass(frozen=True)
class PushFile:
    """One file as it is published: `source` is a path, or bytes written for the Hub; `state` new, changed or same."""

    name: str
    size_bytes: int
    sha256: str
    state: str
    source: Path | bytes


@dataclass(frozen=True)
class PushPlan:
    """Plan of a push of a card to `repo` (ORG/NAME).

    `head` is the newest commit there, None if there is no such repository. `revision_tag` is what the commit will be
    called besides its hash, `tag_to_make` the same unless it is called that already. `left_out` lies in the folder and
    is not published; `extra` are files of the repository that are not of the card, `deletions` those of them that go.
    """

    card: str
    folder: Path
    repo: str
    endpoint: str
    private: bool
    head: str | None
    message: str
    revision_tag: str | None
    tag_to_make: str | None
    files: tuple[PushFile, ...]
    left_out: tuple[str, ...]
    extra: tuple[str, ...]
    deletions: tuple[str, ...]

    @property
    def changes(self) -> tuple[PushFile, ...]:
        """Files that are not there, or are there with other content."""
        return tuple(file for file in self.files if file.state != "same")

    @property
    def is_done(self) -> bool:
        """True if everything is there already, under the tag asked for."""
        return not (self.changes or self.deletions or self.tag_to_make)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        files = [{key: value for key, value in vars(file).items() if key != "source"} for file in self.files]
        return {**vars(self), "folder": str(self.folder), "files": files, "exists": self.head is not None}


@dataclass(frozen=True)
class Pushed:
    """Outcome of a push: the card's commit, where to look at it, and the name by which `create_model` loads it.

    `created` says whether the repository was made, `pinned` which config.json names repository and commit now.
    """

    commit: str
    url: str
    load: str
    uploaded: tuple[str, ...]
    deleted: tuple[str, ...]
    created: bool
    pinned: str | None


def card_files(
    folder: Path, repo: str, hashes: Mapping[str, str | None]
) -> tuple[tuple[PushFile, ...], tuple[str, ...]]:
    """Every visible file of a card's folder as it is published to `repo`, and the names of what is not published.

    `hashes` are those the Hub has of the repository's files: sha256 of one in LFS, git's own of others.
    """
    written = {name: text.encode() for name, text in pinned_texts(folder, repo, None).items()}
    taken, left = [], []
    for path in sorted(folder.iterdir()):
        if not path.is_file() or path.name.startswith("."):
            left.append(path.name + ("/" if path.is_dir() else ""))
            continue
        content = written.get(path.name) or path.read_bytes()
        sha256 = hashlib.sha256(content).hexdigest()
        git = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
        there = hashes.get(path.name)
        state = "new" if there is None else "same" if there in (sha256, git) else "changed"
        taken.append(PushFile(path.name, len(content), sha256, state, written.get(path.name, path)))
    return tuple(taken), tuple(left)


def pinned_texts(folder: Path, repo: str, commit: str | None) -> dict[str, str]:
    """A card's config.json that names a repository and the commit it was published as, and its README.md.

    What is published names no commit: a card cannot know the one it will be in. Its README.md has the Hub's name.
    """
    whole, place = read_json(folder / CONFIG_FILE), {"repo": repo, "revision": commit}
    changed = {**whole, TAG_KEY: {**whole[TAG_KEY], **place}} if TAG_KEY in whole else {**whole, **place}
    tag = replace(read_tag(folder), repo=repo, revision=commit)
    readme = render_tag(tag, (folder / tag.file).stat().st_size, on_hub=commit is None)
    return {CONFIG_FILE: json.dumps(changed, indent=2, ensure_ascii=False) + "\n", README_FILE: readme}
