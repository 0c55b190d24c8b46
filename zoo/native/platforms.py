"""The kinds of machines that libraries are built for ahead of time."""

import platform
import sysconfig
from dataclasses import dataclass

from zoo.native.sources import processor


@dataclass(frozen=True)
class Platform:
    """A kind of machine.

    Args:
        name: how people call it.
        system: as `platform.system` calls it.
        machine: its processor, as `processor` calls it.
        libc: "glibc" with the oldest version that will do, "musl", or "" where the system has one only.
        wheel: the platform tag of wheels for it.
        triple: how clang and zig call it.
    """

    name: str
    system: str
    machine: str
    libc: str
    wheel: str
    triple: str


PLATFORMS = {
    found.name: found
    for found in (
        Platform("linux-x86-64", "Linux", "x86_64", "glibc 2.28", "manylinux_2_28_x86_64", "x86_64-linux-gnu.2.28"),
        Platform("linux-musl-x86-64", "Linux", "x86_64", "musl", "musllinux_1_2_x86_64", "x86_64-linux-musl"),
        Platform("linux-aarch64", "Linux", "aarch64", "glibc 2.28", "manylinux_2_28_aarch64", "aarch64-linux-gnu.2.28"),
        Platform("macos-arm64", "Darwin", "aarch64", "", "macosx_11_0_arm64", "aarch64-macos.11.0"),
        Platform("windows-x86-64", "Windows", "x86_64", "", "win_amd64", "x86_64-windows-gnu"),
    )
}


def this_platform() -> Platform | None:
    """The one that this machine is of, or None."""
    here, libc = (platform.system(), processor()), libc_here()
    return next((p for p in PLATFORMS.values() if (p.system, p.machine) == here and suffices(libc, p.libc)), None)


def libc_here() -> str:
    """The C library of this process: "glibc" with its version, "musl", or "" for another one."""
    kind, version = platform.libc_ver()
    musl = "musl" if "musl" in str(sysconfig.get_config_var("SOABI")) else ""
    return f"glibc {version}" if kind == "glibc" else musl


def suffices(found: str, wanted: str) -> bool:
    """True if a C library, as `libc_here` says it, is the one wanted, in that version or a newer one."""
    (kind, _, version), (wanted_kind, _, oldest) = found.partition(" "), wanted.partition(" ")
    return not wanted or (kind == wanted_kind and version_numbers(version) >= version_numbers(oldest))


def version_numbers(version: str) -> tuple[int, ...]:
    """The numbers of a version, by which versions compare: (2, 28) of "2.28"."""
    return tuple(int(part) for part in version.split(".") if part.isdigit())
