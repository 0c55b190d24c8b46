"""Engines for the targets on this machine: the one a target names or, for a check, what stands in for it."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import onnx
import onnxruntime
from google.protobuf.message import DecodeError
from onnx import TensorProto, helper

from export.digest import check_unchanged
from export.errors import ProviderError
from export.export_target import ExportTarget
from export.layouts.arranged_file import program
from export.layouts.means import shown
from export.metadata import PREFIX
from export.runtime import openvino_session
from export.runtime.providers import CPU, CUDA, TENSORRT
from export.runtime.session import Session, open_session
from export.targets import TARGETS
from export.versions import runtime_distributions

Chosen = list[tuple[str, dict[str, str]]]


@dataclass(frozen=True, kw_only=True)
class Engine:
    """A runtime and the arithmetic it is to use.

    Args:
        target: what the file is for.
        precision: what it computes in.
        not_run: why the place the target names is not used; empty if it is. Then ONNX Runtime's CPU provider stands
            in for it, with values rounded as they would be there.
        providers: of ONNX Runtime; empty for OpenVINO.
    """

    target: ExportTarget
    precision: str
    not_run: str = ""
    providers: tuple[tuple[str, dict[str, str]], ...] = ()

    @property
    def name(self) -> str:
        """The runtime and its version."""
        if not self.providers:
            return f"OpenVINO {openvino_session.version()}"
        return f"ONNX Runtime {onnxruntime.__version__}"

    def open(
        self,
        model: str | Path | bytes,
        *,
        threads: int | None = None,
        spin: bool = True,
        optimize: bool = True,
        arranged: bool = True,
    ) -> Session:
        """A session on a file; the arguments are those of `open_session`, OpenVINO takes the number of threads only.

        Raises:
            ProviderError: what the target names does not start.
            OnnxFileError: the file does not load, or was changed since it was exported.
        """
        if not self.providers:
            return openvino_session.OpenVinoSession(model, precision=self.precision, threads=threads)
        if self.not_run and self.precision in ROUNDED:
            from export.passes.simulate import simulated  # with onnx_ir, for checks only

            check_unchanged(model)
            content = model if isinstance(model, bytes) else Path(model).read_bytes()
            model = simulated(content, self.precision)
        return open_session(
            model, list(self.providers), threads=threads, spin=spin, optimize=optimize, arranged=arranged
        )

    @property
    def repeats(self) -> bool:
        """True if two sessions give the same bits: on a GPU kernels are chosen by their times at each start."""
        return not {CUDA, TENSORRT} & set(dict(self.providers))

    def open_shown(self, model: bytes, names: list[str], threads: int | None, arranged: bool) -> Session:
        """A session on the program that a file becomes here, with inner values of it as further outputs.

        On ONNX Runtime's CPU provider the file is optimised or arranged first, so that the outputs change nothing; any
        other runtime gets the file with the outputs in it.

        Raises:
            As `open`.
        """
        on_cpu = [name for name, _ in self.providers] == [CPU]
        made = shown(program(model, arranged) if on_cpu else model, names)
        return self.open(made, threads=threads, spin=False, optimize=not on_cpu)


ROUNDED = ("tf32", "float16", "bfloat16")
"""Precisions that ONNX Runtime's CPU provider does not compute in by itself: it keeps float32 between operators."""


def engine_of(target: ExportTarget, precision: str) -> Engine:
    """Return the engine that runs files for a target, whether it starts here or not."""
    if target.runtime == "openvino":
        return Engine(target=target, precision=precision)
    return Engine(target=target, precision=precision, providers=tuple(_with_options(target.providers, precision)))


def engine_here(target: ExportTarget, precision: str) -> Engine:
    """Choose an engine for a target on this machine: `engine_of` if it starts, else the CPU in its place.

    Raises:
        ProviderError: nothing here can stand in for it: OpenVINO decides itself which values it keeps in bfloat16. Or
            two builds of ONNX Runtime are installed in each other's place.
    """
    if target.runtime == "openvino" and not openvino_session.installed():
        if precision != "float32":
            raise ProviderError(
                f"OpenVINO is not installed, and nothing else computes its {precision}. "
                f"Run: {openvino_session.INSTALL}, or export in float32."
            )
        reason = "not run in OpenVINO: not installed"
    elif target.elsewhere:
        reason = f"not run {target.elsewhere}"
    elif target.runtime == "onnxruntime" and (missing := _not_starting(target.providers)):
        reason = f"not run on {_PLACES.get(missing, missing)}: no such provider or device here"
    else:
        return engine_of(target, precision)
    return Engine(target=target, precision=precision, not_run=f"{reason}; simulated on the CPU", providers=((CPU, {}),))


def engine_in_file(path: str | Path) -> Engine | None:
    """Return the engine of a file by the target and precision in its metadata; None if they are missing or unknown."""
    try:
        props = {p.key: p.value for p in onnx.load(path, load_external_data=False).metadata_props}
    except (OSError, DecodeError):
        return None  # whoever opens it says what is wrong with it
    name, precision = props.get(f"{PREFIX}target"), props.get(f"{PREFIX}precision", "float32")
    if name is None or name not in TARGETS or precision not in TARGETS.get(name).precisions:
        return None
    return engine_of(TARGETS.get(name), precision)


_PLACES = {CUDA: "CUDA", TENSORRT: "TensorRT"}


def _with_options(providers: tuple[str, ...], precision: str) -> Chosen:
    """The options a precision needs; float32 is strict."""
    tf32 = str(int(precision == "tf32"))
    options = {CUDA: {"use_tf32": tf32}, TENSORRT: {"trt_fp16_enable": str(int(precision == "float16"))}}
    return [(name, options.get(name, {})) for name in providers]


@cache
def _not_starting(providers: tuple[str, ...]) -> str:
    """The first of the providers that does not start here with a graph of one node; empty if all do."""
    for name in providers:
        if name != CPU:
            try:
                open_session(_one_node(), [name, CPU])
            except ProviderError:
                if len(runtime_distributions()) > 1:
                    raise  # two wheels in each other's place are to be mended, not simulated
                return name
    return ""


def _one_node() -> bytes:
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "one", ends[:1], ends[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    return bytes(model.SerializeToString())
