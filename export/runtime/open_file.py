"""Opening an exported file with the engine it is for."""

from pathlib import Path

from export.errors import ProviderError
from export.runtime.engine import Engine, engine_here, engine_in_file
from export.runtime.providers import CPU, CUDA, TENSORRT
from export.runtime.session import Session, open_session
from export.runtime.tensorrt_cache import open_tensorrt


def open_here(path: str | Path, *, threads: int | None = None, spin: bool = True) -> Session:
    """A session in what can run a file on this machine, as `engine_here` says; on the CPU if the file says nothing.

    Raises:
        As `Engine.open`.
    """
    named = engine_in_file(path)
    if named is None:
        return open_session(path, threads=threads, spin=spin)
    return engine_here(named.target, named.precision).open(path, threads=threads, spin=spin)


def open_for_target(path: str | Path, device: str | None = None, threads: int | None = None) -> Session:
    """A session in the runtime that a file's target names.

    Args:
        path: the file.
        device: "cpu" or "cuda:0"; None leaves it to the target.
        threads: see `open_session`.

    Raises:
        ProviderError: that runtime is not here, or not for that device.
        OnnxFileError: the file does not load.
    """
    engine = engine_in_file(path)
    kind, _, index = (device or "").partition(":")
    if engine is not None and not engine.providers:
        if kind == "cuda":
            raise ProviderError(f"{path} is for OpenVINO, which runs it on the CPU, not on {device}. Use --device cpu.")
        return engine.open(path, threads=threads)
    if kind == "cpu":
        _refuse_bfloat16(path, engine)
        return open_session(path, CPU, threads=threads)
    named = list(engine.providers) if engine is not None else [(CPU, {})]
    if TENSORRT in dict(named):
        return open_tensorrt(path, device=int(index or 0), threads=threads)
    wanted = named if not kind or CUDA in dict(named) else [(CUDA, {})]
    numbered = [(name, options | ({"device_id": index} if index and name != CPU else {})) for name, options in wanted]
    return open_session(path, numbered, threads=threads)


def _refuse_bfloat16(path: str | Path, engine: Engine | None) -> None:
    if engine is not None and engine.precision == "bfloat16":
        raise ProviderError(
            f"{path} computes in bfloat16, for which ONNX Runtime's CPU provider has no convolutions. Run it on a GPU, "
            "or export in float32."
        )
