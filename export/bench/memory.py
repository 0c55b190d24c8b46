"""What a process needs that opens a file and runs it."""

import os
import subprocess
import sys
from pathlib import Path

from export.errors import ExportError

_SCRIPT = """
import re, resource, sys
from export.bench.feeds import random_feeds
from export.runtime.engine import engine_in_file
from export.runtime.session import run_session
session = engine_in_file(sys.argv[1]).open(sys.argv[1], threads=int(sys.argv[2]), spin=False)
feeds = random_feeds(session, int(sys.argv[3]))
for _ in range(3):
    run_session(session, feeds)
if sys.platform == "linux":  # getrusage would count what the parent held before exec
    with open("/proc/self/status") as status:
        print(1024 * int(re.search(r"VmHWM:\\s+(\\d+) kB", status.read())[1]))
else:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def peak_memory(file: Path, threads: int, tokens: int) -> int:
    """Largest resident memory in bytes of a fresh process that opens `file` and runs it three times at batch size 1.

    Python, numpy and the runtime are included.

    Raises:
        ExportError: the process failed.
    """
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, str(file), str(threads), str(tokens)],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise ExportError(f"Measuring the memory of {file.name} failed: {last}")
    return int(done.stdout)
