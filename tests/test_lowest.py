"""The lowest versions that pyproject.toml allows run the core of the quick tests."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

CORE = (
    "tests/test_cli.py",
    "tests/test_records.py",
    "tests/activations/test_values.py",
    "tests/activations/test_modules.py",
    "tests/models/test_build.py",
    "tests/data/test_preprocess.py",
    "tests/cards/test_load.py",
    "tests/evaluation/test_evaluate.py",
    "tests/export/test_export.py",
    "tests/export/test_predictor.py",
    "tests/export/test_session.py",
)


@pytest.fixture
def folder() -> Iterator[Path]:
    """Gone after the test: pytest would keep what is in its own."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


@pytest.mark.slow
@pytest.mark.hub
def test_the_lowest_versions_run_the_core(folder: Path, repository: Path) -> None:
    """uv, installed for the test, resolves them; about 8 GB are fetched and removed with the folder."""

    def run(*command: object, **environment: str) -> None:
        done = subprocess.run(
            [*map(str, command)], cwd=repository, env={**os.environ, **environment}, capture_output=True, text=True
        )
        assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]

    tools, lowest = folder / "tools", folder / "lowest"
    run(sys.executable, "-m", "venv", tools)
    run(tools / "bin" / "pip", "install", "uv")
    run(tools / "bin" / "uv", "venv", "--python", sys.executable, lowest)
    install = (tools / "bin" / "uv", "pip", "install", "--python", lowest / "bin" / "python")
    run(*install, "--resolution", "lowest-direct", "--editable", repository)
    run(*install, "pytest")
    # Releases of long ago warn of what is deprecated since: that is no fault of the versions.
    run(lowest / "bin" / "python", "-m", "pytest", "-q", "-o", "filterwarnings=default", *CORE, OMP_NUM_THREADS="1")
