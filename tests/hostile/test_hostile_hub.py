"""What a hostile or broken endpoint of the Hub may not do: write outside its cache, get the token, keep one waiting."""

import gzip
import itertools
import json
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest

from zoo.data._parquet import table_from_hub
from zoo.errors import DataNotFoundError, WeightsNotFoundError, ZooError
from zoo.hub.fetch import fetch
from zoo.names import is_card

from .conftest import TOKEN, reply

COMMIT = "0123456789abcdef0123456789abcdef01234567"
GOOD = {"X-Repo-Commit": COMMIT, "ETag": '"d670460b4b4aece5915caf5c68d12f560a9fe3e4"'}
SPEC: Any = SimpleNamespace(name="pets", hub_id="org/pets", config=None, splits={"test": ("test",)})
OUT = "../../../../../out"


def no_answer(handler: BaseHTTPRequestHandler) -> None:
    reply(handler, 404, {})


def written(place: Path) -> list[str]:
    """Files outside the cache, and what in it is no blob, lock or listing of the repository."""
    found = (path.relative_to(place).as_posix() for path in place.rglob("*") if path.is_file() or path.is_symlink())
    return [name for name in found if not name.startswith("cache/hub/")]


@pytest.mark.parametrize("name", [
    f"a/b@{OUT}", "a/b@/etc/passwd", "a/b@..", "a/b@x/../y", "a/b@x//y", "a/b@\x00", "a/b@x\n", "a/b@.hidden",
    "../b", "a/..", "/a/b", "a/b/c", "a b/c", "a/b\x1b[2J", "", "a/b@" + "x" * 300, "a--b/c", "http://x/y",
])  # fmt: skip
def test_names_that_lead_out_are_refused_and_named(name: str, endpoint, tmp_path: Path) -> None:
    server = endpoint(no_answer)
    with pytest.raises(WeightsNotFoundError, match=r"is no (repository|branch)"):
        is_card(f"hf-hub:{name}")
    assert (server.heard, written(tmp_path)) == ([], [])


@pytest.mark.parametrize("revision", ["main", "v1.0", "refs/pr/1", COMMIT, "feature/a_b+c", None])
def test_names_of_the_hub_are_asked_for(revision: str | None, endpoint) -> None:
    server = endpoint(lambda handler: reply(handler, 200, GOOD, b"{}"))
    assert fetch("org/pets", "config.json", revision).read_bytes() == b"{}"
    assert [call[:2] for call in server.heard if "/api/" not in call[1]] == [
        (method, f"/org/pets/resolve/{quote(revision or 'main', safe='')}/config.json") for method in ("HEAD", "GET")
    ]


@pytest.mark.parametrize("file", ["../x", "/etc/passwd", "a/../../x", "a\\..\\x", "", "x\x00"])
def test_files_that_lead_out_are_refused(file: str, endpoint, tmp_path: Path) -> None:
    server = endpoint(no_answer)
    with pytest.raises(WeightsNotFoundError, match="is no file"):
        fetch("org/pets", file, None)
    assert (server.heard, written(tmp_path)) == ([], [])


def get(what: str) -> object:
    """A config, weights or a dataset of the Hub."""
    if what == "dataset":
        return table_from_hub(SPEC, "test")
    return fetch("org/pets", "config.json" if what == "config" else "model.safetensors", None)


HEADERS = {
    "commit that leads out": {"X-Repo-Commit": OUT},
    "commit with a slash": {"X-Repo-Commit": "a/b"},
    "absolute commit": {"X-Repo-Commit": "/out"},
    "commit of dots": {"X-Repo-Commit": ".."},
    "ETag that leads out": {"ETag": f'"{OUT}"'},
    "absolute ETag": {"ETag": '"/out"'},
    "weak ETag": {"ETag": f'W/"{OUT}"'},
    "linked ETag": {"X-Linked-ETag": f'"{OUT}"'},
    "long ETag": {"ETag": f'"{"a" * 5000}"'},
}


@pytest.mark.parametrize("headers", HEADERS.values(), ids=HEADERS)
@pytest.mark.parametrize("what", ["config", "weights", "dataset"])
def test_answers_that_lead_out_are_refused(headers: dict[str, str], what: str, endpoint, tmp_path: Path) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        if "/api/" in handler.path:
            reply(handler, 200, {}, listing(handler.path))
        else:
            reply(handler, 200, GOOD | headers, b"{}")

    endpoint(answer)
    with pytest.raises(ZooError, match="which no Hub gives"):
        get(what)
    assert written(tmp_path) == []
    assert not [path for path in tmp_path.rglob("*") if path.name == "out"]


def listing(path: str, sha: Any = COMMIT, file: Any = "test.parquet", oid: Any = "0" * 40) -> bytes:
    if "/tree/" in path:
        return json.dumps([{"type": "file", "path": file, "size": 2, "oid": oid}]).encode()
    return json.dumps({"id": "org/pets", "sha": sha, "siblings": [{"rfilename": file}], "private": False}).encode()


LISTINGS: dict[str, dict[str, Any]] = {
    "commit that leads out": {"sha": OUT},
    "commit that is no text": {"sha": ["x"]},
    "file that leads out": {"file": f"{OUT}/test.parquet"},
    "absolute file": {"file": "/out/test.parquet"},
    "hash that leads out": {"oid": OUT},
    "control characters": {"file": "\x1b[2Jtest.parquet"},
}


