"""`hf-hub:` names against a server: which commit, which token, how many requests, and no network at all."""

import pytest
import torch
from huggingface_hub import constants

from zoo import Preprocess
from zoo.errors import WeightsMismatchError, WeightsNotFoundError
from zoo.pretrained import create_model
from zoo.pretrained.create import find_tag
from zoo.pretrained.fetch import pinned
from zoo.pretrained.identity import identity_of

from .cases import LABELS
from .hub_server import OWNER, STRANGER
from .hub_server_client import REPO, assert_sound, put_repo
from .test_create import holds

HUB = f"hf-hub:{REPO}"


def other_weights(repo, card, state) -> dict[str, torch.Tensor]:
    """Move main on to weights that differ in every value."""
    from zoo.pretrained import read_tag, write_card

    changed = {name: value + 1 for name, value in state.items()}
    place = card.parent / "other"
    write_card(place, changed, read_tag(card))
    files = {name: (place / name).read_bytes() for name in ("config.json", "model.safetensors")}
    repo.change(config_json=files["config.json"], model_safetensors=files["model.safetensors"])
    return {name: changed[name].half().float() if value.ndim > 1 else changed[name] for name, value in state.items()}


def serve_all(hub) -> None:
    for repo in hub.repos.values():
        for commit in repo.commits.values():
            hub.large |= {file.sha256: file.content for file in commit.files.values() if file.lfs}


def test_a_branch_a_tag_and_a_commit(hub, published, state, hub_cache):
    for revision in ("", "@main", "@v1.0", f"@{published.head.id}"):
        model = create_model(HUB + revision, pretrained=True)
        assert holds(model, state), revision
        tag = identity_of(model).tag
        assert (tag.repo, tag.revision) == (REPO, published.head.id)
        assert model.pretrained_cfg["label_names"] == LABELS
        assert Preprocess.of(model) == tag.preprocess
    assert_sound(hub_cache)
    assert len(hub.asked("/[0-9a-f]{64}$", "GET")) == 1


def test_a_pin_stays_when_main_moves_on(hub, published, card, state):
    first = published.head.id
    newer = other_weights(published, card, state)
    serve_all(hub)
    for revision in ("@v1.0", f"@{first}"):
        assert holds(create_model(HUB + revision), state)
    assert holds(create_model(HUB), newer)
    assert holds(create_model(HUB + "@v1.0"), state)


def test_a_text_model_comes_with_its_tokenizer(hub, text_card):
    put_repo(hub, REPO, text_card)
    model, here = create_model(f"{HUB}@v1.0").eval(), create_model(text_card).eval()
    with torch.inference_mode():
        there, local = (m(**m.text_preprocess.encode(["a good film"])).logits for m in (model, here))
    assert torch.equal(there, local)


def test_card_and_weights_are_of_one_commit_though_main_moves_in_between(hub, published, card, state):
    moves = hub.faults.add(r"/resolve/.*safetensors", before=lambda: other_weights(published, card, state))
    model = create_model(HUB)
    assert moves.times == 0
    assert identity_of(model).tag.revision == published.tags["v1.0"] != published.head.id
    assert holds(model, state)


def test_a_tag_that_was_found_is_the_one_that_is_loaded(hub, published, card, state):
    """As `evaluate` does it: first what the weights are, then the weights."""
    tag = find_tag(HUB)
    other_weights(published, card, state)
    assert holds(create_model(pinned(HUB, tag)), state)
    assert pinned("tiny_t.pets", tag) == "tiny_t.pets"


def test_a_cached_commit_asks_nobody_and_a_branch_asks_once(hub, published, state):
    create_model(HUB)
    before = len(hub.seen)
    create_model(f"{HUB}@{published.head.id}")
    assert len(hub.seen) == before
    create_model(HUB)
    assert {(seen.method, seen.status) for seen in hub.seen[before:]} == {("HEAD", 307), ("HEAD", 200)}


def test_offline_takes_what_is_there(hub, published, state, monkeypatch):
    create_model(f"{HUB}@v1.0")
    before = len(hub.seen)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    for revision in ("@v1.0", f"@{published.head.id}"):
        assert holds(create_model(HUB + revision), state)
    with pytest.raises(
        WeightsNotFoundError, match=r"revision main .*offline, as HF_HUB_OFFLINE says.*not in the cache"
    ):
        create_model(HUB)
    assert len(hub.seen) == before


def test_unreachable_says_which_commit_it_takes(hub, published, card, state, monkeypatch):
    create_model(HUB)
    older = published.head.id
    other_weights(published, card, state)
    hub.faults.add("/resolve/", times=None, status=503)
    with pytest.warns(UserWarning, match=rf"cannot be asked what main of {REPO} is now.*503.*Using commit {older}"):
        assert holds(create_model(HUB), state)
    with pytest.raises(WeightsNotFoundError, match=r"at revision v1\.0.*the server is in trouble.*HTTP 503"):
        create_model(f"{HUB}@v1.0")


def test_a_private_repository(hub, card, state, monkeypatch):
    put_repo(hub, REPO, card, private=True)
    with pytest.raises(WeightsNotFoundError, match=r"no such repository, or it is private.*hf auth login.*HF_TOKEN"):
        create_model(HUB)
    monkeypatch.setenv("HF_TOKEN", STRANGER)
    with pytest.raises(WeightsNotFoundError, match="no such repository, or it is private"):
        create_model(HUB)
    monkeypatch.setenv("HF_TOKEN", "hf_expired")
    with pytest.raises(WeightsNotFoundError, match=r"does not accept the token \(HTTP 401: Invalid credentials"):
        create_model(HUB)
    monkeypatch.setenv("HF_TOKEN", OWNER)
    assert holds(create_model(HUB), state)
    storage = [seen for seen in hub.seen if seen.where == "storage"]
    assert [seen.status for seen in storage] == [200]
    assert storage[0].token is None


def test_a_repository_that_was_closed_is_not_served_from_the_cache_without_a_word(hub, published):
    create_model(HUB)
    published.private = True
    with pytest.raises(WeightsNotFoundError, match="it is private"):
        create_model(HUB)


def test_weights_that_the_card_does_not_pin(hub, published, card, state):
    other_weights(published, card, state)
    weights = published.head.files["model.safetensors"].content
    published.change(config_json=(card / "config.json").read_bytes(), model_safetensors=weights)
    serve_all(hub)
    with pytest.raises(WeightsMismatchError, match=r"is not the file its card pins(.|\n)*contradicts itself"):
        create_model(HUB)
    assert holds(create_model(f"{HUB}@v1.0"), state)
