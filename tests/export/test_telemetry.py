"""No library of ours tells anybody that it is used."""

import os
import subprocess
import sys

import pytest
from tiny_model import tiny

from export import export
from export.runtime import openvino_session

# Every way out is closed and counted; Python's audit events see those of libraries in Python too.
RUN = """
import sys

asked = []
def watch(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "os.fork"):
        asked.append((event, arguments[-2:]))
        raise OSError("no way out")
sys.addaudithook(watch)

import time
from export import load_predictor
import torch

predictor = load_predictor(sys.argv[1], threads=1)
assert "OpenVINO" in predictor.session.get_providers()[0]
predictor(torch.zeros(2, *predictor.input_size))
time.sleep(1)  # OpenVINO sends from a thread, which forks a process
assert "openvino" in sys.modules
assert "openvino_telemetry" not in sys.modules
assert not asked, asked
"""


def test_openvino_is_used_without_its_telemetry(spec, tmp_path):
    if not openvino_session.installed():
        pytest.skip("needs openvino")
    file = export(tiny(), tmp_path / "tiny.onnx", target="openvino", input_spec=spec, threads=1).path
    home = tmp_path / "home"  # where it keeps a number for this user
    home.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", RUN, f"{file}"],
        env={**os.environ, "HOME": f"{home}", "CI": ""},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert not (home / "intel").exists()
