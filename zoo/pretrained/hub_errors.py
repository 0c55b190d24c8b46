"""What huggingface_hub's exceptions mean, in words a user can act on."""

import re
from collections.abc import Iterator
from typing import Any

LOGIN = "log in with `hf auth login`, or set HF_TOKEN to a token from https://huggingface.co/settings/tokens"

# By the name of a class in the error's family: the HTTP library underneath is another one in other versions.
_NETWORK = {
    "TimeoutException": (
        "the server did not answer in time",
        "Try again; on a slow line allow more with HF_HUB_ETAG_TIMEOUT and HF_HUB_DOWNLOAD_TIMEOUT (seconds).",
    ),
    "ProxyError": ("the proxy refused", "Check HTTPS_PROXY and NO_PROXY."),
    "ConnectError": ("no connection", "Check the network and, if it is set, HF_ENDPOINT."),
    "NetworkError": ("the connection broke", "Try again."),
    "RemoteProtocolError": ("the connection broke", "Try again."),
}
_STATUS = {
    401: ("the server does not accept the token", f"To renew it, {LOGIN}."),
    403: ("the token does not allow it", "Use a token with the right to do this, of a member of that organisation."),
    404: ("there is nothing of that name", "Check the spelling."),
    409: ("it exists already or somebody else is changing it", "Look at the repository, then try again."),
    412: ("somebody else changed the repository meanwhile", "Look at what is there now, then try again."),
    429: ("too many requests", "Wait some minutes."),
}


def explain(error: BaseException) -> tuple[str, str]:
    """What happened and what to do, for an error out of huggingface_hub, in two texts.

    The first names what the server said where it said something; the second is a sentence.
    """
    chain = list(_chain(error))
    for cause in chain:
        status = getattr(getattr(cause, "response", None), "status_code", None)
        if status is not None:
            what, advice = _of_status(cause, status)
            said = str(getattr(cause, "server_message", None) or "").strip().replace("\n", " ")
            return f"{what} (HTTP {status}{f': {said}' if said else ''})", advice
    for cause in chain:
        family = {kind.__name__ for kind in type(cause).__mro__}
        for name, (what, advice) in _NETWORK.items():
            if name in family:
                return f"{what} ({type(cause).__name__}{_first_line(cause)})", advice
    if "Consistency check failed" in str(error):
        found = re.search(r"of size (\d+) but has size (\d+)", str(error))
        sizes = f": {int(found[2]):,} of {int(found[1]):,} bytes" if found else ""
        return f"the file arrived incomplete{sizes}", "Try again."
    causes = [_first_line(cause).removeprefix(": ").rstrip(".") or type(cause).__name__ for cause in _causes(error)]
    return ": ".join(dict.fromkeys(causes)), ""


def is_unreachable(error: BaseException) -> bool:
    """Whether nobody answered, or the server is in trouble: then what the cache holds may still serve."""
    for cause in _chain(error):
        status = getattr(getattr(cause, "response", None), "status_code", None)
        if status is not None:
            return bool(status >= 500 or status in (408, 429))
        if {kind.__name__ for kind in type(cause).__mro__} & set(_NETWORK):
            return True
    return False


def _of_status(error: Any, status: int) -> tuple[str, str]:
    family = {kind.__name__ for kind in type(error).__mro__}
    if "GatedRepoError" in family:
        return "access to the repository has to be asked for", f"Ask on its page on the Hub; then {LOGIN}."
    if "RevisionNotFoundError" in family:
        return "the repository has no such branch, tag or commit", "Check the part after the @."
    if "EntryNotFoundError" in family:
        return "the repository holds no such file", "Check that it is a model card of this zoo."
    if "RepositoryNotFoundError" in family:
        hidden = "there is no such repository, or it is private and not open to you"
        return hidden, f"Check the spelling; for a private one {LOGIN}."
    if status >= 500:
        return "the server is in trouble", "Try again later."
    return _STATUS.get(status, ("the server refused", "See what it says."))


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f": {lines[0]}" if lines else ""
