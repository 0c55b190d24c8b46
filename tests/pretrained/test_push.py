"""A card to the Hub and back: what is planned, what is checked, and what is there afterwards."""

import json

import pytest

from zoo.errors import ConfigurationError, PublishError, UnknownNameError, WeightsMismatchError, WeightsNotFoundError
from zoo.pretrained import check_card, create_model, read_tag, write_card
from zoo.pretrained.publish import plan_push, push

from .cases import NAME, TEXT_RESULTS, make_tag, make_text_tag
from .hub_server import OWNER, HubServer
from .hub_server_client import REPO, UPLOADS, assert_sound, go_online, note
from .hub_server_repos import File
from .test_create import holds

WRITTEN = {"README.md", "config.json"}  # for the Hub; everything else goes as it is


pytestmark = UPLOADS


def writes(hub) -> list[str]:
    return [f"{seen.method} {seen.path}" for seen in hub.seen if seen.method not in ("GET", "HEAD")]


def test_a_plan_changes_nothing_and_says_everything(hub, measured):
    plan = plan_push(NAME, REPO, revision_tag="v1.0")
    assert [file.name for file in plan.files] == sorted(path.name for path in measured.iterdir())
    weights = next(file for file in plan.files if file.name == "model.safetensors")
    assert (weights.sha256, weights.size) == (
        read_tag(measured).sha256, (measured / "model.safetensors").stat().st_size,
    )  # fmt: skip
    assert {"sample.png", "model.safetensors"} <= {file.name for file in plan.files if plan.is_large(file)}
    assert not any(plan.is_large(file) for file in plan.files if file.name.endswith((".json", ".md")))
    assert {plan.state(file) for file in plan.files} == {"new"}
    assert (plan.message, plan.endpoint, plan.is_done) == (f"Publish {NAME}", hub.url, False)
    assert hub.repos == {}
    assert writes(hub) == []
    assert json.loads(json.dumps(plan.to_dict()))["exists"] is False


def test_there_and_back(owner, measured, state, hub_cache):
    done = push(plan_push(NAME, REPO, revision_tag="v1.0", message="First"))
    repo = owner.repos[REPO]
    assert [commit.title for commit in repo.commits.values()] == ["initial commit", "First"]
    assert (repo.private, repo.tags, done.commit) == (False, {"v1.0": done.commit}, repo.head.id)
    here = {path.name: path.read_bytes() for path in measured.iterdir()}
    assert set(done.uploaded) == set(here)
    assert set(repo.head.files) == {*here, ".gitattributes"}
    assert all(repo.head.files[name].content == here[name] for name in set(here) - WRITTEN)
    config, before = (json.loads(text) for text in (repo.head.files["config.json"].content, here["config.json"]))
    assert config == {**before, "salu_zoo": {**before["salu_zoo"], "repo": REPO}}
    readme = repo.head.files["README.md"].content.decode()
    assert f'zoo.create_model("hf-hub:{REPO}", pretrained=True)' in readme
    assert f"zoo evaluate hf-hub:{REPO} --dataset" in readme
    assert "model_cards" not in readme
    assert done.load == f"hf-hub:{REPO}@v1.0"
    assert holds(create_model(done.load, pretrained=True), state)
    assert_sound(hub_cache)


def test_a_text_card_there_and_back(owner, cards, text_card, tmp_path):
    state, source = create_model(text_card).state_dict(), tmp_path / "tokenizer"
    write_card(text_card, state, make_text_tag(), TEXT_RESULTS, tokenizer=source, force=True)
    done = push(plan_push(text_card, REPO, private=True))
    assert owner.repos[REPO].private
    assert holds(create_model(done.load), state)


def test_again_with_nothing_changed_uploads_nothing(owner, measured):
    first = push(plan_push(NAME, REPO, revision_tag="v1.0"))
    before = len(writes(owner))
    plan = plan_push(NAME, REPO, revision_tag="v1.0")
    assert plan.is_done
    again = push(plan)
    assert (again.commit, again.uploaded, again.created) == (first.commit, (), False)
    assert len(writes(owner)) == before


def test_only_what_changed_is_uploaded(owner, measured):
    push(plan_push(NAME, REPO))
    note(measured, "Another note.")
    before = len(owner.seen)
    plan = plan_push(NAME, REPO)
    assert {file.name for file in plan.changes} == {"README.md", "results.json"}
    push(plan)
    assert [seen for seen in owner.seen[before:] if "/storage/" in seen.path] == []
    assert b"Another note." in owner.repos[REPO].head.files["README.md"].content


def test_large_files_go_in_parts_where_the_hub_says_so(measured, state, hub_cache, monkeypatch, tmp_path):
    with HubServer(part_size=1000) as hub:
        go_online(monkeypatch, hub.url, tmp_path)
        monkeypatch.setenv("HF_TOKEN", OWNER)
        done = push(plan_push(NAME, REPO))
        assert len(hub.asked(r"/storage/\w+/\d+$", "PUT")) > 5
        assert holds(create_model(done.load), state)


def test_files_that_are_not_of_the_card_stay_unless_said(owner, measured):
    push(plan_push(NAME, REPO))
    repo = owner.repos[REPO]
    repo.commit({**repo.head.files, "old.bin": File(b"old")}, "by hand")
    plan = plan_push(NAME, REPO)
    assert (plan.extra, plan.is_done) == (("old.bin",), True)
    push(plan)
    assert "old.bin" in repo.head.files
    done = push(plan_push(NAME, REPO, delete_extra=True))
    assert done.deleted == ("old.bin",)
    assert set(repo.head.files) == {file.name for file in plan.files} | {".gitattributes"}


def test_a_pinned_card_is_found_by_an_installed_copy(owner, measured, state):
    done = push(plan_push(NAME, REPO), pin=True)
    tag = read_tag(measured)
    assert (tag.repo, tag.revision, done.pinned) == (REPO, done.commit, measured / "config.json")
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
    assert set(owner.repos[REPO].head.files) == {file.name for file in plan.files} | {".gitattributes"}
    assert not any(b"secret" in file.content for file in owner.repos[REPO].head.files.values())


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
        with pytest.raises((WeightsMismatchError, PublishError), match=r"README\.md"):
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


def test_a_card_that_is_not_there(hub):
    for card, error in (("tiny_t.nothing", WeightsNotFoundError), ("./nowhere", WeightsNotFoundError)):
        with pytest.raises(error):
            plan_push(card, REPO)
    with pytest.raises(UnknownNameError, match="Nearest"):
        plan_push("tiny_tt.pets", REPO)


@pytest.mark.parametrize("repo", ["pets", "org/pets/more", "org/", "org/a b", "-x/y"])
def test_a_bad_repository_name(hub, measured, repo):
    with pytest.raises(ConfigurationError, match="--repo"):
        plan_push(NAME, repo)


@pytest.mark.parametrize("tag", ["main", "", "v 1", "a..b", "0123456", "-v", "a@b"])
def test_a_bad_tag(hub, measured, tag):
    with pytest.raises(ConfigurationError, match="--revision-tag"):
        plan_push(NAME, REPO, revision_tag=tag)
