"""`zoo push` on the command line: a plan first, then the deed, in words and as JSON."""

import json

import pytest

from zoo.weights.tag import read_tag

from .cases import NAME, REPO

pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")


def test_the_command_plans_and_then_does(owner, measured, run_zoo):
    arguments = ("push", NAME, "--repo", REPO, "--revision-tag", "v1.0")
    code, out, err = run_zoo(*arguments, "--private")
    assert code == 0, err
    planned = ("to be made, private", "Tag: v1.0", "Dry run, nothing was changed. To upload ", "--execute")
    for part in (read_tag(measured).sha256[:12], "new", *planned):
        assert part in out
    assert owner.repos == {}
    code, out, err = run_zoo(*arguments, "--private", "--execute")
    assert (code, err) == (0, "")
    assert f'Load it: zoo.create_model("hf-hub:{REPO}@v1.0", pretrained=True)' in out
    assert "To make the tag v2.0, add --execute" in run_zoo(*arguments[:-1], "v2.0")[1]
    assert "nothing was uploaded" in run_zoo(*arguments, "--execute")[1]
    report = json.loads(run_zoo(*arguments[:4], "--execute", "--json")[1])
    assert report["executed"] is True
    assert (report["done"]["commit"], report["done"]["uploaded"]) == (owner.repos[REPO].refs["main"], [])
    assert {row["state"] for row in report["plan"]["files"]} == {"same"}


def test_the_command_without_a_token(hub, measured, run_zoo):
    code, out, _ = run_zoo("push", NAME, "--repo", REPO)
    assert code == 0
    assert "There is no token yet: log in with `hf auth login`, or set HF_TOKEN" in out
    code, _, err = run_zoo("push", NAME, "--repo", REPO, "--execute")
    assert code == 1
    assert "needs a token with write access; there is none. First log in with `hf auth login`" in err
    assert all(asked.startswith("GET") for asked in hub.seen)
