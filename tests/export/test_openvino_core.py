"""OpenVINO beside what else runs in a process."""

import subprocess
import sys

import pytest

from export.runtime.openvino_session import installed

SIGNALS = """
import gc, signal, subprocess, sys
from pathlib import Path
from export.edge.engines import open_engine
from export.runtime.openvino_session import OpenVinoSession

signal.signal(signal.SIGCHLD, lambda *_: None)
engine = {"package": "openvino", "device": "CPU", "options": {}}
for start in (lambda: OpenVinoSession(sys.argv[1]), lambda: open_engine(Path(sys.argv[1]).read_bytes(), engine)):
    first, second = start(), start()
    del first
    gc.collect()
    del second
    gc.collect()
    subprocess.run([sys.executable, "-c", ""], check=True)
"""


@pytest.mark.skipif(not installed(), reason="the package openvino is not installed")
@pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")
def test_a_child_ends_behind_two_sessions(exported):
    """As a worker of a DataLoader does; two cores of OpenVINO's would leave the signal without a stack."""
    done = subprocess.run([sys.executable, "-c", SIGNALS, exported.path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
