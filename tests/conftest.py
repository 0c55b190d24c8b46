"""What every test may use, and folders of the tests' own: the cache of the datasets library, and the user's cards."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
_FOLDER, _BEFORE = pytest.StashKey[Path](), pytest.StashKey[dict[str, str | None]]()


def pytest_configure(config: pytest.Config) -> None:
    """Neither the user's cache nor cards nor a terminal's width: set before imports, for processes as well."""
    folder = Path(tempfile.mkdtemp(prefix="salu_zoo_datasets_"))
    config.stash[_FOLDER] = folder
    own = {"HF_DATASETS_CACHE": str(folder), "XDG_DATA_HOME": str(folder / "data"), "SALU_ZOO_HOME": None}
    config.stash[_BEFORE] = _put({**own, "COLUMNS": None})


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove the cache, and put the variables back as they were."""
    shutil.rmtree(config.stash[_FOLDER], ignore_errors=True)
    _put(config.stash[_BEFORE])


def _put(variables: Mapping[str, str | None]) -> dict[str, str | None]:
    """Set each variable of the environment, or remove it for None; returns what they were."""
    before = {name: os.environ.get(name) for name in variables}
    for name, value in variables.items():
        os.environ.pop(name, None) if value is None else os.environ.update({name: value})
    return before


@pytest.fixture
def run_zoo(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[object, str, str]]:
    """Run `zoo` in this process; returns exit status, stdout and stderr."""
    from zoo import cli

    def call(*arguments: object) -> tuple[object, str, str]:
        with pytest.raises(SystemExit) as left:
            cli.main([str(value) for value in arguments])
        return left.value.code, *capsys.readouterr()

    return call


@pytest.fixture(params=[pytest.param("float64", marks=pytest.mark.slow), "bfloat16", "meta"])
def set_defaults(request: pytest.FixtureRequest) -> Iterator[Callable[[], None]]:
    """Set another default number type or device for all of PyTorch, as a user may; put back after the test."""
    import torch

    def call() -> None:
        if request.param == "meta":
            torch.set_default_device("meta")
        else:
            torch.set_default_dtype(getattr(torch, request.param))

    yield call
    torch.set_default_dtype(torch.float32)
    torch.set_default_device(None)


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


@pytest.fixture(scope="session")
def compiler():
    """The C++ compiler; skips the test where there is none."""
    from export.native.compile_operators import operator_sources
    from zoo.errors import NativeError
    from zoo.native import find_compiler

    try:
        return find_compiler(operator_sources())
    except NativeError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def compiled_cache(compiler, tmp_path_factory) -> Path:
    """A cache with the compiled operators, one for all processes of the tests."""
    from filelock import FileLock

    from export.native import library

    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "compiled"
    with pytest.MonkeyPatch.context() as patch, FileLock(f"{folder}.lock"):
        patch.setenv("SALU_ZOO_CACHE", str(folder))
        library()
    return folder
