"""A published card into a folder of the user's, where its name is found without a network from then on."""

import shutil
from pathlib import Path

from zoo.card_folders import card_folder, new_card_folder
from zoo.cards.card import check_free, write_folder
from zoo.cards.pictures.card_pictures import FILES
from zoo.cards.readme.render import README_FILE
from zoo.data.tokenize import TOKENIZER_CONFIG, TOKENIZER_FILE
from zoo.errors import ConfigurationError, WeightsNotFoundError
from zoo.hub.fetch import fetch
from zoo.hub.hub_errors import asking
from zoo.hub.hub_names import HUB_PREFIX
from zoo.publishing.publish_plan import pinned_texts
from zoo.weights.create import is_path, open_card
from zoo.weights.tag import CONFIG_FILE, RESULTS_FILE, PretrainedTag


def download_card(name: str, *, force: bool = False) -> Path:
    """Bring a card with its weights to this machine: the folder appears complete, or not at all.

    Its config.json then names the repository and the commit it came from.

    Args:
        name: `MODEL.TAG` of a card that says where it is published, or `hf-hub:ORG/REPO` or
            `hf-hub:ORG/REPO@REVISION`.
        force: replace the card of that name in the same place.

    Returns:
        The card's folder; it is where the name is found. A `MODEL.TAG` whose weights are here already stays there.

    Raises:
        UnknownNameError: there is no card of that name.
        ConfigurationError: `name` is the path of a folder.
        WeightsNotFoundError: the card is not published, or the Hub cannot be reached.
        WeightsCorruptError: a file arrives damaged.
        WeightsMismatchError: the repository holds no card of this zoo, or other weights than the card pins.
        OutputError: the folder exists or cannot be written.
    """
    if is_path(name) and not name.startswith(HUB_PREFIX):
        raise ConfigurationError(f"{name} is a folder here; `get` takes MODEL.TAG or hf-hub:ORG/REPO[@REVISION].")
    tag, cached, _ = open_card(name)
    here = card_folder(tag.name)
    if cached is None and not force and (here / tag.file).is_file():
        return here
    if tag.repo is None or tag.revision is None:
        raise WeightsNotFoundError(f"{tag.name} is not on the Hub yet: its card pins no revision.")
    folder = new_card_folder(tag.name)
    check_free(folder, force)
    files = _names_in(tag.repo, tag.revision, tag)

    def fill(place: Path) -> None:
        for file in files:
            sha256 = tag.sha256 if file == tag.file else None
            shutil.copyfile(fetch(str(tag.repo), file, tag.revision, sha256), place / file)
        for file, text in pinned_texts(place, str(tag.repo), tag.revision).items():
            (place / file).write_text(text, encoding="utf-8")

    return write_folder(folder, fill, force)


def _names_in(repo: str, commit: str, tag: PretrainedTag) -> list[str]:
    """Names of a card's files: those it cannot do without, and those of the others that the repository has."""
    from huggingface_hub import HfApi

    needed = [CONFIG_FILE, tag.file, *([TOKENIZER_FILE, TOKENIZER_CONFIG] if tag.is_text else [])]
    with asking(WeightsNotFoundError, f"list the files of {repo} at revision {commit}", " Nothing was written."):
        listed = HfApi().model_info(repo, revision=commit, timeout=30).siblings or []
    there = {file.rfilename for file in listed}
    return needed + [name for name in (RESULTS_FILE, README_FILE, *FILES) if name in there]
