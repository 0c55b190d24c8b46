"""`hf-hub:` names against a server: which commit, which token, no network, and downloads that go wrong."""

import shutil
import time
from pathlib import Path

import pytest
import torch
from huggingface_hub import constants, get_session

from zoo import Preprocess
from zoo.cards.card import write_card
from zoo.errors import WeightsCorruptError, WeightsMismatchError, WeightsNotFoundError
from zoo.weights.create import create_model, find_tag
from zoo.weights.identity import identity_of
from zoo.weights.locate import pinned
from zoo.weights.tag import read_tag

from .cases import LABELS, REPO
from .hub_server import OWNER, STRANGER, corrupt, cut, lose, refuse, shorten
from .test_create import holds

HUB = f"hf-hub:{REPO}"
GET_WEIGHTS, ANY_CARD, ANY_WEIGHTS = "GET .*safetensors", "config.json", "safetensors"


@pytest.fixture
def move_on(published, card, state):
    """Moves main on to weights that differ in every value, and returns those."""

    def call() -> dict[str, torch.Tensor]:
        changed = {name: value + 1 for name, value in state.items()}
        write_card(card.parent / "other", changed, read_tag(card), force=True)
        names = ("config.json", "model.safetensors")
        published.commit(published.files | {name: (card.parent / "other" / name).read_bytes() for name in names})
        return {key: changed[key].half().float() if value.ndim > 1 else changed[key] for key, value in state.items()}

    return call


def assert_sound(cache: Path) -> None:
    """Nothing is left of broken downloads, and every file of a snapshot is there."""
    assert list(cache.rglob("*.incomplete")) == []
    assert all(link.exists() for link in cache.glob("*/snapshots/*/*"))


def assert_recovers(hub, cache, state) -> None:
    """Without the failure the same call works."""
    hub.failures.clear()
    assert holds(create_model(f"{HUB}@v1.0"), state)
    assert_sound(cache)


def test_a_branch_a_tag_and_a_commit(hub, published, state, hub_cache):
    for revision in ("", "@main", "@v1.0", f"@{published.refs['main']}"):
        model = create_model(HUB + revision, pretrained=True)
        assert holds(model, state), revision
        tag = identity_of(model).tag
        assert (tag.repo, tag.revision) == (REPO, published.refs["main"])
        assert model.pretrained_cfg["label_names"] == LABELS
        assert Preprocess.of(model) == tag.preprocess
    assert len([asked for asked in hub.seen if asked.startswith("GET") and "safetensors" in asked]) == 1
    assert_sound(hub_cache)


def test_a_pin_stays_when_main_moves_on(published, state, move_on):
    """And the tag of weights that `evaluate` found first is the one that it loads then."""
    first, tag = published.refs["main"], find_tag(HUB)
    newer = move_on()
    assert holds(create_model(pinned(HUB, tag)), state)
    assert holds(create_model(f"{HUB}@{first}"), state)
    assert holds(create_model(HUB), newer)
    assert holds(create_model(f"{HUB}@v1.0"), state)
    assert pinned("tiny_t.pets", tag) == "tiny_t.pets"


def test_a_text_model_comes_with_its_tokenizer(hub, text_card):
    hub.put(REPO, text_card)
    model, here = create_model(f"{HUB}@v1.0").eval(), create_model(text_card).eval()
    with torch.inference_mode():
        there, local = (m(**m.text_preprocess.encode(["a good film"])).logits for m in (model, here))
    assert torch.equal(there, local)


def test_card_and_weights_are_of_one_commit_though_main_moves_in_between(hub, published, state, move_on):
    hub.fail(ANY_WEIGHTS, lambda answer: (move_on(), answer())[1], times=1)
    model = create_model(HUB)
    assert identity_of(model).tag.revision == published.refs["v1.0"] != published.refs["main"]
    assert holds(model, state)


def test_offline_and_a_cached_commit_ask_nobody(hub, published, state, monkeypatch):
    create_model(f"{HUB}@v1.0")
    before = len(hub.seen)
    assert holds(create_model(f"{HUB}@{published.refs['main']}"), state)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert holds(create_model(f"{HUB}@v1.0"), state)
    with pytest.raises(WeightsNotFoundError, match=r"revision main .*offline, as HF_HUB_OFFLINE says\. What is not"):
        create_model(HUB)
    assert len(hub.seen) == before


def test_unreachable_says_which_commit_it_takes(hub, published, state, move_on):
    create_model(HUB)
    older = published.refs["main"]
    move_on()
    hub.fail("/resolve/", refuse(503))
    with pytest.warns(UserWarning, match=rf"cannot be asked what main of {REPO} is now(.|\n)*503(.|\n)*commit {older}"):
        assert holds(create_model(HUB), state)
    with pytest.raises(WeightsNotFoundError, match=r"at revision v1\.0.*the server is in trouble.*HTTP 503"):
        create_model(f"{HUB}@v1.0")


def test_a_private_repository(hub, card, state, monkeypatch):
    repo = hub.put(REPO, card, private=True)
    for token in (None, STRANGER):
        if token:
            monkeypatch.setenv("HF_TOKEN", token)
        with pytest.raises(WeightsNotFoundError, match=r"no such repository, or it is private.*hf auth.*HF_TOKEN"):
            create_model(HUB)
    monkeypatch.setenv("HF_TOKEN", "hf_expired")
    with pytest.raises(WeightsNotFoundError, match=r"does not accept the token \(HTTP 401: Invalid credentials"):
        create_model(HUB)
    monkeypatch.setenv("HF_TOKEN", OWNER)
    assert holds(create_model(HUB), state)
    repo.private = True
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(WeightsNotFoundError, match="it is private"):  # and is not served from the cache
        create_model(HUB)


