"""A card to the Hub and back: what is planned and checked, what is there afterwards, and pushes that go wrong."""

import json

import pytest
from huggingface_hub import constants

from zoo.cards.card import write_card
from zoo.cards.readme import check_card, render_card
from zoo.errors import ConfigurationError, PublishError, UnknownNameError, WeightsMismatchError, WeightsNotFoundError
from zoo.files import write_json
from zoo.publishing.publish import plan_push, push
from zoo.weights.create import create_model
from zoo.weights.tag import read_tag

from .cases import NAME, REPO, RESULTS, TEXT_RESULTS, make_tag, make_text_tag
from .hub_server import STRANGER, lose, refuse
from .test_create import holds

WRITTEN = {"README.md", "config.json"}  # for the Hub; everything else goes as it is
STEPS = ["repos/create", "validate-yaml", "/preupload/", "objects/batch", "PUT /storage/", "/commit/main"]


# huggingface_hub's own, in the threads that upload.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")


def note(folder, text: str) -> None:
    """Change results.json and README.md of a card, and draw nothing."""
    write_json(folder / "results.json", {**read_tag(folder).results, "notes": [text]})
    (folder / "README.md").write_text(render_card(folder))


def writes(hub) -> list[str]:
    return [asked for asked in hub.seen if not asked.startswith(("GET", "HEAD"))]


def held(hub) -> set[str]:
    """The card's files in the repository, as anybody sees them."""
    return set(hub.repos[REPO].files) - {".gitattributes"} if REPO in hub.repos else set()


def test_a_plan_changes_nothing_and_says_everything(hub, measured):
    plan = plan_push(NAME, REPO, revision_tag="v1.0")
    assert [file.name for file in plan.files] == sorted(path.name for path in measured.iterdir())
    weights = next(file for file in plan.files if file.name == "model.safetensors")
    size = (measured / "model.safetensors").stat().st_size
    assert (weights.sha256, weights.size_bytes) == (read_tag(measured).sha256, size)
    assert {file.state for file in plan.files} == {"new"}
    assert (plan.message, plan.endpoint, plan.is_done) == (f"Publish {NAME}", hub.url, False)
    assert hub.repos == {}
    assert writes(hub) == []
    assert json.loads(json.dumps(plan.to_dict()))["exists"] is False


def test_there_and_back(owner, measured, state):
    done = push(plan_push(NAME, REPO, revision_tag="v1.0", message="First"))
    repo = owner.repos[REPO]
    assert repo.titles == ["initial commit", "First"]
    assert (repo.private, repo.refs, done.created) == (False, {"main": done.commit, "v1.0": done.commit}, True)
    here = {path.name: path.read_bytes() for path in measured.iterdir()}
    assert set(done.uploaded) == set(here) == held(owner)
    assert all(repo.files[name] == here[name] for name in set(here) - WRITTEN)
    config, before = (json.loads(text) for text in (repo.files["config.json"], here["config.json"]))
    assert config == {**before, "salu_zoo": {**before["salu_zoo"], "repo": REPO}}
    readme = repo.files["README.md"].decode()
    assert f'zoo.create_model("hf-hub:{REPO}", pretrained=True)' in readme
    assert f"zoo evaluate hf-hub:{REPO} --dataset" in readme
    assert "model_cards" not in readme
    assert done.load == f"hf-hub:{REPO}@v1.0"
    assert holds(create_model(done.load, pretrained=True), state)


def test_a_text_card_there_and_back(owner, text_card, tmp_path):
    state, source = create_model(text_card).state_dict(), tmp_path / "tokenizer"
    write_card(text_card, state, make_text_tag(), TEXT_RESULTS, tokenizer=source, force=True)
    done = push(plan_push(text_card, REPO, private=True))
    assert owner.repos[REPO].private
    assert holds(create_model(done.load), state)


def test_only_what_changed_is_uploaded_and_nothing_twice(owner, measured):
    first = push(plan_push(NAME, REPO, revision_tag="v1.0"))
    before = len(writes(owner))
    plan = plan_push(NAME, REPO, revision_tag="v1.0")
    again = push(plan)
    assert (plan.is_done, again.commit, again.uploaded, again.created) == (True, first.commit, (), False)
    assert len(writes(owner)) == before
    note(measured, "Another note.")
    plan = plan_push(NAME, REPO)
    assert {file.name for file in plan.changes} == {"README.md", "results.json"}
    push(plan)
    assert not any("/storage/" in asked for asked in writes(owner)[before:])
    assert b"Another note." in owner.repos[REPO].files["README.md"]


