"""Calls of huggingface_hub that fail at once where there is no connection, instead of after a minute of retries."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from huggingface_hub import get_session
from huggingface_hub.errors import HTTPError, OfflineModeIsEnabled  # type: ignore[attr-defined]

# Of the HTTP library underneath, by name: it is another one in other versions.
_NO_CONNECTION = {"ConnectError", "ConnectTimeout"}


class HubUnreachableError(OfflineModeIsEnabled):
    """Nobody is there. huggingface_hub looks into its cache then, as it does when it is offline, and does not retry."""


@contextmanager
def at_once() -> Iterator[None]:
    """Inside, a connection that cannot be made is not tried again; a server that is slow or in trouble still is."""
    client = get_session()
    send = client.send

    def send_once(*args: Any, **kwargs: Any) -> Any:
        try:
            return send(*args, **kwargs)
        except HTTPError as error:
            if _NO_CONNECTION & {kind.__name__ for kind in type(error).__mro__}:
                raise HubUnreachableError(f"{type(error).__name__}: {error}") from error
            raise

    client.send = send_once  # type: ignore[method-assign]
    try:
        yield
    finally:
        client.send = send  # type: ignore[method-assign]
