"""Commands in a process of their own that uses another copy of the source than this checkout."""

import json
import os
import subprocess
import sys
from pathlib import Path

RUN = """
import contextlib, io, json, sys
import zoo
from zoo import cli
told = [zoo.__file__]
for command in json.loads(sys.argv[1]):
    stream = io.StringIO()
    with contextlib.redirect_stdout(stream):
        try:
            exec(command) if isinstance(command, str) else cli.main(command)
        except SystemExit as left:
            stream.write(f"exit {left.code}" if left.code else "")
    told.append(stream.getvalue())
print(json.dumps(told))
"""


def run_copy(source: Path, here: Path, commands: tuple[list[str] | str, ...], **variables: str) -> list[str]:
    """What each command line, or piece of Python, prints in `here`, offline; a failed one ends with "exit" and why."""
    given = {**os.environ, "PYTHONPATH": str(source), "HF_HUB_OFFLINE": "1", "XDG_DATA_HOME": "", **variables}
    program = [sys.executable, "-c", RUN, json.dumps(commands)]
    done = subprocess.run(program, cwd=here, env=given, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr + done.stdout
    where, *told = json.loads(done.stdout)
    assert where == str(source / "zoo" / "__init__.py")
    return told
