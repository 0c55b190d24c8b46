"""Peak memory of a process that opens a file and runs it."""

from pathlib import Path

from export.errors import ExportError
from zoo.memory import last_line, run_fresh

_SCRIPT = """
import sys
from export.bench.bench_feeds import random_feeds
from export.runtime.engine import engine_in_file
from export.runtime.session import run_session
from zoo.memory import peak_resident_bytes
session = engine_in_file(sys.argv[1]).open(sys.argv[1], threads=int(sys.argv[2]), spin=False)
feeds = random_feeds(session, int(sys.argv[3]))
for _ in range(3):
    run_session(session, feeds)
print(peak_resident_bytes())
"""


def peak_memory(file: Path, threads: int, tokens: int) -> int:
    """Largest resident memory in bytes of a fresh process that opens `file` and runs it three times at batch size 1.

    Python, numpy and the runtime are included.

    Raises:
        ExportError: the process failed.
    """
    done = run_fresh("-c", _SCRIPT, str(file), str(threads), str(tokens))
    if done.returncode != 0:
        raise ExportError(f"Measuring the memory of {file.name} failed: {last_line(done.stderr)}")
    return int(done.stdout)
