"""What a server may say, and to whom the token goes: looked at in every request and answer of huggingface_hub."""

import json
import re
import time
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from huggingface_hub import constants
from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]

from zoo.hub.hub_names import COMMIT, ETAG, is_inside

# The HTTP library underneath: it is another one in other versions.
HTTP: Any = import_module(HTTPError.__module__.partition(".")[0])
HOME = "https://huggingface.co"
_LISTING_BYTES = 50_000_000
_SLOWEST, _WINDOW_S = 1000, 30.0
"""Bytes a second below which a server is taken to answer for ever, measured over so many seconds."""
_HASHES, _FILES = ("sha", "oid", "blobId"), ("rfilename", "path")


class HubDistrustError(ValueError):
    """The server says what no Hub says, or sends a request elsewhere with what is the user's."""


class Guard:
    """Hooks for requests and answers, each of a chain of redirects among them.

    An answer is cut off where it is longer than every file that was announced, and than any listing.
    """

    def __init__(self) -> None:
        self._longest = _LISTING_BYTES

    def on_request(self, request: Any) -> None:
        """Keep the token from every host but the Hub's; refuse credentials in an address; ask for plain bytes.

        Raises:
            HubDistrustError: a redirect or an answer named the address.
        """
        request.headers["Accept-Encoding"] = "identity"
        if _origin(request.url) in _hubs():
            return
        if request.url.userinfo:
            raise HubDistrustError(f"{request.url.host} is asked with credentials in its address, which no Hub names")
        for name in ("Authorization", "Cookie"):
            request.headers.pop(name, None)

    def on_response(self, response: Any) -> None:
        """Check what becomes part of a path, and where a token would be sent; limit the rest.

        Raises:
            HubDistrustError: one of them is not as the Hub's.
        """
        headers = response.headers
        packed = headers.get("Content-Encoding", "identity")
        if packed != "identity" and response.request.method != "HEAD":
            raise HubDistrustError(f"the server packs its answer ({packed[:80]!r}), though plain bytes were asked for")
        _check("commit", COMMIT.fullmatch, headers.get("X-Repo-Commit"))
        if response.request.method == "HEAD":
            for etag in (headers.get("X-Linked-ETag"), headers.get("ETag")):
                _check("ETag", ETAG.fullmatch, None if etag is None else etag.removeprefix("W/").strip('"'))
            sizes = (headers.get("X-Linked-Size"), headers.get("Content-Length"))
            self._longest = max(self._longest, *(int(size) for size in sizes if size and size.isdecimal()), 0)
        link = response.links.get("xet-auth", {}).get("url")
        for route in (link, headers.get("X-Xet-Refresh-Route")):
            to = response.request.url.join(route or "")
            if route is not None and (_origin(to) not in _hubs() or to.userinfo):
                raise HubDistrustError(f"the server wants the token to be sent to {to.host!r}, which is not the Hub")
        response.stream = _Paced(response.stream, self._longest)
        if re.search("/api/(models|datasets)/", response.request.url.path):
            _check_listing(response.read())


class _Paced(HTTP.SyncByteStream):  # type: ignore[misc]
    """The bytes of an answer, as long as they come and are no more than announced."""

    def __init__(self, stream: Any, longest: int) -> None:
        self._stream, self._longest = stream, longest

    def __iter__(self) -> Iterator[bytes]:
        total, since, begun = 0, 0, time.monotonic()
        for chunk in self._stream:
            total += len(chunk)
            since += len(chunk)
            if total > self._longest:
                raise HubDistrustError(f"the server sends more than the {self._longest:,} bytes it announced")
            if (passed := time.monotonic() - begun) > _WINDOW_S:
                if since < _SLOWEST * passed:
                    raise HTTP.ReadTimeout(f"{since} bytes in {passed:.0f} s")
                since, begun = 0, time.monotonic()
            yield chunk

    def close(self) -> None:
        self._stream.close()


def _check_listing(content: bytes) -> None:
    """Refuse a listing with a commit, hash or path that is none; what is no JSON is left to others."""

    def look(entry: dict[str, Any]) -> dict[str, Any]:
        for name in _HASHES:
            _check(name, COMMIT.fullmatch, entry.get(name))
        for name in _FILES:
            _check("file name", is_inside, entry.get(name))
        return entry

    try:
        json.loads(content, object_hook=look)
    except HubDistrustError:
        raise
    except (ValueError, RecursionError):
        return


def _check(what: str, good: Any, value: Any) -> None:
    if value is not None and not (isinstance(value, str) and good(value)):
        raise HubDistrustError(f"the server gives the {what} {str(value)[:80]!r}, which no Hub gives")


def _hubs() -> set[tuple[str, str, int | None]]:
    return {_origin(HTTP.URL(constants.ENDPOINT)), _origin(HTTP.URL(HOME))}


def _origin(url: Any) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port or {"http": 80, "https": 443}.get(url.scheme)
