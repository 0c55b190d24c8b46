"""Several processes and one cache: two at once, and one after another was killed in the middle."""

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from zoo.data.preprocess import Preprocess
from zoo.pretrained import PretrainedTag

from .hub_server import HubServer, Seen
from .hub_server_repos import File, Repo

SCRIPT = Path(__file__).with_name("hub_processes.py")
CONTENT = random.Random(0).randbytes(1_000_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL, which this system lacks")


@pytest.fixture(scope="module")
def outcome(tmp_path_factory, repository) -> tuple[dict, list[Seen]]:
    """What the script reports, and what the server was asked for the large file."""
    pixels = Preprocess((3, 32, 32), "bicubic", 1.0, "center", (0.5,) * 3, (0.5,) * 3)
    tag = PretrainedTag("some_model", "pets", 3, pixels, sha256=SHA256)
    with HubServer() as hub:
        repo = hub.repos["org/pets"] = Repo("org/pets")
        files = {"config.json": File(json.dumps(tag.to_dict()).encode()), "model.safetensors": File(CONTENT, True)}
        repo.commit(files, "publish")
        hub.large[SHA256] = CONTENT
        hub.faults.add(SHA256, times=3, piece=50_000, pause_s=0.05)
        kept = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
        place = tmp_path_factory.mktemp("processes")
        environment = {"HF_ENDPOINT": hub.url, "HF_HOME": str(place / "home"), "HF_HUB_OFFLINE": "0", "HF_TOKEN": ""}
        environment |= {"HF_HUB_DISABLE_XET": "1", "PYTHONPATH": str(repository)}
        done = subprocess.run(
            [sys.executable, str(SCRIPT), str(place), "hf-hub:org/pets"],
            env=kept | environment, capture_output=True, text=True, timeout=180, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout), hub.asked(SHA256, "GET")


def test_two_processes_at_once_share_one_download(outcome):
    report, asked = outcome
    assert report["at_once"]["codes"] == [0, 0]
    assert report["at_once"]["reports"] == [SHA256, SHA256]
    assert len(report["at_once"]["cache"]) == 2  # config.json and the weights
    assert SHA256 in report["at_once"]["cache"]
    assert [(seen.range, seen.sent) for seen in asked[:1]] == [(None, len(CONTENT))]


def test_what_a_killed_process_left_is_gone_on_with(outcome):
    report, asked = outcome
    killed = report["killed"]
    assert killed["codes"] == [-signal.SIGKILL, 0]
    assert killed["reports"] == [SHA256]
    assert len(killed["cache"]) == 2, "something is left of the broken download"
    assert len(asked) == 3
    left = killed["left"]
    assert 0 < left < len(CONTENT)
    assert (asked[2].range, asked[2].status, asked[2].sent) == (f"bytes={left}-", 206, len(CONTENT) - left)
    assert asked[1].sent < len(CONTENT)
