"""C++ that a wheel brings compiled, or that the user's compiler compiles on first use, kept for this user and machine.

found = library(Sources(...))
ctypes.CDLL(str(found.path))
"""

from zoo.native.cache import compiled_here, library
from zoo.native.compiler import Compiler, find_compiler, processor, run_compiler
from zoo.native.native_library import NativeLibrary
from zoo.native.platforms import PLATFORMS, Platform, this_platform
from zoo.native.prebuilt import brought_here, brought_library, platforms_brought
from zoo.native.private_folder import NativeCacheWarning, cache_folder, private_folder
from zoo.native.sources import Sources

__all__ = [
    "PLATFORMS",
    "Compiler",
    "NativeCacheWarning",
    "NativeLibrary",
    "Platform",
    "Sources",
    "brought_here",
    "brought_library",
    "cache_folder",
    "compiled_here",
    "find_compiler",
    "library",
    "platforms_brought",
    "private_folder",
    "processor",
    "run_compiler",
    "this_platform",
]
