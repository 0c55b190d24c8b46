"""Libraries that the installed package brought: taken first, compared with the record, and never replaced by others."""

import json
import shutil

import pytest

import export.native as native_module
from export.deliver.deliveries import Deliveries
from export.native import instruction_set, library, library_for, own_library
from export.native.compile_operators import operator_sources
from zoo.errors import ConfigurationError, NativeError
from zoo.native import PLATFORMS, platforms, prebuilt, this_platform
from zoo.native.platforms import suffices

OTHER = "macos-arm64"


@pytest.fixture
def brought(native, tmp_path, monkeypatch):
    """Let the installation have brought the tests' library, here and for another platform; change its record."""
    here = this_platform()
    if here is None:
        pytest.skip(f"no wheel is for this machine; there are {', '.join(PLATFORMS)}")
    folder = tmp_path / "libraries"
    entries = {}
    for platform in (here, PLATFORMS[OTHER]):
        file = f"{platform.name}/{native.path.name}"
        (folder / platform.name).mkdir(parents=True)
        shutil.copy(native.path, folder / file)
        made = operator_sources(platform.machine)
        entries[file] = {
            **{"instructions": "", "sha256": native.sha256, "source_sha256": made.made_from()},
            **{"version": made.version, "compiler": "c++ 1.0"},
        }
    monkeypatch.setattr(prebuilt, "FOLDER", folder)
    monkeypatch.setenv("SALU_ZOO_CACHE", str(tmp_path / "empty"))
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))

    def record(**changes: object):
        entries[f"{here.name}/{native.path.name}"] |= changes
        (folder / "libraries.json").write_text(json.dumps({"wheel": here.wheel, "libraries": entries}), "utf-8")
        prebuilt._brought.cache_clear()
        native_module._library.cache_clear()
        return folder / here.name / native.path.name

    yield record
    native_module._library.cache_clear()


def test_it_is_taken_where_nothing_can_be_compiled(brought, native, tmp_path):
    path = brought()
    assert library().path == path
    assert instruction_set(library()) == instruction_set(native)
    assert own_library(native.sha256) == path
    assert own_library("0" * 64) is None
    assert not (tmp_path / "empty").exists()


def test_it_may_be_writable_for_the_group_as_packages_are(brought):
    path = brought()
    path.parent.chmod(0o775)
    path.chmod(0o664)
    assert library().load()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"version": 99}, r"is version 99, .*this release has version \d+, .*Install salu-zoo again"),
        ({"source_sha256": "f" * 64}, r"made from sources ffffffffffff\.\.\.; this release .*Install salu-zoo again"),
        ({"sha256": "0" * 64}, r"not the file of this release: its sha256 is not 000000000000.*Install salu-zoo again"),
        ({"sha256": None}, "libraries.json is damaged"),
    ],
)
def test_one_of_another_release_or_digest_is_refused(brought, changes, message):
    brought(**changes)
    with pytest.raises(NativeError, match=message):
        library()


@pytest.mark.parametrize("content", [None, b"", b"another program"])
def test_a_file_that_was_exchanged_is_not_loaded(brought, native, content):
    path = brought()
    found = library()
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(NativeError, match=r"was changed after it was found. Install salu-zoo again"):
        found.load()
    native_module._library.cache_clear()
    with pytest.raises(NativeError, match="is missing, or not the file of this release"):
        library()
    assert own_library(native.sha256) is None


@pytest.mark.parametrize("text", ["", "[]", "{", '{"libraries": {"a": 7}}', '{"libraries": {"a": {}}}'])
def test_a_damaged_record_is_an_error(brought, text):
    path = brought()
    (path.parents[1] / "libraries.json").write_text(text, "utf-8")
    prebuilt._brought.cache_clear()
    with pytest.raises(NativeError, match=r"libraries\.json is damaged.*Install salu-zoo again"):
        library()


def test_no_library_for_this_machine_and_no_compiler(brought, monkeypatch):
    brought()
    monkeypatch.setattr(platforms, "libc_here", lambda: "glibc 2.17")
    monkeypatch.setattr(platforms.platform, "system", lambda: "Linux")
    monkeypatch.setattr(platforms, "processor", lambda: "riscv64")
    with pytest.raises(NativeError, match=r"no C\+\+ compiler was found .*bring it ready to load for linux-x86-64, "):
        library()


def test_a_checkout_says_which_wheel_would_do(native, tmp_path, monkeypatch):
    monkeypatch.setenv("SALU_ZOO_CACHE", str(tmp_path / "empty"))
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    native_module._library.cache_clear()
    here = this_platform()
    if here is None:
        pytest.skip("no wheel is for this machine")
    with pytest.raises(NativeError, match=rf"The wheel of salu-zoo for {here.name} .*brings it ready to load"):
        library()


def test_for_other_platforms(brought, native):
    brought()
    assert library_for(PLATFORMS[OTHER]).sha256 == native.sha256
    missing = "linux-musl-x86-64" if this_platform().name != "linux-musl-x86-64" else "linux-aarch64"
    with pytest.raises(NativeError, match=f"for {missing} are wanted.*It brought them for .*{OTHER}.*make wheels"):
        library_for(PLATFORMS[missing])


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"platforms": ("amiga",)}, ConfigurationError, "--for amiga: no such platform. There are linux-x86-64, "),
        ({"bundle": None}, ConfigurationError, "give both"),
        ({"target": "portable"}, ConfigurationError, "a file for portable does not have: .*Leave out --for"),
        ({"platforms": (OTHER,)}, NativeError, "installation has none. It is none of a wheel for a platform. Install"),
    ],
)
def test_platforms_of_a_bundle_are_checked_before_the_work(native, tmp_path, given, error, message):
    asked = {"bundle": tmp_path / "bundle", "platforms": ("linux-aarch64",), "target": "edge_cpu"} | given
    with pytest.raises(error, match=message):
        Deliveries(**asked).check()
    assert not (tmp_path / "bundle").exists()


@pytest.mark.parametrize(
    ("found", "wanted", "does"),
    [
        *(("glibc 2.36", "glibc 2.28", True), ("glibc 2.28", "glibc 2.28", True), ("glibc 2.9", "glibc 2.28", False)),
        *(("musl", "glibc 2.28", False), ("glibc 2.36", "musl", False), ("musl", "musl", True), ("", "musl", False)),
        *(("", "", True), ("glibc 2.36", "", True)),
    ],
)
def test_which_c_library_will_do(found, wanted, does):
    assert suffices(found, wanted) is does


def test_names_of_platforms_are_their_keys():
    assert [name for name, platform in PLATFORMS.items() if platform.name != name] == []