def test_files_that_are_not_of_the_card_stay_unless_said(owner, measured):
    push(plan_push(NAME, REPO))
    repo = owner.repos[REPO]
    repo.commit({**repo.files, "old.bin": b"old"})
    plan = plan_push(NAME, REPO)
    assert (plan.extra, plan.is_done) == (("old.bin",), True)
    push(plan)
    assert "old.bin" in repo.files
    done = push(plan_push(NAME, REPO, delete_extra=True))
    assert done.deleted == ("old.bin",)
    assert set(repo.files) == {file.name for file in plan.files} | {".gitattributes"}


def test_a_pinned_card_is_found_by_an_installed_copy(owner, measured, state):
    done = push(plan_push(NAME, REPO), pin=True)
    tag = read_tag(measured)
    assert (tag.repo, tag.revision, done.pinned) == (REPO, done.commit, str(measured / "config.json"))
    check_card(measured)
    assert plan_push(NAME, REPO).is_done
    (measured / "model.safetensors").unlink()  # as an installed copy has it
    assert holds(create_model(NAME, pretrained=True), state)


def test_hidden_files_and_folders_stay_here(owner, measured):
    (measured / ".env").write_text("HF_TOKEN=secret")
    (measured / "runs").mkdir()
    plan = plan_push(NAME, REPO)
    assert plan.left_out == (".env", "runs/")
    push(plan)
    assert held(owner) == {file.name for file in plan.files}
    assert not any(b"secret" in content for content in owner.repos[REPO].files.values())


def test_a_card_that_is_not_fit_is_refused(hub, measured, state, cards):
    write_card(cards / "tiny_t.bare", state, make_tag(tag="bare"))
    with pytest.raises(PublishError, match=r"no measured results.*zoo evaluate"):
        plan_push("tiny_t.bare", REPO)
    (measured / "old.pth").write_bytes(b"")
    with pytest.raises(PublishError, match=r"old\.pth is a pickle"):
        plan_push(NAME, REPO)
    (measured / "old.pth").unlink()
    readme = (measured / "README.md").read_text()
    for text in (readme + "\nBest of all.\n", readme.replace("license: mit", "license: [mit"), "---\n- a\n---\n"):
        (measured / "README.md").write_text(text)
        with pytest.raises(WeightsMismatchError, match=r"README\.md.*rendered, not edited"):
            plan_push(NAME, REPO)
    (measured / "README.md").write_text(readme)
    weights = (measured / "model.safetensors").read_bytes()
    (measured / "model.safetensors").write_bytes(weights[:-1] + b"\x7f")
    with pytest.raises(WeightsMismatchError, match="not the file its card pins"):
        plan_push(NAME, REPO)
    (measured / "model.safetensors").unlink()
    with pytest.raises(PublishError, match=r"lacks model\.safetensors.*not the whole card"):
        plan_push(NAME, REPO)
    assert hub.seen == []


@pytest.mark.parametrize(
    ("card", "options", "error", "wanted"),
    [
        ("tiny_t.nothing", {}, WeightsNotFoundError, "tiny_t.nothing"),
        ("./nowhere", {}, WeightsNotFoundError, "nowhere"),
        ("tiny_tt.pets", {}, UnknownNameError, "Nearest"),
        ("hf-hub:org/pets", {}, ConfigurationError, "on the Hub already"),
        *((NAME, {"repo": repo}, ConfigurationError, "--repo") for repo in ("pets", "org/pets/x", "org/", "org/a b")),
        *(
            (NAME, {"revision_tag": tag}, ConfigurationError, "--revision-tag")
            for tag in ("main", "", "v 1", "a..b", "0123456", "-v", "a@b")
        ),
    ],
)
def test_a_bad_name(hub, card, options, error, wanted):
    with pytest.raises(error, match=wanted):
        plan_push(card, **{"repo": REPO, **options})


