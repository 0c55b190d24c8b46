"""Pushes that go wrong: the repository holds the whole card or none of it, and the message says which."""

from dataclasses import replace

import pytest
from huggingface_hub import constants

from zoo.errors import PublishError
from zoo.pretrained.publish import plan_push, push

from .cases import NAME
from .hub_server import READER, STRANGER
from .hub_server_client import REPO, UPLOADS, note
from .hub_server_repos import File

pytestmark = [UPLOADS, pytest.mark.usefixtures("measured")]


def held(hub) -> set[str]:
    """The card's files in the repository, as anybody sees them."""
    return set(hub.repos[REPO].head.files) - {".gitattributes"} if REPO in hub.repos else set()


@pytest.mark.parametrize(
    ("token", "wanted"),
    [
        (None, r"needs a token with write access.*hf auth login.*HF_TOKEN"),
        ("hf_expired", r"does not accept the token \(HTTP 401: Invalid credentials"),
        (READER, r'Cannot create org/pets on .*HTTP 403: You don\'t have the rights.*namespace "org".*member of that'),
        (STRANGER, r"Cannot create org/pets on .*HTTP 403.*Nothing was published"),
    ],
)
def test_a_token_that_does_not_open(hub, monkeypatch, token, wanted):
    if token:
        monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(PublishError, match=wanted):
        push(plan_push(NAME, REPO))
    assert hub.repos == {}
    assert hub.large == {}


def test_somebody_who_may_look_but_not_write(owner, measured, monkeypatch):
    push(plan_push(NAME, REPO))
    head = owner.repos[REPO].head
    note(measured, "Mine.")
    monkeypatch.setenv("HF_TOKEN", STRANGER)
    with pytest.raises(PublishError, match=r"Cannot upload to org/pets.*HTTP 403.*made whole or not at all"):
        push(plan_push(NAME, REPO))
    assert owner.repos[REPO].head is head


STEPS = {
    "create": r"repos/create",
    "metadata": r"validate-yaml",
    "modes": r"/preupload/",
    "batch": r"objects/batch",
    "content": r"^/storage/",
    "verify": r"lfs/verify",
    "commit": r"/commit/main",
}


@pytest.mark.parametrize(("step", "status"), [*((step, 500) for step in STEPS), ("content", 403), ("commit", 403)])
def test_a_failure_at_any_step_publishes_nothing_and_the_next_push_does(owner, step, status):
    owner.faults.add(STEPS[step], times=None, status=status, message="not today")
    plan = plan_push(NAME, REPO)
    with pytest.raises(
        PublishError,
        match=r"Cannot (create|upload to) org/pets on http.*not today.*(Nothing was published|whole or not at all)",
    ):
        push(plan)
    assert held(owner) == set()
    owner.faults.clear()
    push(plan_push(NAME, REPO))
    assert held(owner) == {file.name for file in plan.files}


@pytest.mark.parametrize("step", ["create", "modes", "content"])
def test_a_connection_that_breaks_while_uploading(owner, step):
    owner.faults.add(STEPS[step], times=None, lost=True)
    with pytest.raises(PublishError, match=r"Cannot .* org/pets on http.*the connection broke \(.*Try again"):
        push(plan_push(NAME, REPO))
    assert held(owner) == set()
    owner.faults.clear()
    push(plan_push(NAME, REPO))
    assert "model.safetensors" in held(owner)


def test_a_commit_whose_answer_is_lost_is_found_by_the_next_push(owner):
    owner.faults.add(STEPS["commit"], lost=True)
    with pytest.raises(PublishError, match=r"the connection broke.*push again, and what is there already is left"):
        push(plan_push(NAME, REPO))
    count = len(owner.repos[REPO].commits)
    assert plan_push(NAME, REPO).is_done
    assert push(plan_push(NAME, REPO, revision_tag="v1.0")).uploaded == ()
    assert len(owner.repos[REPO].commits) == count


def test_a_passing_trouble_while_uploading_is_tried_again(owner):
    owner.faults.add("^/storage/", times=3, status=500)
    owner.faults.add("objects/batch", times=2, status=503)
    owner.faults.add("^/storage/", times=2, lost=True)
    plan = plan_push(NAME, REPO)
    push(plan)
    assert held(owner) == {file.name for file in plan.files}


def test_a_tag_that_fails_is_made_by_the_next_push(owner):
    owner.faults.add("/tag/", status=500, message="not today")
    with pytest.raises(PublishError, match=r"tag .* as v1\.0.*HTTP 500.*files are published; only the tag is missing"):
        push(plan_push(NAME, REPO, revision_tag="v1.0"))
    head = owner.repos[REPO].head.id
    done = push(plan_push(NAME, REPO, revision_tag="v1.0"))
    assert (done.commit, done.uploaded, owner.repos[REPO].tags) == (head, (), {"v1.0": head})


def test_a_tag_that_is_taken_is_not_moved(owner, measured):
    first = push(plan_push(NAME, REPO, revision_tag="v1.0"))
    note(measured, "Newer.")
    before = len(owner.seen)
    with pytest.raises(PublishError, match=rf"v1.0 of {REPO} is commit {first.commit} already.*Take another tag"):
        plan_push(NAME, REPO, revision_tag="v1.0")
    assert {seen.method for seen in owner.seen[before:]} == {"GET"}
    push(plan_push(NAME, REPO, revision_tag="v1.1"))
    assert set(owner.repos[REPO].tags) == {"v1.0", "v1.1"}


def test_somebody_else_pushed_since_the_plan(owner, measured):
    push(plan_push(NAME, REPO))
    note(measured, "Mine.")
    plan = plan_push(NAME, REPO)
    theirs = owner.repos[REPO].change("theirs", results_json=b"{}")
    with pytest.raises(PublishError, match=r"somebody else changed the repository meanwhile \(HTTP 412: A commit has"):
        push(plan)
    assert owner.repos[REPO].head is theirs


def test_what_arrived_is_compared_with_what_was_sent(owner):
    def mix_up():
        repo = owner.repos[REPO]
        files = {**repo.head.files, "results.json": File(b"{}")}
        repo.commits[repo.head.id] = replace(repo.head, files=files)

    owner.faults.add("/revision/", before=mix_up)
    with pytest.raises(PublishError, match=r"does not hold what was uploaded: results\.json"):
        push(plan_push(NAME, REPO))


def test_a_public_repository_is_not_made_private_by_pushing(owner):
    push(plan_push(NAME, REPO))
    with pytest.raises(PublishError, match="exists and is public"):
        plan_push(NAME, REPO, private=True)


def test_without_the_hub_there_is_a_plan_but_no_push(owner, monkeypatch):
    owner.faults.add("/api/models/", times=None, status=503)
    plan = plan_push(NAME, REPO)
    assert "HTTP 503" in plan.unseen
    with pytest.raises(PublishError, match="server is in trouble"):
        push(plan)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    assert "no connection (ConnectError" in plan_push(NAME, REPO).unseen
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(PublishError, match="Offline, as HF_HUB_OFFLINE says"):
        push(plan_push(NAME, REPO))
    assert owner.repos == {}
