"""Resident memory of a process, and processes to measure it in."""

import sys

import pytest
from fresh_memory import fresh_memory

from zoo import memory
from zoo.errors import ConfigurationError
from zoo.memory import last_line, peak_resident_bytes, reset_peak, resident_bytes, run_fresh

MIB = 2**20
linux = pytest.mark.skipif(sys.platform != "linux", reason="resident memory is read from /proc")


@linux
def test_the_peak_goes_up_and_can_be_reset():
    reset_peak()
    before = resident_bytes()
    assert 10 * MIB < before <= peak_resident_bytes() < before + 8 * MIB
    with fresh_memory(64 * MIB):
        assert resident_bytes() >= before + 60 * MIB
    assert resident_bytes() < before + 8 * MIB
    assert peak_resident_bytes() >= before + 60 * MIB
    reset_peak()
    assert peak_resident_bytes() < before + 8 * MIB


def test_a_system_that_does_not_tell_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "_STATUS", tmp_path / "status")
    monkeypatch.setattr(memory, "_CLEAR", tmp_path / "none" / "clear")
    with pytest.raises(ConfigurationError, match=r"Cannot read VmRSS from .*status"):
        resident_bytes()
    (tmp_path / "status").write_text("Name: python\n")
    with pytest.raises(ConfigurationError, match="Cannot read VmRSS"):
        resident_bytes()
    with pytest.raises(ConfigurationError, match="Cannot reset the peak of resident memory"):
        reset_peak()


def test_a_fresh_process_imports_what_this_one_does_and_gets_the_environment(tmp_path, monkeypatch):
    (tmp_path / "only_here.py").write_text("VALUE = 7")
    monkeypatch.syspath_prepend(tmp_path)
    code = "import only_here, os, sys; print(only_here.VALUE, os.environ['GIVEN'], sys.argv[1])"
    done = run_fresh("-c", code, "word", environment={"GIVEN": "x"})
    assert (done.returncode, done.stdout) == (0, "7 x word\n")


def test_what_a_failed_process_said_last():
    done = run_fresh("-c", "raise ValueError('too large')")
    assert done.returncode == 1
    assert last_line(done.stderr) == "ValueError: too large"
    assert last_line(" \n") == "no message"
