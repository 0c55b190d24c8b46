"""The cache of compiled libraries: used only while nobody else could have put anything into it."""

import os
import shutil
import sys

import pytest

from zoo.errors import NativeError
from zoo.native import NativeCacheWarning, NativeLibrary, Sources, cache, compiled_here, library, private_folder

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="nothing is compiled on Windows")


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SALU_ZOO_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def sources(tmp_path, monkeypatch, compiler):
    """A library whose compilation writes a few bytes."""
    monkeypatch.setattr(cache, "compile_library", lambda sources, compiler, output: output.write_bytes(b"compiled"))
    (tmp_path / "cpp").mkdir()
    return Sources("The test's sources", "use none", tmp_path / "cpp", {"a": ()}, "liba.so")


def foreign(folder):
    if os.getuid():
        pytest.skip("only root gives a folder to somebody else")
    os.chown(folder, 12345, -1)


def linked(folder):
    folder.rename(folder.with_name("elsewhere"))
    folder.symlink_to("elsewhere")


OPENED = {
    "for all": lambda folder: folder.chmod(0o777),
    "for all, sticky": lambda folder: folder.chmod(0o1777),
    "for the group": lambda folder: folder.chmod(0o770),
    "somebody else's": foreign,
    "a link": linked,
}


@pytest.mark.parametrize("opened", OPENED)
def test_a_cache_that_others_can_write_to(own_cache, sources, opened):
    """What lies there is not loaded, though its record and its digest are right; the process gets its own."""
    planted = library(sources)
    assert compiled_here("liba.so", planted.sha256) == planted.path
    OPENED[opened](own_cache / "native")
    with pytest.warns(NativeCacheWarning, match="is not this user's alone .* set SALU_ZOO_CACHE"):
        found = library(sources)
    assert not found.path.resolve().is_relative_to(own_cache.resolve())
    assert found.path.parent.parent.stat().st_mode & 0o777 == 0o700
    assert found.sha256 == planted.sha256
    with pytest.warns(NativeCacheWarning):
        assert compiled_here("liba.so", planted.sha256) == found.path
    shutil.rmtree(found.path.parent)


@pytest.mark.parametrize("mode", [0o755, 0o700, 0o750])
def test_a_cache_that_others_can_read_is_closed(own_cache, mode):
    for name in ("native", "blocked"):
        private_folder(name).chmod(mode)
        assert private_folder(name) == own_cache / name
        assert (own_cache / name).stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("part", ["library", "folder", "link"])
def test_a_library_that_others_can_write_to(own_cache, sources, part):
    found = library(sources)
    if part == "link":
        found.path.rename(own_cache / "elsewhere")
        found.path.symlink_to(own_cache / "elsewhere")
    else:
        (found.path if part == "library" else found.path.parent).chmod(0o777)
    assert compiled_here("liba.so", found.sha256) is None
    with pytest.raises(NativeError, match="was changed after it was found"):
        found.load()
    with pytest.warns(NativeCacheWarning, match="is damaged"):
        assert library(sources) == found
    assert compiled_here("liba.so", found.sha256) == found.path


@pytest.mark.parametrize("change", ["other bytes", "gone"])
def test_a_library_that_changes_after_it_was_found(own_cache, sources, change):
    found = library(sources)
    found.path.write_bytes(b"other") if change == "other bytes" else found.path.unlink()
    with pytest.raises(NativeError, match="was changed after it was found"):
        found.load()


def test_what_is_checked_is_loaded(own_cache, sources):
    found: NativeLibrary = library(sources)
    with pytest.raises(NativeError, match="does not load"):  # it is no library, and was handed to the loader
        found.load()
