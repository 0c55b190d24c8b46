"""Sources of one compiled library."""

import hashlib
import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_ALIASES = {"amd64": "x86_64", "arm64": "aarch64"}


def processor() -> str:
    """This machine's kind of processor, as compilers call it."""
    machine = platform.machine().lower()
    return _ALIASES.get(machine, machine)


@dataclass(frozen=True)
class Sources:
    """The C++ sources of one library.

    Args:
        what: how messages call them, such as "The salu_zoo operators".
        instead: what a user can do without them, as messages say it: "use ...".
        folder: where they are; all files in it with a dot in their name count as sources.
        units: the files to compile, without ".cpp", each with its flags.
        file: name of the library.
        version: of what it does.
        link: further arguments of the linker.
    """

    what: str
    instead: str
    folder: Path
    units: Mapping[str, tuple[str, ...]]
    file: str
    version: int = 1
    link: tuple[str, ...] = ()

    def digest(self) -> "hashlib._Hash":
        """SHA-256 over names and content of the sources, to be read or carried on."""
        digest = hashlib.sha256()
        for file in sorted(self.folder.glob("*.*")):
            digest.update(f"{file.name}\0".encode() + file.read_bytes() + b"\0")
        return digest

    def made_from(self) -> str:
        """SHA-256 over the sources and their flags: what a library of them does, whoever compiles it."""
        digest = self.digest()
        digest.update(repr(dict(self.units)).encode())
        return digest.hexdigest()

    def key(self) -> str:
        """SHA-256 over the sources, their flags, the processor, the system and its C library."""
        digest = self.digest()
        platform_now = (processor(), sys.platform, platform.libc_ver())
        digest.update(repr((dict(self.units), self.link_flags(), platform_now)).encode())
        return digest.hexdigest()

    def link_flags(self, system: str = "") -> tuple[str, ...]:
        """Return the linker's arguments for a library that stays loaded: what runs may outlive what brought it.

        Args:
            system: as `platform.system` calls it; this machine's by default. On Windows a library stays by itself.
        """
        system = system or platform.system()
        if system == "Darwin":
            return ("-dynamiclib", *self.link)
        if system == "Windows":
            return ("-shared", "-s", *self.link)
        return ("-shared", "-s", "-Wl,-z,nodelete", "-Wl,-z,defs", "-Wl,--as-needed", *self.link)
