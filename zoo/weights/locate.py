"""Location of weights. Order: an explicit path, the user's own cards, those of the zoo, the Hub's cache, the Hub."""

import shlex
from dataclasses import replace
from pathlib import Path

from zoo.card_folders import card_folder, card_names
from zoo.errors import UnknownNameError, WeightsMismatchError, WeightsNotFoundError
from zoo.hub.fetch import fetch, fetch_current
from zoo.hub.hub_names import HUB_PREFIX, split_hub_name
from zoo.models.build import find_spec
from zoo.models.text_models import TEXT_MODELS
from zoo.weights.tag import CONFIG_FILE, PretrainedTag, read_tag


def list_pretrained(model: str | None = None) -> list[str]:
    """Names `MODEL.TAG` of all published weights, sorted.

    Args:
        model: only those of this model.

    Raises:
        UnknownNameError: there is no such model.
    """
    if model is not None:
        find_spec(model)
    return [name for name in card_names() if model in (None, name.partition(".")[0])]


def resolve(name: str) -> PretrainedTag:
    """The tag behind `MODEL.TAG`, or behind `MODEL` if one of its tags is the only or the default one.

    Raises:
        UnknownNameError: there is no such model, or the model has weights but none of that tag.
        WeightsNotFoundError: the model has no published weights at all.
        WeightsMismatchError: the tag's card is damaged, or several tags exist and none is the default.
    """
    model, _, tag = name.partition(".")
    find_spec(model, hint="For a folder or file write its path, such as ./NAME.")
    known = list_pretrained(model)
    if not known:
        raise WeightsNotFoundError(_nothing_published(name))
    if not tag:
        return _default(model, known)
    if name not in known:
        hint = f"To bring weights of your own: zoo adopt FILE.pth --model {model} --tag {shlex.quote(tag)}."
        raise UnknownNameError("pretrained weights", name, known, hint)
    return _read(name)


def _default(model: str, known: list[str]) -> PretrainedTag:
    tags = [_read(name) for name in known]
    chosen = tags if len(tags) == 1 else [tag for tag in tags if tag.default]
    if len(chosen) != 1:
        raise WeightsMismatchError(
            f"{model} has several sets of weights and {len(chosen)} of them marked as default. "
            f"Say which one: {', '.join(known)}."
        )
    return chosen[0]


def _read(name: str) -> PretrainedTag:
    tag = read_tag(folder := card_folder(name))
    if tag.name != name:
        raise WeightsMismatchError(f"{folder} holds the card of {tag.name}; rename the folder.")
    return tag


def _nothing_published(name: str) -> str:
    model, _, tag = name.partition(".")
    theirs = find_spec(model).paper.elsewhere
    given = "the folder of a fine-tuned model" if model in TEXT_MODELS else "a checkpoint file"
    return (
        f"No pretrained weights are published for {name}.{theirs and f' {theirs}'}\n"
        f"Weights that do exist: {', '.join(list_pretrained()) or '(none)'}.\n"
        f"With {given} in hand: zoo adopt {'FOLDER' if model in TEXT_MODELS else 'FILE.pth'} --model {model} "
        f"--tag {shlex.quote(tag or 'TAG')}"
    )


def locate(tag: PretrainedTag, folder: Path | None = None, file: str | None = None) -> Path:
    """A file of `tag` on this machine, downloaded if it has to be; then it is what the card pins, or an error.

    Args:
        tag: what to find.
        folder: where its card lies; None looks where a name is looked up.
        file: which file; None means the weights.

    Raises:
        WeightsNotFoundError: it is nowhere, not published yet, or the Hub cannot be reached.
        WeightsCorruptError: it arrives damaged.
        WeightsMismatchError: the repository holds another file than its card pins.
    """
    name = file or tag.file
    place = (card_folder(tag.name) if folder is None else folder) / name
    cached = folder is not None and folder.name == tag.revision  # in the Hub's cache: `fetch` looks whether it is whole
    if place.is_file() and not cached:
        return place
    if tag.repo is None or tag.revision is None:
        raise WeightsNotFoundError(
            f"{name} of {tag.name} is not on the Hub yet (the card pins no revision), and there is no file {place}. "
            "Use a source checkout, whose model_cards/ holds it, install a wheel of weights built in one, or pass the "
            "path of the card's folder."
        )
    return fetch(tag.repo, name, tag.revision, tag.sha256 if name == tag.file else None)


def open_hub(name: str) -> tuple[PretrainedTag, Path]:
    """Tag and folder of `hf-hub:ORG/REPO[@REVISION]`; the weights file itself is left to `locate`.

    The repository's `config.json` is untrusted: it is validated strictly, its model must be one of this zoo, and
    nothing of it is run. Weights are then taken from the very commit the card came from, wherever the branch has
    moved meanwhile. If the Hub cannot be reached, the commit it last named for that branch or tag is used, and a
    warning says so.

    Raises:
        WeightsNotFoundError: the repository cannot be had.
        WeightsCorruptError: `config.json` is not JSON.
        WeightsMismatchError: it is not a card of this zoo.
    """
    repo, revision = split_hub_name(name)
    card = fetch_current(repo, CONFIG_FILE, revision)
    return replace(read_tag(card.parent), repo=repo, revision=card.parent.name), card.parent


def pinned(name: str | Path, tag: PretrainedTag) -> str | Path:
    """`name`, with the commit that `tag` came from if it is one of the Hub: asked again, it means the same files."""
    return f"{HUB_PREFIX}{tag.repo}@{tag.revision}" if str(name).startswith(HUB_PREFIX) else name
