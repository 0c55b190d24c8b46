"""What every test may use, and a cache of the datasets library of the tests' own."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
_CACHE = pytest.StashKey[tuple[Path, str | None]]()


def pytest_configure(config: pytest.Config) -> None:
    """Never the user's cache: set before anything imports the library, so that started processes have it as well."""
    config.stash[_CACHE] = Path(tempfile.mkdtemp(prefix="salu_zoo_datasets_")), os.environ.get("HF_DATASETS_CACHE")
    os.environ["HF_DATASETS_CACHE"] = str(config.stash[_CACHE][0])


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove the cache, and put the variable back as it was."""
    folder, before = config.stash[_CACHE]
    shutil.rmtree(folder, ignore_errors=True)
    os.environ.pop("HF_DATASETS_CACHE") if before is None else os.environ.update(HF_DATASETS_CACHE=before)


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
