"""C++ that is compiled on first use by the user's compiler, and kept for this user and machine.

found = library(Sources(...))
ctypes.CDLL(str(found.path))
"""

from zoo.native.cache import NativeLibrary, compiled_here, library
from zoo.native.compiler import Compiler, find_compiler, processor, run_compiler
from zoo.native.private_folder import NativeCacheWarning, cache_folder, private_folder
from zoo.native.sources import Sources

__all__ = [
    "Compiler",
    "NativeCacheWarning",
    "NativeLibrary",
    "Sources",
    "cache_folder",
    "compiled_here",
    "find_compiler",
    "library",
    "private_folder",
    "processor",
    "run_compiler",
]