@pytest.mark.parametrize(
    ("path", "status", "code", "message", "wanted"),
    [
        (ANY_CARD, 401, None, "Invalid credentials in X", r"not accept the token \(HTTP 401: Inv.*hf auth.*HF_TOKEN"),
        (ANY_CARD, 401, "RepoNotFound", "Invalid username", r"no such repository, or it is private.*hf auth login"),
        (ANY_CARD, 403, None, "Forbidden", r"the token does not allow it \(HTTP 403: Forbidden\)"),
        (ANY_CARD, 403, "GatedRepo", "Restricted", r"access to the repository has to be asked for.*Ask on its page"),
        (ANY_CARD, 404, "RepoNotFound", "Repository not found", r"no such repository.*HTTP 404.*Check the spelling"),
        (ANY_CARD, 404, "RevisionNotFound", "Invalid rev", r"no such branch, tag or commit.*part after the @"),
        (ANY_CARD, 404, "EntryNotFound", "Entry not found", r"holds no such file.*HTTP 404"),
        (ANY_CARD, 429, None, "slow down", r"too many requests.*HTTP 429.*Wait some minutes"),
        (ANY_WEIGHTS, 404, "EntryNotFound", "Entry not found", r"Cannot get model\.safetensors.*holds no such file"),
        (ANY_WEIGHTS, 503, None, "maintenance", r"the server is in trouble.*HTTP 503: maintenance.*Try again later"),
    ],
)
def test_a_refusal_says_what_was_asked_and_what_to_do(
    hub, published, state, hub_cache, path, status, code, message, wanted
):
    hub.fail(path, refuse(status, message, code))
    with pytest.raises(WeightsNotFoundError, match=wanted) as caught:
        create_model(f"{HUB}@v1.0")
    for part in (f"{HUB}@v1.0", hub.url, "hf download org/pets --revision"):
        assert part in str(caught.value)
    assert_recovers(hub, hub_cache, state)


@pytest.mark.parametrize("failure", [refuse(503), cut, lose])
def test_a_passing_trouble_is_tried_again(hub, published, state, hub_cache, failure):
    hub.fail(GET_WEIGHTS if failure in (cut, lose) else ANY_WEIGHTS, failure, times=1)
    assert holds(create_model(f"{HUB}@v1.0"), state)
    assert_sound(hub_cache)


def test_a_download_that_always_breaks_leaves_nothing(hub, published, state, hub_cache):
    size = len(published.files["model.safetensors"])
    shorter = f"size {size} but has size {size - 10}"
    for failure, wanted in ((lose, r"the connection broke \(.*Try again"), (shorten, shorter)):
        hub.fail(GET_WEIGHTS, failure)
        with pytest.raises(WeightsNotFoundError, match=wanted):
            create_model(f"{HUB}@v1.0")
        assert_sound(hub_cache)
        hub.failures.clear()
    assert_recovers(hub, hub_cache, state)


def test_nobody_there(hub, published, hub_cache, monkeypatch):
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", "http://127.0.0.1:9/{repo_id}/{revision}/{filename}")
    with pytest.raises(WeightsNotFoundError, match=r"no connection \(ConnectError.*Check the network.*HF_ENDPOINT"):
        create_model(HUB)


def test_nobody_there_is_not_waited_for_and_the_cache_serves(hub, published, state, monkeypatch):
    create_model(HUB)
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", "http://127.0.0.1:9/{repo_id}/{revision}/{filename}")
    send = get_session().send
    with pytest.warns(UserWarning, match=rf"no connection(.|\n)*commit {published.refs['main']}"):
        assert holds(create_model(HUB), state)
    with pytest.raises(WeightsNotFoundError, match=r"no connection \(ConnectError"):
        create_model(f"{HUB}@v1.0")
    assert waits == []
    assert get_session().send == send


def test_wrong_bytes_are_fetched_again_once_and_never_used(hub, published, state, hub_cache):
    hub.fail(GET_WEIGHTS, corrupt, times=1)
    with pytest.warns(UserWarning, match="in the cache is damaged; fetching it again"):
        assert holds(create_model(f"{HUB}@v1.0"), state)
    shutil.rmtree(hub_cache)
    hub.fail(GET_WEIGHTS, corrupt)
    wanted = r"arrived damaged twice.*other bytes than it announces.*damaged copy is .*safetensors"
    for _ in range(2):
        with pytest.warns(UserWarning, match="fetching it again"), pytest.raises(WeightsCorruptError, match=wanted):
            create_model(f"{HUB}@v1.0")
    with pytest.warns(UserWarning, match="fetching it again"):
        assert_recovers(hub, hub_cache, state)


def test_a_copy_that_rots_is_replaced_and_offline_named(hub, published, state, hub_cache, monkeypatch):
    create_model(HUB)
    (copy,) = hub_cache.rglob("model.safetensors")
    copy.write_bytes(b"x")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(WeightsCorruptError, match=rf"{copy} is damaged(.|\n)*Offline, as .*Unset HF_HUB_OFFLINE"):
        create_model(HUB)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    with pytest.warns(UserWarning, match=r"model\.safetensors of org/pets in the cache is damaged"):
        assert holds(create_model(f"{HUB}@{published.refs['main']}"), state)


def test_weights_that_the_card_does_not_pin(hub, published, card, state, move_on):
    move_on()
    published.commit({**published.files, "config.json": (card / "config.json").read_bytes()})
    with pytest.raises(WeightsMismatchError, match=r"is not the file its card pins(.|\n)*contradicts itself"):
        create_model(HUB)
    assert holds(create_model(f"{HUB}@v1.0"), state)
