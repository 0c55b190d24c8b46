"""What every test may use."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout."""
    return ROOT


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """Real data beside the checkout, or where SALU_ZOO_SHARED points; skips the test when there is none."""
    folder = Path(os.environ.get("SALU_ZOO_SHARED", ROOT.parent / "shared"))
    if not (folder / "data").is_dir():
        pytest.skip(f"needs the real datasets: {folder / 'data'} is missing (set SALU_ZOO_SHARED)")
    return folder
