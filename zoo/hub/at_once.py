"""Calls of huggingface_hub that fail at once where nobody answers, instead of after minutes, and trust no answer."""

import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from huggingface_hub import constants, get_session
from huggingface_hub.errors import HTTPError, OfflineModeIsEnabled  # type: ignore[attr-defined]

from zoo.console.output import console_err
from zoo.hub.guard import HTTP, Guard

# Of the HTTP library underneath, by name.
_NO_ANSWER = {"ConnectError", "TimeoutException"}
_QUIET_S = 5.0


class HubUnreachableError(OfflineModeIsEnabled):
    """Nobody is there. huggingface_hub looks into its cache then, as it does when it is offline, and does not retry."""


@contextmanager
def at_once() -> Iterator[None]:
    """Inside, a server that cannot be reached or says nothing is not asked again; one that is in trouble still is.

    Three times HF_HUB_DOWNLOAD_TIMEOUT is the longest time until an answer begins. `Guard` looks at all of them.
    """
    client, guard = get_session(), Guard()
    send, hooks = client.send, client.event_hooks

    def send_once(request: Any, **given: Any) -> Any:
        try:
            return _answer(send, request, given) if request.method in ("GET", "HEAD") else send(request, **given)
        except HTTPError as error:
            if _NO_ANSWER & {kind.__name__ for kind in type(error).__mro__}:
                raise HubUnreachableError(f"{type(error).__name__}: {error}") from error
            raise

    client.send = send_once  # type: ignore[method-assign]
    client.event_hooks = {
        "request": [*hooks["request"], guard.on_request],
        "response": [*hooks["response"], guard.on_response],
    }
    try:
        yield
    finally:
        client.send, client.event_hooks = send, hooks  # type: ignore[method-assign]


def _answer(send: Any, request: Any, given: dict[str, Any]) -> Any:
    """The answer, or a timeout: the library's own limit begins anew with each byte, so a thread waits for it."""
    limit = 3.0 * constants.HF_HUB_DOWNLOAD_TIMEOUT
    found: queue.SimpleQueue[tuple[Any, BaseException | None]] = queue.SimpleQueue()

    def work() -> None:
        try:
            found.put((send(request, **given), None))
        except BaseException as error:  # noqa: BLE001 raised by who waits
            found.put((None, error))

    threading.Thread(target=work, daemon=True).start()
    try:
        response, error = found.get(timeout=min(_QUIET_S, limit))
    except queue.Empty:
        console_err.print(f"Waiting for {request.url.host}, {limit:.0f} s at most ...")
        try:
            response, error = found.get(timeout=max(0.0, limit - _QUIET_S))
        except queue.Empty:
            raise HTTP.ReadTimeout(f"no answer of {request.url.host} in {limit:.0f} s", request=request) from None
    if error is not None:
        raise error
    return response
