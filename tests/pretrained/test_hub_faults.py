"""Downloads that go wrong in every way: what arrives is right or an error, and the cache serves the next call."""

import pytest
from huggingface_hub import constants, file_download

from zoo.errors import WeightsCorruptError, WeightsNotFoundError
from zoo.pretrained import create_model

from .hub_server_client import REPO, assert_sound, blobs
from .test_create import holds

HUB = f"hf-hub:{REPO}@v1.0"
WEIGHTS = "^/[0-9a-f]{64}$"
CONFIG = r"resolve-cache.*config\.json"


def assert_recovers(hub, cache, state) -> None:
    """Without the fault the same call works, and everything in the cache is whole."""
    hub.faults.clear()
    assert holds(create_model(HUB), state)
    assert_sound(cache)


CARD, FILE = r"/resolve/.*config", r"/resolve/.*safetensors"


@pytest.mark.parametrize(
    ("path", "status", "code", "message", "wanted"),
    [
        (
            CARD,
            401,
            None,
            "Invalid credentials in X",
            r"not accept the token \(HTTP 401: Inv.*hf auth.*HF_TOKEN",
        ),
        (CARD, 401, "RepoNotFound", "Invalid username", r"no such repository, or it is private.*hf auth login"),
        (CARD, 403, None, "Forbidden", r"the token does not allow it \(HTTP 403: Forbidden\)"),
        (CARD, 403, "GatedRepo", "Restricted", r"access to the repository has to be asked for.*Ask on its page"),
        (CARD, 404, "RepoNotFound", "Repository not found", r"no such repository.*HTTP 404.*Check the spelling"),
        (CARD, 404, "RevisionNotFound", "Invalid rev id", r"no such branch, tag or commit.*part after the @"),
        (CARD, 404, "EntryNotFound", "Entry not found", r"holds no such file.*HTTP 404"),
        (CARD, 429, None, "slow down", r"too many requests.*HTTP 429.*Wait some minutes"),
        (CARD, 500, None, "oops", r"the server is in trouble.*HTTP 500: oops.*Try again later"),
        (FILE, 401, None, "Invalid credentials in X", r"not accept the token \(HTTP 401"),
        (FILE, 404, "EntryNotFound", "Entry not found", r"Cannot get model\.safetensors.*holds no such file"),
        (FILE, 503, None, "maintenance", r"the server is in trouble.*HTTP 503: maintenance"),
    ],
)
def test_a_refusal_says_what_was_asked_and_what_to_do(
    hub, published, state, hub_cache, path, status, code, message, wanted
):
    hub.faults.add(path, times=None, status=status, code=code, message=message)
    with pytest.raises(WeightsNotFoundError, match=wanted) as caught:
        create_model(HUB)
    for part in (HUB, REPO, hub.url, "hf download org/pets --revision"):
        assert part in str(caught.value)
    assert_recovers(hub, hub_cache, state)


def test_a_passing_trouble_is_tried_again(hub, published, state, hub_cache):
    hub.faults.add("/resolve/.*safetensors", times=3, status=503)
    hub.faults.add("/resolve/.*config", times=2, status=500)
    hub.faults.add("/resolve/.*config", times=1, status=429)
    assert_recovers_by_itself(hub, hub_cache, state)


def assert_recovers_by_itself(hub, cache, state) -> None:
    assert holds(create_model(HUB), state)
    assert_sound(cache)


@pytest.mark.parametrize("cut", [0, 300, 2000])
def test_a_cut_download_goes_on_where_it_stopped(hub, published, state, hub_cache, cut):
    hub.faults.add(WEIGHTS, cut_after=cut)
    assert_recovers_by_itself(hub, hub_cache, state)
    size = len(published.head.files["model.safetensors"].content)
    first, second = hub.asked(WEIGHTS, "GET")
    kept = cut // 256 * 256  # what huggingface_hub had written
    assert (first.range, first.sent) == (None, cut)
    assert (second.range, second.sent) == (f"bytes={kept}-" if kept else None, size - kept)
    assert second.status == (206 if kept else 200)


def test_a_download_that_keeps_being_cut_arrives_in_pieces(hub, published, state, hub_cache):
    hub.faults.add(WEIGHTS, times=4, cut_after=1024)
    assert_recovers_by_itself(hub, hub_cache, state)
    assert [seen.range for seen in hub.asked(WEIGHTS, "GET")] == [None, *(f"bytes={1024 * n}-" for n in range(1, 5))]


def test_a_server_that_always_cuts_is_given_up(hub, published, state, hub_cache):
    hub.faults.add(WEIGHTS, times=None, cut_after=0)
    with pytest.raises(WeightsNotFoundError, match=r"the connection broke \(RemoteProtocolError.*Try again"):
        create_model(HUB)
    assert_sound(hub_cache)
    assert_recovers(hub, hub_cache, state)


