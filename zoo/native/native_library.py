"""A library of ours on disk, loaded only while it is what it was when its digest was written down."""

import ctypes
import os
from dataclasses import dataclass
from pathlib import Path

from zoo.errors import NativeError
from zoo.files import sha256_of
from zoo.regular import is_own


@dataclass(frozen=True)
class NativeLibrary:
    """A compiled library.

    Attributes:
        path: the shared library.
        sha256: of that file.
        source_sha256: of the C++ sources and their flags; of one compiled here, also of the platform.
        version: that of its `Sources`.
        compiler: the first line of the compiler's `--version`.
        brought: it came with the installed package, which is trusted as that is; else it lies in a cache, and nobody
            else may be able to write there.
    """

    path: Path
    sha256: str
    source_sha256: str
    version: int
    compiler: str
    brought: bool = False

    def intact(self) -> bool:
        """True if the file has its digest and, in a cache, nobody else can write to it or its folder."""
        try:
            closed = self.brought or (is_own(self.path.parent) and is_own(self.path))
            return closed and sha256_of(self.path) == self.sha256
        except OSError:
            return False

    def load(self) -> ctypes.CDLL:
        """Load it into this process.

        Raises:
            NativeError: it does not load, or is no longer what was built.
        """
        todo = "Install salu-zoo again" if self.brought else "Remove its folder; it is built again"
        if not self.intact():
            raise NativeError(f"{self.path} was changed after it was found. {todo}.")
        try:
            return ctypes.CDLL(str(self.path))
        except OSError as error:
            if self.path.exists() and _noexec(self.path):
                elsewhere = "install salu-zoo on one" if self.brought else "set SALU_ZOO_CACHE to a folder"
                todo = f"Its file system is mounted noexec: {elsewhere} that programs may run from"
            raise NativeError(f"{self.path} does not load: {error}. {todo}.") from error


def _noexec(path: Path) -> bool:
    return hasattr(os, "statvfs") and bool(os.statvfs(path).f_flag & getattr(os, "ST_NOEXEC", 0))