@pytest.mark.parametrize("given", LISTINGS.values(), ids=LISTINGS)
def test_listings_that_lead_out_are_refused(given: dict[str, Any], endpoint, tmp_path: Path) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        if "/api/" in handler.path:
            reply(handler, 200, {"Content-Type": "application/json"}, listing(handler.path, **given))
        else:
            reply(handler, 200, GOOD, b"{}")

    endpoint(answer)
    with pytest.raises(DataNotFoundError, match="which no Hub gives"):
        table_from_hub(SPEC, "test")
    assert written(tmp_path) == []


@pytest.mark.parametrize("what", ["listing", "config"])
def test_an_answer_that_grows_is_not_unpacked(what: str, endpoint, tmp_path: Path) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        if handler.command == "HEAD":
            return reply(handler, 200, GOOD | {"Content-Length": "2"})
        return reply(handler, 200, GOOD | {"Content-Encoding": "gzip"}, bomb)

    bomb = gzip.compress(bytes(50_000_000))
    server = endpoint(answer)
    with pytest.raises(ZooError, match=r"packs its answer \('gzip'\)"):
        get(what if what == "config" else "dataset")
    assert {headers["Accept-Encoding"] for _, _, headers in server.heard} == {"identity"}


def told_to(heard: list[tuple[str, str, dict[str, str]]]) -> list[str]:
    """Every header of every request that holds the token or any credentials."""
    return [
        f"{name}: {value}"
        for *_, headers in heard
        for name, value in headers.items()
        if TOKEN in value or name.lower() in ("authorization", "cookie")
    ]


@pytest.mark.parametrize("way", ["HEAD", "GET", "listing", "basic", "xet header", "xet link", "xet basic"])
def test_the_token_stays_with_the_hub(way: str, endpoint, serve, tmp_path: Path) -> None:
    def elsewhere(handler: BaseHTTPRequestHandler) -> None:
        reply(
            handler, 200, GOOD | {"X-Xet-Access-Token": "x", "X-Xet-Cas-Url": other.url, "X-Xet-Token-Expiration": "9"}
        )

    def answer(handler: BaseHTTPRequestHandler) -> None:
        away = {"Location": other.url + handler.path, "Set-Cookie": "a=b"}
        xet = {"X-Xet-Hash": "a" * 64}
        if way == handler.command or (way == "listing" and "/api/" in handler.path):
            reply(handler, 302, GOOD | away)
        elif way == "basic":
            reply(handler, 302, GOOD | {"Location": away["Location"].replace("//", f"//user:{TOKEN}@")})
        elif way.startswith("xet"):
            url = other.url.replace("//", f"//user:{TOKEN}@") if way == "xet basic" else other.url
            route = {"Link": f'<{url}>; rel="xet-auth"'} if way == "xet link" else {"X-Xet-Refresh-Route": url}
            reply(handler, 200, GOOD | xet | route, b"{}")
        else:
            reply(handler, 200, GOOD, listing(handler.path) if "/api/" in handler.path else b"{}")

    other = serve(elsewhere)
    server = endpoint(answer)
    said = ""
    try:
        get("dataset" if way == "listing" else "config")
    except ZooError as error:
        said = str(error)
    assert TOKEN not in said
    assert told_to(server.heard), "the endpoint itself is told the token"
    assert told_to(other.heard) == []


def silent(handler: BaseHTTPRequestHandler) -> None:
    time.sleep(30)


def dripping_head(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    for number in itertools.count():
        handler.wfile.write(f"X-{number}: x\r\n".encode())
        time.sleep(0.05)


def after_head(body: Callable[[BaseHTTPRequestHandler], None]) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        if handler.command == "HEAD":
            return reply(handler, 200, GOOD | {"Content-Length": "1000000"})
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        return body(handler)

    return answer


@after_head
def dripping_body(handler: BaseHTTPRequestHandler) -> None:
    while True:
        handler.wfile.write(b"1\r\nx\r\n")
        time.sleep(0.05)


@after_head
def endless_body(handler: BaseHTTPRequestHandler) -> None:
    chunk = b"100000\r\n" + bytes(0x100000) + b"\r\n"
    while True:
        handler.wfile.write(chunk)


@pytest.mark.parametrize("answer", [silent, dripping_head, dripping_body, endless_body])
@pytest.mark.parametrize("what", ["weights", "dataset"])
def test_nobody_waits_for_ever(answer, what: str, endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", 0.5)
    monkeypatch.setattr("zoo.hub.guard._WINDOW_S", 0.5)
    monkeypatch.setattr("zoo.hub.guard._LISTING_BYTES", 2_000_000)
    endpoint(answer)
    begun = time.monotonic()
    with pytest.raises((WeightsNotFoundError, DataNotFoundError), match=r"in time|more than the|ReadTimeout"):
        get(what)
    assert time.monotonic() - begun < 20
    assert sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()) < 4_000_000


def test_the_address_in_a_message_has_no_password(endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    server = endpoint(no_answer)
    monkeypatch.setattr(constants, "ENDPOINT", server.url.replace("//", "//user:secret@"))
    with pytest.raises(WeightsNotFoundError) as refused:
        fetch("org/pets", "config.json", None)
    assert "secret" not in str(refused.value)
