"""What the server keeps: users, repositories, commits, files."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

GIT_ATTRIBUTES = b"*.safetensors filter=lfs diff=lfs merge=lfs -text\n"


@dataclass(frozen=True)
class User:
    name: str
    namespaces: frozenset[str]
    may_write: bool = True


@dataclass(frozen=True)
class File:
    content: bytes
    lfs: bool = False

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @property
    def pointer(self) -> bytes:
        """What git itself stores of a large file."""
        head = "version https://git-lfs.github.com/spec/v1"
        return f"{head}\noid sha256:{self.sha256}\nsize {len(self.content)}\n".encode()

    @property
    def blob_id(self) -> str:
        """Git's own hash."""
        stored = self.pointer if self.lfs else self.content
        return hashlib.sha1(b"blob %d\0" % len(stored) + stored).hexdigest()

    @property
    def etag(self) -> str:
        return self.sha256 if self.lfs else self.blob_id


@dataclass(frozen=True)
class Commit:
    id: str
    parent: str | None
    title: str
    files: Mapping[str, File]


@dataclass
class Repo:
    name: str
    private: bool = False
    commits: dict[str, Commit] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.commit({".gitattributes": File(GIT_ATTRIBUTES)}, "initial commit")

    def commit(self, files: Mapping[str, File], title: str, branch: str = "main") -> Commit:
        """Put `files`, all there are from now on, on a branch."""
        parent = self.branches.get(branch)
        listing = "".join(f"{name} {file.etag}\n" for name, file in sorted(files.items()))
        made = hashlib.sha1(f"{parent} {title} {len(self.commits)}\n{listing}".encode()).hexdigest()
        self.commits[made] = Commit(made, parent, title, dict(files))
        self.branches[branch] = made
        return self.commits[made]

    def change(self, title: str = "a change", **content: bytes) -> Commit:
        """A commit on main that replaces files; `config_json=b"{}"` is for config.json."""
        files = dict(self.head.files)
        for key, value in content.items():
            name = key.replace("_", ".")
            files[name] = File(value, lfs=name.endswith(".safetensors"))
        return self.commit(files, title)

    @property
    def head(self) -> Commit:
        return self.commits[self.branches["main"]]

    def find(self, revision: str) -> Commit | None:
        """The commit of a branch, a tag or a commit hash, which may be short."""
        named = self.branches.get(revision) or self.tags.get(revision)
        if named:
            return self.commits[named]
        found = [commit for key, commit in self.commits.items() if len(revision) >= 7 and key.startswith(revision)]
        return found[0] if len(found) == 1 else None
