"""Memory of a process, and fresh processes to measure it in: what ran before leaves traces in a process."""

import os
import re
import subprocess
import sys
from pathlib import Path

from zoo.errors import ConfigurationError

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def resident_bytes() -> int:
    """Resident memory of this process.

    Raises:
        ConfigurationError: the system does not tell; Linux does.
    """
    return _status("VmRSS")


def peak_resident_bytes() -> int:
    """Largest resident memory of this process since it started or since `reset_peak`."""
    if sys.platform == "linux":  # getrusage would count what the parent held before exec
        return _status("VmHWM")
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def reset_peak() -> None:
    """Let `peak_resident_bytes` begin anew.

    Raises:
        ConfigurationError: the system does not allow it; Linux does.
    """
    try:
        _CLEAR.write_text("5")
    except OSError as error:
        raise ConfigurationError(
            f"Cannot reset the peak of resident memory ({_CLEAR}: {error.strerror or error}). Measure on Linux, or on "
            "a GPU with --device cuda."
        ) from error


def run_fresh(*arguments: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run this Python on `arguments`, with this process's import path; the caller looks at the exit status."""
    path = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, env=os.environ | path | (environment or {})
    )


def last_line(text: str) -> str:
    """Return the last line of a failed process: of a traceback, the error."""
    return (text.strip().splitlines() or ["no message"])[-1]


def _status(field: str) -> int:
    try:
        found = re.search(rf"{field}:\s+(\d+) kB", _STATUS.read_text("utf-8"))
    except OSError:
        found = None
    if found is None:
        raise ConfigurationError(
            f"Cannot read {field} from {_STATUS}, which Linux has. Measure there, or on a GPU with --device cuda."
        )
    return 1024 * int(found[1])