@pytest.mark.parametrize(
    ("token", "wanted"),
    [
        (None, r"needs a token with write access.*hf auth login.*HF_TOKEN"),
        ("hf_expired", r"does not accept the token \(HTTP 401: Invalid credentials"),
        (STRANGER, r'Cannot create org/pets on .*HTTP 403: You.*namespace "org".*member of that.*Nothing was publ'),
    ],
)
def test_a_token_that_does_not_open(hub, measured, monkeypatch, token, wanted):
    if token:
        monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(PublishError, match=wanted):
        push(plan_push(NAME, REPO))
    assert (hub.repos, hub.storage) == ({}, {})


@pytest.mark.parametrize(("step", "failure"), [*((step, refuse(500)) for step in STEPS), (STEPS[4], lose)])
def test_a_failure_at_any_step_publishes_nothing_and_the_next_push_does(owner, measured, step, failure):
    owner.fail(step, failure)
    wanted = r"Cannot (create|upload to) org/pets on .*(not today|connection broke).*(Nothing was|whole or not at all)"
    with pytest.raises(PublishError, match=wanted):
        push(plan_push(NAME, REPO))
    assert held(owner) == set()
    owner.failures.clear()
    push(plan_push(NAME, REPO))
    assert "model.safetensors" in held(owner)


def test_a_commit_whose_answer_is_lost_is_found_by_the_next_push(owner, measured):
    owner.fail("/commit/", lose, times=1)
    with pytest.raises(PublishError, match=r"the connection broke.*push again, and what is there already is left"):
        push(plan_push(NAME, REPO))
    assert push(plan_push(NAME, REPO, revision_tag="v1.0")).uploaded == ()
    assert len(owner.repos[REPO].commits) == 2


def test_a_tag_that_fails_is_made_by_the_next_push_and_never_moved(owner, measured):
    owner.fail("/tag/", refuse(500), times=1)
    with pytest.raises(PublishError, match=r"tag .* as v1\.0.*HTTP 500.*files are published; only the tag is missing"):
        push(plan_push(NAME, REPO, revision_tag="v1.0"))
    done = push(plan_push(NAME, REPO, revision_tag="v1.0"))
    assert (done.uploaded, owner.repos[REPO].refs["v1.0"]) == ((), done.commit)
    note(measured, "Newer.")
    with pytest.raises(PublishError, match=rf"v1.0 of {REPO} is commit {done.commit} already.*Take another tag"):
        plan_push(NAME, REPO, revision_tag="v1.0")


def test_somebody_else_pushed_since_the_plan(owner, measured):
    push(plan_push(NAME, REPO))
    note(measured, "Mine.")
    plan, repo = plan_push(NAME, REPO), owner.repos[REPO]
    theirs = repo.commit({**repo.files, "results.json": b"{}"})
    with pytest.raises(PublishError, match=r"somebody else changed the repository meanwhile \(HTTP 412: A commit has"):
        push(plan)
    assert repo.refs["main"] == theirs


def test_a_repository_that_is_public_or_holds_another_model(owner, measured, cards, state):
    push(plan_push(NAME, REPO))
    with pytest.raises(PublishError, match="exists and is public"):
        plan_push(NAME, REPO, private=True)
    write_card(cards / "tiny_t.birds", state, make_tag(tag="birds"), {"evaluations": RESULTS["evaluations"]})
    with pytest.raises(PublishError, match=rf"{REPO} holds {NAME}, which tiny_t\.birds would replace"):
        plan_push("tiny_t.birds", REPO)
    owner.repos[REPO].commit({"config.json": b'{"model_type": "bert"}'})
    with pytest.raises(PublishError, match="holds another kind of model"):
        plan_push(NAME, REPO)


def test_without_the_hub_there_is_no_plan(owner, measured, monkeypatch):
    owner.fail("/api/models/", refuse(503))
    with pytest.raises(PublishError, match=r"Cannot look at org/pets.*server is in trouble.*fit to be published"):
        plan_push(NAME, REPO)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(PublishError, match=r"no connection \(ConnectError"):
        plan_push(NAME, REPO)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(PublishError, match="offline, as HF_HUB_OFFLINE says"):
        plan_push(NAME, REPO)
