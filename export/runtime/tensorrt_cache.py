"""TensorRT engines, built ahead, kept per user, and found again by everything they depend on."""

import ctypes
import hashlib
import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from export.errors import ExportError, OnnxFileError, ProviderError
from export.runtime.engine import engine_in_file
from export.runtime.profile import Profile, ProfiledSession, feeds_of
from export.runtime.providers import CPU, CUDA, TENSORRT
from export.runtime.session import Session, open_session, run_session
from export.versions import version_of
from zoo.errors import OutputError
from zoo.files import sha256_of, write_json
from zoo.native import private_folder
from zoo.scratch import scratch_folder

_RECORD = "engine.json"
_WHEELS = ("tensorrt", "tensorrt-cu13", "tensorrt-cu12")
_LIBRARIES = ("libnvinfer.so", "libnvinfer.so.11", "libnvinfer.so.10", "nvinfer_10.dll")
log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class EngineKey:
    """All that an engine depends on.

    Args:
        file_sha256: of the ONNX file.
        gpu: name of the device.
        capability: its compute capability, such as "9.0".
        tensorrt: version of TensorRT.
        onnxruntime: version of ONNX Runtime.
        precision: what the file computes in.
        profile: the batches it is built for.
    """

    file_sha256: str
    gpu: str
    capability: str
    tensorrt: str
    onnxruntime: str
    precision: str
    profile: Profile

    @property
    def name(self) -> str:
        """The folder's name: the same for equal keys only."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:32]


@dataclass(frozen=True, kw_only=True)
class WarmResult:
    """Result of `warm`.

    Args:
        folder: where the engine is.
        built: False if it was there already.
        seconds: that it took.
        key: what the engine fits.
    """

    folder: Path
    built: bool
    seconds: float
    key: EngineKey

    def to_dict(self) -> dict[str, Any]:
        """Everything, ready for JSON."""
        return asdict(self) | {"folder": str(self.folder)}


def warm(
    file: str | Path,
    *,
    profile: Profile | None = None,
    device: int = 0,
    on_build: Callable[[str], None] = log.warning,
) -> WarmResult:
    """Build the TensorRT engine of a file ahead, so that the first session does not take minutes.

    An engine appears in the cache whole or not at all; two processes that build the same one do not disturb each other.

    Args:
        file: an ONNX file of the target `gpu_tensorrt`.
        profile: the batches to build for; None means `Profile()`.
        device: number of the GPU.
        on_build: called with one line before a build starts.

    Raises:
        OnnxFileError: the file is missing, damaged, or for another target.
        ProviderError: there is no such GPU, or TensorRT does not start.
        OutputError: the cache cannot be written.
    """
    path, chosen, start = Path(file), profile or Profile(), time.perf_counter()
    key = engine_key(path, chosen, device)
    folder = engine_folder(key)
    if (folder / _RECORD).is_file():
        return WarmResult(folder=folder, built=False, seconds=time.perf_counter() - start, key=key)
    on_build(f"Building a TensorRT {key.tensorrt} engine of {path.name} for {key.gpu}, {chosen}; this takes minutes.")
    _build(path, key, folder, device)
    return WarmResult(folder=folder, built=True, seconds=time.perf_counter() - start, key=key)


def open_tensorrt(
    file: str | Path, *, profile: Profile | None = None, device: int = 0, threads: int | None = None
) -> ProfiledSession:
    """A session on the engine of a file, built first if it is not there; batches outside the profile are refused.

    Raises:
        As `warm`.
    """
    found = warm(file, profile=profile, device=device)
    session = _open(Path(file), found.key, found.folder, device, threads)
    return ProfiledSession(session, found.key.profile)


def engine_key(file: Path, profile: Profile, device: int) -> EngineKey:
    """Build the key of everything that an engine of `file` on this machine depends on.

    Raises:
        OnnxFileError: the file is missing or for another target.
        ProviderError: there is no such GPU.
    """
    engine = engine_in_file(file)
    if engine is None or TENSORRT not in dict(engine.providers):
        raise OnnxFileError(f"{file} is missing, or not for TensorRT. Run: zoo export MODEL --target gpu_tensorrt.")
    name, capability = _gpu(device)
    return EngineKey(
        file_sha256=sha256_of(file),
        gpu=name,
        capability=capability,
        tensorrt=tensorrt_version(),
        onnxruntime=onnxruntime.__version__,
        precision=engine.precision,
        profile=profile,
    )


def engine_folder(key: EngineKey) -> Path:
    """Return the folder of a key's engine: inside `tensorrt` in the cache of this package.

    Raises:
        OutputError: the cache cannot be written.
    """
    try:
        return private_folder("tensorrt") / key.name
    except OSError as error:
        raise OutputError(f"No TensorRT engine can be kept: {error}. Set SALU_ZOO_CACHE.") from error


def tensorrt_options(key: EngineKey, folder: Path, inputs: Sequence[Any], device: int) -> dict[str, str]:
    """The provider's options.

    Args:
        key: what the engine is to fit.
        folder: where it is kept; the timings of kernels are kept beside it, for all engines.
        inputs: of the file, as `get_inputs` gives them.
        device: number of the GPU.
    """
    return {
        "device_id": str(device),
        "trt_fp16_enable": str(int(key.precision == "float16")),
        "trt_engine_cache_enable": "1",
        "trt_engine_cache_path": str(folder),
        "trt_timing_cache_enable": "1",
        "trt_timing_cache_path": str(folder.parent / "timing"),
    } | key.profile.options(inputs)


def tensorrt_version() -> str:
    """The version of TensorRT that will be loaded, from its wheel or its library; "not installed" without either."""
    found = [version for wheel in _WHEELS if (version := version_of(wheel)) != "not installed"]
    if found:
        return found[0]
    for name in _LIBRARIES:
        with suppress(OSError, AttributeError):
            return str(ctypes.CDLL(name).getInferLibVersion())
    return "not installed"


def _gpu(device: int) -> tuple[str, str]:
    import torch

    if not torch.cuda.is_available() or device >= torch.cuda.device_count():
        raise ProviderError(
            f"TensorRT was asked for on GPU {device}; PyTorch {torch.__version__} sees {torch.cuda.device_count()} "
            "CUDA devices. Build engines on the machine that will run them."
        )
    found = torch.cuda.get_device_properties(device)
    return found.name, f"{found.major}.{found.minor}"


def _open(file: Path, key: EngineKey, folder: Path, device: int, threads: int | None = None) -> Session:
    inputs = open_session(file, CPU, threads=1, optimize=False).get_inputs()
    cuda = {"device_id": str(device), "use_tf32": str(int(key.precision == "tf32"))}
    providers = [(TENSORRT, tensorrt_options(key, folder, inputs, device)), (CUDA, cuda), (CPU, {})]
    return open_session(file, providers, threads=threads)


def _build(file: Path, key: EngineKey, folder: Path, device: int) -> None:
    """Build in a folder of its own and put that in place when it is complete."""
    try:
        (folder.parent / "timing").mkdir(exist_ok=True)
        with scratch_folder(folder.parent, f".{folder.name}.part-") as work:
            session = _open(file, key, work, device)
            feeds: Mapping[str, NDArray[Any]] = feeds_of(
                session.get_inputs(), key.profile.usual, key.profile.usual_tokens
            )
            found = run_session(session, feeds)
            if not all(np.isfinite(value).all() for value in found):
                raise ExportError(f"The TensorRT engine of {file.name} gives NaN or infinity for a batch of zeros.")
            write_json(work / _RECORD, asdict(key))
            with suppress(OSError):  # another process was faster; its engine is as good
                work.replace(folder)
    except OSError as error:
        raise OutputError(f"No TensorRT engine can be kept in {folder.parent}: {error}. Set SALU_ZOO_CACHE.") from error
