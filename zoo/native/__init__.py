"""C++ that is compiled on first use by the user's compiler, and kept for this user and machine.

found = library(Sources(...))
ctypes.CDLL(str(found.path))
"""

from zoo.native.cache import NativeCacheWarning, NativeLibrary, cache_folder, library
from zoo.native.compiler import Compiler, find_compiler, processor, run_compiler
from zoo.native.sources import Sources

__all__ = [
    "Compiler",
    "NativeCacheWarning",
    "NativeLibrary",
    "Sources",
    "cache_folder",
    "find_compiler",
    "library",
    "processor",
    "run_compiler",
]
