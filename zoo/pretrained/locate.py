"""Where weights lie. Order: an explicit path, `model_cards/` of a source checkout, the Hub's cache, the Hub.

Everything of the Hub goes through huggingface_hub, which honours HF_ENDPOINT, HF_HOME and HF_HUB_OFFLINE; a pinned
revision that is in the cache, and everything while offline, is answered without a network call.
"""

import re
from dataclasses import replace
from pathlib import Path

from zoo.errors import UnknownNameError, WeightsMismatchError, WeightsNotFoundError
from zoo.models.build import find_spec
from zoo.models.text import TEXT_MODELS
from zoo.pretrained.tag import CONFIG_FILE, PretrainedTag, read_tag

HUB_PREFIX = "hf-hub:"
AUTHORS_CARD = "Mourad-zaied/SaluNet"
SALUNETS = ("salunet_c", "salunet_t")


def checkout_root() -> Path | None:
    """Root of the source checkout this package runs from, or None for an installed copy."""
    root = Path(__file__).resolve().parents[2]
    return root if (root / "pyproject.toml").is_file() else None


def cards_root() -> Path:
    """The folder of all cards: `model_cards/` of a checkout; in an installed copy, the cards without weights."""
    root = checkout_root()
    return root / "model_cards" if root else Path(__file__).resolve().parent / "model_cards"


def list_pretrained(model: str | None = None) -> list[str]:
    """Names `MODEL.TAG` of all published weights, sorted.

    Args:
        model: only those of this model.

    Raises:
        UnknownNameError: there is no such model.
    """
    if model is not None:
        find_spec(model)
    names = sorted(path.parent.name for path in cards_root().glob(f"*/{CONFIG_FILE}"))
    return [name for name in names if model in (None, name.partition(".")[0])]


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
        hint = f"To bring weights of your own: zoo adopt FILE.pth --model {model} --tag {tag}."
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
    tag = read_tag(cards_root() / name)
    if tag.name != name:
        raise WeightsMismatchError(f"{cards_root() / name} holds the card of {tag.name}; rename the folder.")
    return tag


def _nothing_published(name: str) -> str:
    model, _, tag = name.partition(".")
    theirs = (
        f" The SaluNet authors' model card on the Hub ({AUTHORS_CARD}) only links to files hosted elsewhere, so they "
        "cannot be fetched by name."
    )
    given = "the folder of a fine-tuned model" if model in TEXT_MODELS else "a checkpoint file"
    return (
        f"No pretrained weights are published for {name}.{theirs if find_spec(model).family in SALUNETS else ''}\n"
        f"Weights that do exist: {', '.join(list_pretrained()) or '(none)'}.\n"
        f"With {given} in hand: zoo adopt {'FOLDER' if model in TEXT_MODELS else 'FILE.pth'} --model {model} "
        f"--tag {tag or 'TAG'}"
    )


def locate(tag: PretrainedTag, folder: Path | None = None, file: str | None = None) -> Path:
    """A file of `tag` on this machine, downloaded if it has to be. Its hash is not checked here.

    Args:
        tag: what to find.
        folder: where its card lies; None looks in `model_cards/`.
        file: which file; None means the weights.

    Raises:
        WeightsNotFoundError: it is nowhere, not published yet, or the Hub cannot be reached.
    """
    name = file or tag.file
    place = (cards_root() / tag.name if folder is None else folder) / name
    if place.is_file():
        return place
    if tag.repo is None or tag.revision is None:
        raise WeightsNotFoundError(
            f"{name} of {tag.name} is not on the Hub yet (the card pins no revision), and there is no file {place}. "
            "Use a source checkout of the project, whose model_cards/ holds it, or pass the path of the card's folder."
        )
    return fetch(tag.repo, name, tag.revision)


def fetch(repo: str, file: str, revision: str | None) -> Path:
    """One file of a Hub repository, from the cache or the Hub.

    Raises:
        WeightsNotFoundError: no such repository, revision or file, no network, or offline and not in the cache.
    """
    from huggingface_hub import constants, hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, HFValidationError

    # The base class of the HTTP library underneath, which is another one in other versions.
    from huggingface_hub.errors import HTTPError as NetworkError  # type: ignore[attr-defined]

    try:
        return Path(hf_hub_download(repo_id=repo, filename=file, revision=revision))
    except (NetworkError, EntryNotFoundError, HFValidationError, OSError) as error:
        state = " (offline, as HF_HUB_OFFLINE says)" if constants.HF_HUB_OFFLINE else ""
        wanted = f" --revision {revision}" if revision else ""
        raise WeightsNotFoundError(
            f"Cannot get {file} of {repo} at revision {revision or 'main'} from {constants.ENDPOINT}{state}: "
            f"{str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__}\n"
            f"Where there is access: hf download {repo} {file} {CONFIG_FILE}{wanted} --local-dir FOLDER; "
            "then give the path of FOLDER instead of the name."
        ) from error


def open_hub(name: str) -> tuple[PretrainedTag, Path]:
    """Tag and folder of `hf-hub:ORG/REPO[@REVISION]`; the weights file itself is left to `locate`.

    The repository's `config.json` is untrusted: it is validated strictly, its model must be one of this zoo, and
    nothing of it is run. Weights are then taken from the very commit the card came from.

    Raises:
        WeightsNotFoundError: the repository cannot be had.
        WeightsMismatchError: it is not a card of this zoo.
    """
    repo, _, revision = name.removeprefix(HUB_PREFIX).partition("@")
    card = fetch(repo, CONFIG_FILE, revision or None)
    tag = read_tag(card.parent)
    commit = card.parent.name
    if not re.fullmatch(r"[0-9a-f]{40}", commit):
        raise WeightsNotFoundError(f"The Hub's cache names no commit for {card}; update huggingface_hub.")
    return replace(tag, repo=repo, revision=commit), card.parent
