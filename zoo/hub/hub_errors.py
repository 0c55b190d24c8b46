"""Errors of huggingface_hub as errors of this project: what was asked, what happened, what to do."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from zoo.errors import ZooError

LOGIN = "log in with `hf auth login`, or set HF_TOKEN to a token from https://huggingface.co/settings/tokens"

# By a class in the error's family (by name: the HTTP library underneath is another one in other versions), by the
# status of the answer, or by its first digit.
_MEANINGS: dict[str | int | None, tuple[str, str]] = {
    "GatedRepoError": ("access to the repository has to be asked for", f"Ask on its page on the Hub; then {LOGIN}."),
    "RepositoryNotFoundError": ("there is no such repository, or it is private", f"Check the spelling, or {LOGIN}."),
    "RevisionNotFoundError": ("the repository has no such branch, tag or commit", "Check the part after the @."),
    "RemoteEntryNotFoundError": ("the repository holds no such file", "Check that it is a model card of this zoo."),
    "OfflineModeIsEnabled": ("offline, as HF_HUB_OFFLINE says", "What is not in the cache needs the Hub: unset it."),
    "TimeoutException": ("the server did not answer in time", "Try again; HF_HUB_DOWNLOAD_TIMEOUT gives it longer."),
    "ConnectError": ("no connection", "Check the network, HTTPS_PROXY and, if it is set, HF_ENDPOINT."),
    "TransportError": ("the connection broke", "Try again."),
    401: ("the server does not accept the token", f"To renew it, {LOGIN}."),
    403: ("the token does not allow it", "Use a token with the right to do this, of a member of that organisation."),
    409: ("it exists already or somebody else is changing it", "Look at the repository, then try again."),
    412: ("somebody else changed the repository meanwhile", "Look at what is there now, then try again."),
    429: ("too many requests", "Wait some minutes."),
    4: ("the server refused", "See what it says."),
    5: ("the server is in trouble", "Try again later."),
}


@contextmanager
def asking(kind: type[ZooError], what: str, otherwise: str) -> Iterator[None]:
    """Turn any failure of a call of huggingface_hub into one error.

    Args:
        kind: the class of that error.
        what: what is asked of the Hub, as a verb and its object.
        otherwise: how things stand after a failure, or another way.
    """
    from huggingface_hub import constants
    from huggingface_hub.errors import EntryNotFoundError
    from huggingface_hub.errors import HTTPError as NetworkError  # type: ignore[attr-defined]

    from zoo.hub.at_once import at_once

    try:
        with at_once():
            yield
    except (NetworkError, EntryNotFoundError, OSError, ValueError, RuntimeError) as error:
        where = re.sub("//[^/@]*@", "//", constants.ENDPOINT)
        raise kind(f"Cannot {what} on {where}: {_explain(error)}{otherwise}") from error


def is_unreachable(error: BaseException) -> bool:
    """True if nobody answered or the server is in trouble, so that what is known without it may still serve."""
    for cause in _causes(error):
        if status := _status(cause):
            return status >= 500 or status in (408, 429)
        if {"TransportError", "OfflineModeIsEnabled"} & set(_family(cause)):
            return True
    return False


def _explain(error: BaseException) -> str:
    for cause in _causes(error):
        if "HubUnreachableError" in _family(cause):
            continue  # its cause says why
        status = _status(cause)
        keys = (*_family(cause), status, status and status // 100)
        if meaning := next((_MEANINGS[key] for key in keys if key in _MEANINGS), None):
            said = getattr(cause, "server_message", None) if status else str(cause)
            details = [f"HTTP {status}" if status else type(cause).__name__, *(said or "").strip().splitlines()[:1]]
            known = "" if "OfflineModeIsEnabled" in keys else f" ({': '.join(details)})"
            return f"{meaning[0]}{known}. {meaning[1]}"
    return f"{' '.join(str(error).split()).rstrip('.') or type(error).__name__}."


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _family(error: BaseException) -> list[str]:
    return [kind.__name__ for kind in type(error).__mro__]


def _status(error: BaseException) -> int | None:
    return getattr(getattr(error, "response", None), "status_code", None)
