"""SALU, SWALU, GALU and the FleS gate as operators of ONNX Runtime, compiled on first use by the user's compiler.

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
from zoo.native import NativeCacheWarning, NativeLibrary, cache_folder, compiled_here
from zoo.native import library as compiled

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
    "own_library",
    "register",
]

_LOCK = threading.Lock()


def library() -> NativeLibrary:
    """The compiled library for this machine; the first call ever compiles it, which takes some seconds.

    Kept in the folder `native` of SALU_ZOO_CACHE, or of `salu-zoo` in the user's cache, by a hash of sources, flags,
    platform and compiler. A machine without a compiler uses what is kept there.

    Raises:
        NativeError: nothing is kept and there is no compiler, it refuses, or the cache cannot be written.
    """
    with _LOCK:
        return _library(cache_folder())


@lru_cache
def _library(cache: Path) -> NativeLibrary:
    return compiled(operator_sources())


def own_library(sha256: str) -> Path | None:
    """The library with this digest, if this installation compiled it at any time; None if it did not.

    Raises:
        NativeError: there is no home directory, so no cache.
    """
    return compiled_here(operator_sources().file, sha256)


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
