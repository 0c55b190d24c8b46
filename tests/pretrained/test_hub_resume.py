"""What a killed process left in the cache: gone on with if it is the beginning of the file, removed if not."""

import pytest

from zoo.errors import WeightsNotFoundError
from zoo.pretrained import create_model

from .hub_server import OWNER
from .hub_server_client import REPO, assert_sound, blobs, put_repo
from .test_create import holds

HUB = f"hf-hub:{REPO}@v1.0"
WEIGHTS = "^/[0-9a-f]{64}$"


@pytest.fixture
def weights(published) -> bytes:
    return published.head.files["model.safetensors"].content


def leave(cache, etag: str, content: bytes, mark: str = "deadbeef"):
    folder = cache / "models--org--pets" / "blobs"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{etag}.{mark}.incomplete").write_bytes(content)


def sha256(published) -> str:
    return published.head.files["model.safetensors"].sha256


def test_the_largest_beginning_is_gone_on_with(hub, published, weights, state, hub_cache):
    leave(hub_cache, sha256(published), weights[:100], "00000000")
    leave(hub_cache, sha256(published), weights[:1500])
    assert holds(create_model(HUB), state)
    (asked,) = hub.asked(WEIGHTS, "GET")
    assert (asked.range, asked.sent) == ("bytes=1500-", len(weights) - 1500)
    assert_sound(hub_cache)


def test_a_whole_file_needs_no_more_bytes(hub, published, weights, state, hub_cache):
    leave(hub_cache, sha256(published), weights)
    assert holds(create_model(HUB), state)
    assert hub.asked(WEIGHTS, "GET") == []
    assert_sound(hub_cache)


@pytest.mark.parametrize("length", [1500, 100_000])
def test_the_beginning_of_something_else_is_removed(hub, published, state, hub_cache, length):
    leave(hub_cache, sha256(published), b"x" * length)
    assert holds(create_model(HUB), state)
    assert hub.asked(WEIGHTS, "GET")[-1].range is None
    assert_sound(hub_cache)


def test_a_server_that_refuses_the_rest_sends_the_whole(hub, published, weights, state, hub_cache):
    leave(hub_cache, sha256(published), weights[:1500])
    hub.faults.add(WEIGHTS, status=403)
    assert holds(create_model(HUB), state)
    assert [(seen.range, seen.status) for seen in hub.asked(WEIGHTS, "GET")] == [("bytes=1500-", 403), (None, 200)]
    assert_sound(hub_cache)


def test_a_server_without_ranges_sends_everything(hub, published, weights, state, hub_cache):
    leave(hub_cache, sha256(published), weights[:1500])
    hub.faults.add(WEIGHTS, times=None, no_range=True)
    assert holds(create_model(HUB), state)
    (asked,) = hub.asked(WEIGHTS, "GET")
    assert (asked.status, asked.sent) == (200, len(weights))
    assert_sound(hub_cache)


def test_what_was_added_before_the_next_break_is_kept(hub, published, weights, state, hub_cache):
    leave(hub_cache, sha256(published), weights[:1024])
    hub.faults.add(WEIGHTS, cut_after=1024, reset=True)
    hub.faults.add(WEIGHTS, times=None, cut_after=0)
    with pytest.raises(WeightsNotFoundError, match="the connection broke"):
        create_model(HUB)
    (rest,) = [content for name, content in blobs(hub_cache).items() if name.endswith(".incomplete")]
    assert weights.startswith(rest)
    assert len(rest) >= 1024
    hub.faults.clear()
    assert holds(create_model(HUB), state)
    assert hub.asked(WEIGHTS, "GET")[-1].range == f"bytes={len(rest)}-"
    assert_sound(hub_cache)


def test_a_private_repository_and_no_token_for_the_storage(hub, card, state, hub_cache, monkeypatch):
    repo = put_repo(hub, REPO, card, private=True)
    content = repo.head.files["model.safetensors"].content
    leave(hub_cache, sha256(repo), content[:1500])
    monkeypatch.setenv("HF_TOKEN", OWNER)
    assert holds(create_model(HUB), state)
    (asked,) = hub.asked(WEIGHTS, "GET")
    assert (asked.status, asked.range, asked.token) == (206, "bytes=1500-", None)
