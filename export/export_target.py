"""Definition of an export target."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class ExportTarget:
    """Place where an exported file will run, and what the file may therefore contain.

    Args:
        name: what the user types.
        opset: version of the standard ONNX operator set.
        ir_version: version of the ONNX file format.
        precisions: what it can compute in, each with its rows in `export.parity.tolerances`; the first unless asked.
        description: one line for the help of `zoo export --target`.
        oldest_runtime: the oldest ONNX Runtime that loads the file, named in the plan.
        own_operators: whether SALU and its gates stay operators of ours, which the runtime must have; see
            `export.native`.
        runtime: what runs the file: "onnxruntime" or "openvino".
        elsewhere: where files run that no runtime of this package reaches, in words; ONNX Runtime stands in for it.
        baseline: the target for which a network without our operators is exported to be compared with; "" for itself.
        providers: for ONNX Runtime, its execution providers in order of preference; see `export.runtime.engine`.
    """

    name: str
    opset: int
    ir_version: int
    description: str
    oldest_runtime: str
    precisions: tuple[str, ...] = ("float32",)
    own_operators: bool = False
    runtime: str = "onnxruntime"
    elsewhere: str = ""
    baseline: str = ""
    providers: tuple[str, ...] = ("CPUExecutionProvider",)

    def file_name(self, model: str, precision: str) -> str:
        """What a file is called unless the user says so; no two targets or precisions share a name."""
        usual = precision == self.precisions[0]
        return f"{model}.{self.name}.onnx" if usual else f"{model}.{self.name}.{precision}.onnx"

    @property
    def place(self) -> str:
        """Place where the nodes are computed: "OpenVINO", "CUDA", which also takes what TensorRT leaves, or "CPU"."""
        if self.runtime == "openvino":
            return "OpenVINO"
        return "CUDA" if "CUDAExecutionProvider" in self.providers else "CPU"