def test_a_pulled_plug(hub, published, state, hub_cache):
    hub.faults.add(WEIGHTS, times=None, cut_after=700, reset=True)
    with pytest.raises(WeightsNotFoundError, match="the connection broke"):
        create_model(HUB)
    assert_sound(hub_cache)
    assert_recovers(hub, hub_cache, state)


@pytest.mark.parametrize("path", [WEIGHTS, CONFIG])
def test_wrong_bytes_of_the_right_length_are_fetched_again(hub, published, state, hub_cache, path):
    hub.faults.add(path, method="GET", corrupt=True)
    with pytest.warns(UserWarning, match="in the cache is damaged; fetching it again"):
        assert holds(create_model(HUB), state)
    assert len(hub.asked(path, "GET")) == 2
    assert_sound(hub_cache)


@pytest.mark.parametrize("path", [WEIGHTS, CONFIG])
def test_wrong_bytes_twice_are_an_error_and_not_kept(hub, published, state, hub_cache, path):
    hub.faults.add(path, method="GET", times=None, corrupt=True)
    with (
        pytest.warns(UserWarning, match="fetching it again"),
        pytest.raises(
            WeightsCorruptError, match=r"arrived damaged twice.*other bytes than it announces.*Nothing of it"
        ),
    ):
        create_model(HUB)
    assert_sound(hub_cache)
    assert_recovers(hub, hub_cache, state)


def test_fewer_bytes_than_announced_are_an_error(hub, published, state, hub_cache):
    size = len(published.head.files["model.safetensors"].content)
    hub.faults.add(WEIGHTS, times=None, shorten=10)
    with pytest.raises(WeightsNotFoundError, match=f"arrived incomplete: {size - 10:,} of {size:,} bytes"):
        create_model(HUB)
    assert_sound(hub_cache)
    assert_recovers(hub, hub_cache, state)


def test_a_copy_that_rots_in_the_cache_is_replaced(hub, published, state, hub_cache, monkeypatch):
    create_model(HUB)
    blob = next((hub_cache / "models--org--pets" / "blobs").glob("?" * 64))
    for content in (b"\0" * 100, b""):
        blob.write_bytes(content)
        with pytest.warns(UserWarning, match=r"model\.safetensors of org/pets in the cache is damaged"):
            assert holds(create_model(f"hf-hub:{REPO}@{published.head.id}"), state)
    assert_sound(hub_cache)


def test_a_copy_that_rots_offline_is_removed_and_named(hub, published, state, hub_cache, monkeypatch):
    create_model(HUB)
    next((hub_cache / "models--org--pets" / "blobs").glob("?" * 64)).write_bytes(b"x")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(WeightsCorruptError, match=r"was damaged and has been removed; offline.*Unset HF_HUB_OFFLINE"):
        create_model(HUB)
    assert_sound(hub_cache)
    with pytest.raises(WeightsNotFoundError, match="not in the cache"):
        create_model(HUB)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    assert_recovers(hub, hub_cache, state)


def test_a_slow_server_is_waited_for(hub, published, state, hub_cache):
    hub.faults.add(WEIGHTS, piece=4000, pause_s=0.01)
    hub.faults.add(CONFIG, wait_s=0.1)
    assert_recovers_by_itself(hub, hub_cache, state)


def test_a_server_that_says_nothing_is_given_up(hub, published, state, hub_cache, monkeypatch):
    for name in ("HF_HUB_ETAG_TIMEOUT", "HF_HUB_DOWNLOAD_TIMEOUT"):
        monkeypatch.setattr(constants, name, 0.05)
    monkeypatch.setattr(file_download, "_ETAG_RETRY_TIMEOUT", 0.05)
    for path in ("/resolve/.*safetensors", WEIGHTS):
        hub.faults.clear()
        hub.faults.add(path, times=None, wait_s=0.3)
        with pytest.raises(
            WeightsNotFoundError, match=r"did not answer in time \(ReadTimeout.*HF_HUB_DOWNLOAD_TIMEOUT"
        ):
            create_model(HUB)
        assert_sound(hub_cache)
    monkeypatch.setattr(constants, "HF_HUB_ETAG_TIMEOUT", 5)
    monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", 5)
    assert_recovers(hub, hub_cache, state)


def test_nobody_there(hub, published, state, hub_cache, monkeypatch):
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", "http://127.0.0.1:9/{repo_id}/{revision}/{filename}")
    with pytest.raises(WeightsNotFoundError, match=r"no connection \(ConnectError.*Check the network and.*HF_ENDPOINT"):
        create_model(HUB)
    assert blobs(hub_cache) == {}
