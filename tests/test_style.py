"""The linters are tests: what they refuse does not pass."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

TOOLS = {
    "ruff check": ["ruff", "check"],
    "ruff format": ["ruff", "format", "--check", "--diff"],
    "mypy": ["mypy"],
}
# Paths that exist on one machine only. What comes before must not be part of a longer path or an address.
MACHINE_PATH = re.compile(r"(?<![\w.~$}-])/(work|root|tmp|home/\w+|Users/\w+)/")
BINARY = {".parquet", ".png", ".webp", ".safetensors", ".onnx"}


@pytest.mark.parametrize("tool", TOOLS)
def test_tool_has_nothing_to_say(tool: str, repository: Path) -> None:
    done = subprocess.run([sys.executable, "-m", *TOOLS[tool]], cwd=repository, capture_output=True, text=True)
    assert done.returncode == 0, f"{tool} says:\n{done.stdout[-6000:]}{done.stderr[-2000:]}"


def test_no_file_names_a_place_on_one_machine(repository: Path) -> None:
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(listing, cwd=repository, capture_output=True, text=True)
    if done.returncode:
        pytest.skip("this copy of the source is no git checkout")
    paths = [repository / name for name in done.stdout.splitlines()]
    texts = {path: path.read_text("utf-8") for path in paths if path.is_file() and path.suffix not in BINARY}
    assert texts
    found = [
        f"{path.relative_to(repository)}:{number}: {line.strip()}"
        for path, text in texts.items()
        for number, line in enumerate(text.splitlines(), 1)
        if MACHINE_PATH.search(line)
    ]
    assert not found, "\n".join(found)
