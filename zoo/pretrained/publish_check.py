"""Is a card fit to be seen by others, and which files are it: all checked here, before anything leaves the machine."""

import hashlib
import json
import os
from dataclasses import dataclass, replace
from pathlib import Path

from zoo._files import cards_root
from zoo.data.tokenize import TOKENIZER_FILE
from zoo.errors import PublishError, ZooError
from zoo.pretrained.create import create_model
from zoo.pretrained.locate import resolve
from zoo.pretrained.readme import README_FILE, check_card, render_tag
from zoo.pretrained.tag import CONFIG_FILE, TAG_KEY, PretrainedTag, read_json, read_tag
from zoo.pretrained.text_files import TOKENIZER_CONFIG

PICKLES = (".pth", ".pt", ".bin", ".ckpt", ".pkl", ".pickle")
LARGE_BYTES = 10_000_000
_SAMPLE_BYTES = 512


@dataclass(frozen=True)
class CardFile:
    """One file as it is published.

    Args:
        name: its name in the card and in the repository.
        size: in bytes.
        sha256: of its content.
        blob_id: git's own hash of its content.
        large: whether the Hub is expected to keep it by LFS; it decides by size and by whether it is text.
        content: the bytes of a file that is written for the Hub; None for one that goes as it is.
    """

    name: str
    size: int
    sha256: str
    blob_id: str
    large: bool
    content: bytes | None = None


def find_card(card: str | Path) -> Path:
    """The folder of a card given as `MODEL.TAG` or as a path.

    Raises:
        UnknownNameError: no such model or tag.
        WeightsNotFoundError: no such folder, or it holds no card.
    """
    text = str(card)
    if isinstance(card, Path) or "/" in text or os.sep in text or text.startswith((".", "~")):
        path = Path(card).expanduser()
        read_tag(path)
        return path
    return cards_root() / resolve(text).name


def check_publishable(folder: Path) -> PretrainedTag:
    """Load the card as a user will, and compare its text with its results.

    Raises:
        PublishError: nothing has been measured yet, a file is missing, or README.md has metadata that cannot be read.
        ZooError: the weights are not those of the card, do not fit, or README.md is not what `render_card` makes.
    """
    from yaml import YAMLError  # type: ignore[import-untyped]

    tag = read_tag(folder)
    if not tag.results.get("evaluations"):
        raise PublishError(
            f"{tag.name} has no measured results, so its card would promise nothing. Measure it with "
            f"zoo evaluate {folder} --output FILE.json, then zoo card {folder} --evaluation FILE.json."
        )
    wanted = (tag.file, *((TOKENIZER_FILE, TOKENIZER_CONFIG) if tag.is_text else ()))
    if missing := [name for name in wanted if not (folder / name).is_file()]:
        raise PublishError(
            f"{folder} lacks {', '.join(missing)}, so it is not the whole card. Publish from a source checkout, or "
            "from the folder that `zoo adopt` wrote."
        )
    create_model(folder, pretrained=True)
    try:
        check_card(folder)
    except ZooError:
        raise
    except (ValueError, YAMLError) as error:  # from huggingface_hub, which reads the block
        raise PublishError(
            f"The metadata at the top of {folder / README_FILE} cannot be read: {' '.join(str(error).split())}. It is "
            f"rendered, not edited: `zoo card {folder}` writes it anew."
        ) from error
    return tag


def card_files(folder: Path, tag: PretrainedTag, repo: str) -> tuple[tuple[CardFile, ...], tuple[str, ...]]:
    """What of a card's folder is published to `repo`: every visible file of it. And the names of what is not.

    All go as they lie there, but for two: config.json names the repository, and no commit; README.md uses the name the
    model has on the Hub.

    Raises:
        PublishError: a file can run code when it is read.
    """
    there = replace(tag, repo=repo, revision=None)
    readme = render_tag(there, (folder / tag.file).stat().st_size, on_hub=True)
    written = {CONFIG_FILE: pinned_config(folder, repo, None), README_FILE: readme}
    taken, left = [], []
    for path in sorted(folder.iterdir()):
        if path.suffix in PICKLES:
            raise PublishError(f"{path} is a pickle, which runs code when it is read; a card has none. Move it away.")
        if path.is_file() and not path.name.startswith("."):
            taken.append(_file(path, written.get(path.name)))
        else:
            left.append(path.name + ("/" if path.is_dir() else ""))
    return tuple(taken), tuple(left)


def pinned_config(folder: Path, repo: str, revision: str | None) -> str:
    """config.json with the repository and the commit it was published as.

    As published it names no commit: a card cannot know the one it will be in.
    """
    whole = read_json(folder / CONFIG_FILE)
    place = {"repo": repo, "revision": revision}
    changed = {**whole, TAG_KEY: {**whole[TAG_KEY], **place}} if TAG_KEY in whole else {**whole, **place}
    return json.dumps(changed, indent=2, ensure_ascii=False) + "\n"


def _file(path: Path, text: str | None) -> CardFile:
    content = path.read_bytes() if text is None else text.encode()
    git = hashlib.sha1(b"blob %d\0" % len(content), usedforsecurity=False)
    git.update(content)
    large = len(content) > LARGE_BYTES or b"\0" in content[:_SAMPLE_BYTES]
    sha256 = hashlib.sha256(content).hexdigest()
    return CardFile(path.name, len(content), sha256, git.hexdigest(), large, None if text is None else content)
