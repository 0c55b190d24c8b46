"""Files of a Hub repository: from the cache or the Hub, whole, unchanged, and all of one commit.

Transport, cache, locks and retries are huggingface_hub's, which honours HF_ENDPOINT, HF_HOME, HF_TOKEN and
HF_HUB_OFFLINE. A commit that is in the cache, and everything while offline, is answered without a network call.
"""

import hashlib
import re
import warnings
from dataclasses import replace
from pathlib import Path

from zoo._files import sha256_of
from zoo.errors import WeightsCorruptError, WeightsMismatchError, WeightsNotFoundError
from zoo.pretrained.hub_errors import explain, is_unreachable
from zoo.pretrained.resume import pick_up
from zoo.pretrained.tag import CONFIG_FILE, PretrainedTag, read_tag

HUB_PREFIX = "hf-hub:"
_COMMIT = re.compile("[0-9a-f]{40}")


def open_hub(name: str) -> tuple[PretrainedTag, Path]:
    """Tag and folder of `hf-hub:ORG/REPO[@REVISION]`; the weights file itself is left to `locate`.

    The repository's `config.json` is untrusted: it is validated strictly, its model must be one of this zoo, and
    nothing of it is run. Weights are then taken from the very commit the card came from, wherever the branch has
    moved meanwhile. If the Hub cannot be reached, the commit it last named for that branch or tag is used, and a
    warning says so.

    Raises:
        WeightsNotFoundError: the repository cannot be had.
        WeightsCorruptError: what arrives is not what the Hub announces.
        WeightsMismatchError: it is not a card of this zoo.
    """
    repo, _, revision = name.removeprefix(HUB_PREFIX).partition("@")
    card = _last_known(repo, revision) or fetch(repo, CONFIG_FILE, revision or None)
    tag = read_tag(card.parent)
    commit = card.parent.name
    if not _COMMIT.fullmatch(commit):
        raise WeightsNotFoundError(f"The Hub's cache names no commit for {card}; update huggingface_hub.")
    return replace(tag, repo=repo, revision=commit), card.parent


def pinned(name: str | Path, tag: PretrainedTag) -> str | Path:
    """`name`, with the commit that `tag` came from if it is one of the Hub: asked again, it means the same files."""
    return f"{HUB_PREFIX}{tag.repo}@{tag.revision}" if str(name).startswith(HUB_PREFIX) else name


def fetch(repo: str, file: str, revision: str | None, sha256: str | None = None) -> Path:
    """One file of a Hub repository, from the cache or the Hub. A damaged copy in the cache is replaced.

    Args:
        repo: ORG/NAME.
        file: its path there.
        revision: branch, tag or commit; None for main.
        sha256: what the card says its hash is; None where the card says nothing.

    Raises:
        WeightsNotFoundError: no such repository, revision or file, no network, or offline and not in the cache.
        WeightsCorruptError: the server sends other bytes than it announces, or the copy is damaged while offline.
        WeightsMismatchError: the file is as the Hub announces it, and not the one of the card.
    """
    path = _download(repo, file, revision)
    if not _is_sound(path, sha256):
        path = _replaced(repo, file, revision, sha256, path)
    if sha256 is not None and (found := sha256_of(path)) != sha256:
        raise WeightsMismatchError(
            f"{file} of {repo} at commit {path.parent.name} is not the file its card pins.\n  card:  sha256 {sha256}\n"
            f"  found: sha256 {found}\nThe repository contradicts itself: take another revision of it, or ask its "
            "owner to publish the card anew."
        )
    return path


def _download(repo: str, file: str, revision: str | None, force: bool = False) -> Path:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, HFValidationError

    # The base class of the HTTP library underneath, which is another one in other versions.
    from huggingface_hub.errors import HTTPError as NetworkError  # type: ignore[attr-defined]

    try:
        pick_up(repo, file, revision)
        return Path(hf_hub_download(repo_id=repo, filename=file, revision=revision, force_download=force))
    except (NetworkError, EntryNotFoundError, HFValidationError, OSError, ValueError) as error:
        raise _not_found(repo, file, revision, error) from error


