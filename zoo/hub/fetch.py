"""Files of a Hub repository: from the cache or the Hub, whole, and all of one commit.

Transport, cache, locks and retries are huggingface_hub's, which honours HF_ENDPOINT, HF_HOME, HF_TOKEN and
HF_HUB_OFFLINE. A commit that is in the cache, and everything while offline, is answered without a network call.
"""

import re
import warnings
from contextlib import AbstractContextManager
from pathlib import Path

from zoo.errors import WeightsCorruptError, WeightsMismatchError, WeightsNotFoundError
from zoo.files import sha256_of
from zoo.hub.hub_errors import asking, is_unreachable
from zoo.hub.hub_names import check_hub_names


def fetch(repo: str, file: str, revision: str | None, sha256: str | None = None) -> Path:
    """One file of a Hub repository, from the cache or the Hub. A copy with a wrong hash is fetched again, once.

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
    from huggingface_hub import constants, get_hf_file_metadata, hf_hub_url

    path = _download(repo, file, revision)
    if sha256 is None or (found := sha256_of(path)) == sha256:
        return path
    hashes = f"\n  card:  sha256 {sha256}\n  found: sha256 {found}\n"
    if constants.HF_HUB_OFFLINE:
        raise WeightsCorruptError(
            f"{path} is damaged: it is not the file its card pins.{hashes}Offline, as HF_HUB_OFFLINE says, there is no "
            "other. Unset HF_HUB_OFFLINE and ask again, or delete the file."
        )
    with _asking(repo, file, revision):
        announced = get_hf_file_metadata(hf_hub_url(repo, file, revision=revision)).etag
    if announced == found:
        raise WeightsMismatchError(
            f"{file} of {repo} at commit {path.parent.name} is not the file its card pins.{hashes}"
            "The repository contradicts itself: take another revision of it, or ask its owner to publish the card anew."
        )
    warnings.warn(f"The copy of {file} of {repo} in the cache is damaged; fetching it again.", stacklevel=5)
    path = _download(repo, file, revision, force=True)
    if sha256_of(path) != sha256:
        raise WeightsCorruptError(
            f"{file} of {repo} at revision {revision or 'main'} arrived damaged twice: {constants.ENDPOINT} sends "
            "other bytes than it announces. A proxy or mirror in between may be at fault; try again later or from "
            f"elsewhere. The damaged copy is {path}; it is not used, and may be deleted."
        )
    return path


def fetch_current(repo: str, file: str, revision: str | None) -> Path:
    """One file of a Hub repository as it is now; if the Hub cannot be asked, the copy in the cache and a warning.

    huggingface_hub alone takes a cached file without a word where the Hub does not answer, or refuses.

    Raises:
        WeightsNotFoundError: the file cannot be had.
    """
    from huggingface_hub import constants, get_hf_file_metadata, hf_hub_url, try_to_load_from_cache

    with _asking(repo, file, revision):
        cached = try_to_load_from_cache(repo, file, revision=revision)
    if isinstance(cached, str) and not re.fullmatch("[0-9a-f]{40}", revision or "") and not constants.HF_HUB_OFFLINE:
        try:
            with _asking(repo, file, revision):
                get_hf_file_metadata(hf_hub_url(repo, file, revision=revision))
        except WeightsNotFoundError as error:
            if not is_unreachable(error):
                raise
            warnings.warn(
                f"The Hub cannot be asked what {revision or 'main'} of {repo} is now. {error}\nUsing commit "
                f"{Path(cached).parent.name} from the cache, which it was when last asked.",
                stacklevel=6,
            )
            return Path(cached)
    return fetch(repo, file, revision)


def _download(repo: str, file: str, revision: str | None, force: bool = False) -> Path:
    from huggingface_hub import hf_hub_download

    with _asking(repo, file, revision):
        return Path(hf_hub_download(repo_id=repo, filename=file, revision=revision, force_download=force))


def _asking(repo: str, file: str, revision: str | None) -> AbstractContextManager[None]:
    check_hub_names(repo, revision, file)
    wanted = f" --revision {revision}" if revision else ""
    return asking(
        WeightsNotFoundError,
        f"get {file} of {repo} at revision {revision or 'main'}",
        f"\nWhere there is access: hf download {repo}{wanted} --local-dir FOLDER; "
        "then give the path of FOLDER instead of the name.",
    )
