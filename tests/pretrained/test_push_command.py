"""`zoo push` on the command line: a plan first, then the deed, in words and as JSON."""

import json
from types import SimpleNamespace

import pytest

from zoo.pretrained import read_tag

from .cases import NAME
from .hub_server_client import REPO, UPLOADS

pytestmark = UPLOADS


@pytest.fixture
def run(run_zoo):
    """Run `zoo push` in this process; returns exit status, stdout and stderr."""

    def call(*arguments: object) -> SimpleNamespace:
        code, out, err = run_zoo("push", *arguments)
        return SimpleNamespace(code=code, out=out, err=err)

    return call


def test_the_command_plans_and_then_does(owner, measured, run):
    dry = run(NAME, "--repo", REPO, "--revision-tag", "v1.0", "--private")
    assert dry.code == 0, dry.err
    for part in (
        read_tag(measured).sha256[:12],
        "LFS",
        "to be made, private",
        "Tag: v1.0",
        "Dry run, nothing was changed. To upload ",
        "--execute",
    ):
        assert part in dry.out
    assert owner.repos == {}
    done = run(NAME, "--repo", REPO, "--revision-tag", "v1.0", "--private", "--execute")
    assert done.code == 0, done.err
    assert f'Load it: zoo.create_model("hf-hub:{REPO}@v1.0", pretrained=True)' in done.out
    assert done.err == ""
    tagged = run(NAME, "--repo", REPO, "--revision-tag", "v2.0")
    assert "To make the tag v2.0, add --execute" in tagged.out
    again = run(NAME, "--repo", REPO, "--revision-tag", "v1.0", "--execute")
    assert "nothing was uploaded" in again.out
    report = json.loads(run(NAME, "--repo", REPO, "--execute", "--json").out)
    assert report["executed"] is True
    assert (report["done"]["commit"], report["done"]["uploaded"]) == (owner.repos[REPO].head.id, [])
    assert {row["state"] for row in report["plan"]["files"]} == {"same"}


def test_the_command_without_a_token(hub, measured, run):
    dry = run(NAME, "--repo", REPO)
    assert dry.code == 0
    assert "There is no token yet: log in with `hf auth login`, or set HF_TOKEN" in dry.out
    done = run(NAME, "--repo", REPO, "--execute")
    assert done.code == 1
    assert "needs a token with write access, and there is none. First log in with `hf auth login`" in done.err
    assert {seen.method for seen in hub.seen} == {"GET"}