def _not_found(repo: str, file: str, revision: str | None, error: Exception) -> WeightsNotFoundError:
    from huggingface_hub import constants

    offline = constants.HF_HUB_OFFLINE
    what, advice = ("it is not in the cache", "") if offline else explain(error)
    state = " (offline, as HF_HUB_OFFLINE says)" if offline else ""
    wanted = f" --revision {revision}" if revision else ""
    return WeightsNotFoundError(
        f"Cannot get {file} of {repo} at revision {revision or 'main'} from {constants.ENDPOINT}{state}: {what}. "
        f"{advice}\nWhere there is access: hf download {repo}{wanted} --local-dir FOLDER; "
        "then give the path of FOLDER instead of the name."
    )


def _last_known(repo: str, revision: str) -> Path | None:
    """The card in the cache that a branch or tag stood for when last asked for, if it still does or nobody answers.

    huggingface_hub would take it as well, but in the second case without a word.
    """
    from huggingface_hub import constants, get_hf_file_metadata, hf_hub_url, try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.errors import HTTPError as NetworkError  # type: ignore[attr-defined]

    wanted = revision or constants.DEFAULT_REVISION
    if constants.HF_HUB_OFFLINE or _COMMIT.fullmatch(wanted):
        return None
    try:
        cached = try_to_load_from_cache(repo, CONFIG_FILE, revision=wanted)
    except HFValidationError:
        return None  # said by what comes next
    if not isinstance(cached, str):
        return None
    try:
        url = hf_hub_url(repo, CONFIG_FILE, revision=wanted, endpoint=constants.ENDPOINT)
        facts = get_hf_file_metadata(url, timeout=constants.HF_HUB_ETAG_TIMEOUT)
    except (NetworkError, OSError) as error:
        if not is_unreachable(error):
            raise _not_found(repo, CONFIG_FILE, wanted, error) from error
        commit = Path(cached).parent.name
        warnings.warn(
            f"{constants.ENDPOINT} cannot be asked what {wanted} of {repo} is now: {explain(error)[0]}. Using commit "
            f"{commit} from the cache, which it was when last asked.",
            stacklevel=6,
        )
        return fetch(repo, CONFIG_FILE, commit)
    is_current = facts.commit_hash == Path(cached).parent.name
    return fetch(repo, CONFIG_FILE, facts.commit_hash) if is_current else None


def _is_sound(path: Path, sha256: str | None) -> bool:
    """Whether a file of the cache holds what the Hub announced, where the cache kept that: as the name of its blob."""
    announced = Path(path.readlink()).name if path.is_symlink() else sha256 or ""
    if re.fullmatch("[0-9a-f]{64}", announced):
        return sha256_of(path) == announced
    if _COMMIT.fullmatch(announced):
        content = path.read_bytes()
        # Git's own hash of a file, which is SHA-1.
        return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest() == announced
    return True


def _replaced(repo: str, file: str, revision: str | None, sha256: str | None, damaged: Path) -> Path:
    """A fresh copy in place of a damaged one; if there is none to be had, the damaged one is removed all the same."""
    from huggingface_hub import constants

    commit = damaged.parent.name
    pin = commit if _COMMIT.fullmatch(commit) else revision
    if constants.HF_HUB_OFFLINE:
        _discard(damaged, sha256)
        raise WeightsCorruptError(
            f"The copy of {file} of {repo} in the cache was damaged and has been removed; offline, as HF_HUB_OFFLINE "
            "says, there is no other. Unset HF_HUB_OFFLINE and ask again."
        )
    warnings.warn(f"The copy of {file} of {repo} in the cache is damaged; fetching it again.", stacklevel=6)
    try:
        path = _download(repo, file, pin, force=True)
    except WeightsNotFoundError:
        _discard(damaged, sha256)
        raise
    if _is_sound(path, sha256):
        return path
    _discard(path, sha256)
    raise WeightsCorruptError(
        f"{file} of {repo} at revision {pin or 'main'} arrived damaged twice: {constants.ENDPOINT} sends other bytes "
        "than it announces. Nothing of it was kept. A proxy or mirror in between may be at fault; try again later or "
        "from elsewhere."
    )


def _discard(path: Path, sha256: str | None) -> None:
    """Remove a damaged file and its blob from the cache, unless another process has replaced it meanwhile."""
    if path.exists() and not _is_sound(path, sha256):
        blob = path.parent / path.readlink() if path.is_symlink() else path
        blob.unlink(missing_ok=True)
        path.unlink(missing_ok=True)
