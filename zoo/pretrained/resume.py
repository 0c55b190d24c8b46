"""Going on with a download that a killed process left behind.

huggingface_hub resumes by itself while its process lives. What a process leaves that was killed, or lost its power,
it neither uses nor removes (since each download has a temporary file of its own); this does both.
"""

import os
import re
import uuid
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from zoo._files import sha256_of
from zoo.pretrained.hub_errors import is_unreachable


def pick_up(repo: str, file: str, revision: str | None) -> None:
    """Finish what an earlier process began of a large file, if there is such a thing in the cache.

    Then the file's blob is in the cache, and `hf_hub_download` only has to link it. Where another process is at it
    now, or the rest turns out to be of another file, nothing changes but that rests of no use are removed.

    Args:
        repo: ORG/NAME.
        file: its path there.
        revision: branch, tag or commit; None for main.

    Raises:
        OSError: the cache cannot be written. Errors of the network are huggingface_hub's own.
    """
    from huggingface_hub import constants, get_hf_file_metadata, hf_hub_url
    from huggingface_hub.file_download import repo_folder_name
    from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

    place = Path(constants.HF_HUB_CACHE).expanduser() / repo_folder_name(repo_id=repo, repo_type="model")
    if constants.HF_HUB_OFFLINE or not any(_rests(place)):
        return
    url = hf_hub_url(repo, file, revision=revision, endpoint=constants.ENDPOINT)
    facts = get_hf_file_metadata(url, timeout=constants.HF_HUB_ETAG_TIMEOUT)
    etag = facts.etag or ""
    by_xet = facts.xet_file_data is not None and not constants.HF_HUB_DISABLE_XET and find_spec("hf_xet")
    # Only the hash of a whole file can tell whether the rest belongs to it. Xet writes out of order.
    if by_xet or not re.fullmatch("[0-9a-f]{64}", etag):
        return
    same_host = urlsplit(facts.location).netloc == urlsplit(url).netloc
    headers = build_hf_headers(token=None if same_host else False)
    _finish(place, etag, facts.location, facts.size, headers)


def _rests(place: Path, etag: str = "") -> list[Path]:
    """Temporary files of downloads, the largest first."""
    found = [path for path in (place / "blobs").glob(f"{etag or '*'}.????????.incomplete") if path.is_file()]
    return sorted(found, key=lambda path: path.stat().st_size, reverse=True)


def _finish(place: Path, etag: str, location: str, size: int | None, headers: dict[str, str]) -> None:
    from filelock import Timeout
    from huggingface_hub.utils import WeakFileLock  # type: ignore[attr-defined]

    lock = place.parent / ".locks" / place.name / f"{etag}.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    blob = place / "blobs" / etag
    try:
        with WeakFileLock(lock, timeout=0.1):
            rests = _rests(place, etag)
            usable = [rest for rest in rests if size is not None and rest.stat().st_size <= size]
            if usable and not blob.exists():
                # Under a name of our own: nobody else who finds rests goes on with this one.
                own = usable[0].rename(usable[0].with_name(f"{etag}.{uuid.uuid4().hex[:8]}.incomplete"))
                if _append(own, location, size, headers) and sha256_of(own) == etag:
                    os.replace(own, blob)  # noqa: PTH105 atomic, and blob is no open file
                own.unlink(missing_ok=True)
            for rest in rests:
                rest.unlink(missing_ok=True)
    except Timeout:
        return  # its owner lives


def _append(own: Path, location: str, size: int | None, headers: dict[str, str]) -> bool:
    """Fetch what is missing; False if the server does not give it. What a broken connection leaves is kept."""
    # The base class of the HTTP library underneath, which is another one in other versions.
    from huggingface_hub.errors import HTTPError as NetworkError  # type: ignore[attr-defined]
    from huggingface_hub.file_download import http_get

    try:
        with own.open("ab") as out:
            http_get(location, out, resume_size=own.stat().st_size, headers=headers, expected_size=size)
    except (NetworkError, OSError) as error:
        if is_unreachable(error):
            raise
        return False
    return True
