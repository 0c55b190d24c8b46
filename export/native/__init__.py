"""SALU, SWALU, GALU and the FleS gate as operators of ONNX Runtime: a wheel brings them, else they are compiled here.

    options = onnxruntime.SessionOptions()
    register(options)  # then open a session on a file with operators of the domain "salu_zoo"

The library picks AVX-512, AVX2, NEON or plain code when a session starts; SALU_ZOO_ISA (portable, avx2, avx512, neon)
overrides that. Results do not depend on the number of threads.
"""

import ctypes
import threading
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from export.native.compile_operators import operator_sources
from export.operators.operator_table import DOMAIN, OP_VERSION, OPERATORS, OperatorSpec
from zoo.errors import NativeError
from zoo.native.cache import compiled_here
from zoo.native.cache import library as brought_or_compiled
from zoo.native.native_library import NativeLibrary
from zoo.native.platforms import Platform, this_platform
from zoo.native.prebuilt import brought_here, brought_library, platforms_brought
from zoo.native.private_folder import NativeCacheWarning, cache_folder

if TYPE_CHECKING:
    import onnxruntime

__all__ = [
    "DOMAIN",
    "OPERATORS",
    "OP_VERSION",
    "NativeCacheWarning",
    "NativeLibrary",
    "OperatorSpec",
    "instruction_set",
    "library",
    "library_for",
    "own_library",
    "register",
]

_LOCK = threading.Lock()


def library() -> NativeLibrary:
    """The library for this machine: as the wheel brought it, else compiled by the first call ever, in some seconds.

    Raises:
        NativeError: see `zoo.native.library`.
    """
    with _LOCK:
        return _library(cache_folder())


@lru_cache
def _library(cache: Path) -> NativeLibrary:
    return brought_or_compiled(operator_sources())


def library_for(platform: Platform) -> NativeLibrary:
    """The library for another kind of machine, as the wheel brought it; for this kind also one compiled here.

    Raises:
        NativeError: the wheel brought none for it, or see `zoo.native.library`.
    """
    if platform == this_platform():
        return library()
    sources = operator_sources(platform.machine)
    found = brought_library(sources, platform)
    if found is None:
        brought = platforms_brought(sources.file)
        there = f"It brought them for {', '.join(brought)}" if brought else "It is none of a wheel for a platform"
        raise NativeError(
            f"{sources.what} for {platform.name} are wanted, and this installation has none. {there}. Install such a "
            "wheel of salu-zoo (`make wheels` builds them), or leave out --for and compile in the folder: sh "
            "operators/build.sh."
        )
    return found


def own_library(sha256: str) -> Path | None:
    """The library with this digest, if this installation brought it for this machine, or compiled it at any time.

    Raises:
        NativeError: there is no home directory, so no cache.
    """
    file = operator_sources().file
    return brought_here(file, sha256) or compiled_here(file, sha256)


def register(options: "onnxruntime.SessionOptions") -> NativeLibrary:
    """Make the operators known to the sessions opened with `options`.

    Returns:
        The library, whose hash belongs into reports.

    Raises:
        NativeError: see `library`; or the library does not load, ONNX Runtime is older than 1.18, or SALU_ZOO_ISA names
            a set of instructions this processor lacks.
    """
    found = library()
    found.load()  # where it does not load, that says more than ONNX Runtime
    try:
        options.register_custom_ops_library(str(found.path))
    except Exception as error:
        reason = " ".join(str(error).split())
        raise NativeError(f"ONNX Runtime does not take the salu_zoo operators from {found.path}: {reason}") from error
    return found


def instruction_set(of: NativeLibrary) -> str:
    """The instructions that the library would use now: "avx512", "avx2", "neon" or "portable".

    Raises:
        NativeError: the library does not load, or SALU_ZOO_ISA names what this processor lacks.
    """
    ask = of.load().salu_zoo_isa
    ask.restype = ctypes.c_char_p
    name = ask()
    if name is None:
        raise NativeError("SALU_ZOO_ISA names instructions this processor lacks, or none at all. Unset it.")
    return str(name.decode())
