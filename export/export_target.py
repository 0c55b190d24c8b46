"""Definition of an export target."""

from dataclasses import dataclass, replace

from zoo.errors import ConfigurationError

OPSETS = {
    17: (8, "1.15"), 18: (8, "1.15"), 19: (9, "1.16"), 20: (9, "1.17"), 21: (10, "1.18"), 22: (10, "1.21"),
    23: (11, "1.23"), 24: (12, "1.24"), 25: (13, "1.24"), 26: (13, "1.25"),
}  # fmt: skip
"""Operator sets that a file can be written in: the oldest IR version that has it, and the oldest ONNX Runtime that was
found to run such files (of 1.15 and newer)."""
USUAL_OPSET = 20
"""The one PyTorch's exporter writes without converting, and the first with Gelu."""
_LEAST = {"float16": 20, "bfloat16": 22}
"""Of a precision with fewer operator sets the first: before 22 ONNX's convolutions take no bfloat16."""


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
    description: str
    oldest_runtime: str
    opset: int = USUAL_OPSET
    ir_version: int = 10
    precisions: tuple[str, ...] = ("float32",)
    own_operators: bool = False
    runtime: str = "onnxruntime"
    elsewhere: str = ""
    baseline: str = ""
    providers: tuple[str, ...] = ("CPUExecutionProvider",)

    def file_name(self, model: str, precision: str) -> str:
        """What a file is called unless the user says so; no two targets, precisions or operator sets share a name."""
        computes = "" if precision == self.precisions[0] else f".{precision}"
        written = "" if self.opset == USUAL_OPSET else f".opset{self.opset}"
        return f"{model}.{self.name}{computes}{written}.onnx"

    def at_opset(self, opset: int, precision: str) -> "ExportTarget":
        """The same target for files of another operator set, in the oldest format that has it.

        Args:
            opset: its version, one of `OPSETS`.
            precision: what the file is to compute in.

        Raises:
            ConfigurationError: no file is written in it, or not in this precision.
        """
        possible = [version for version in OPSETS if version >= _LEAST.get(precision, 0)]
        if opset not in possible:
            raise ConfigurationError(
                f"opset {opset}: a file in {precision} is written in opset {possible[0]} to {possible[-1]}."
            )
        from zoo.native.platforms import version_numbers  # what it loads, no other command waits for

        ir_version, runtime = OPSETS[opset]
        # ONNX Runtime has what operators of ours need since 1.22.
        oldest = max(runtime, self.oldest_runtime, key=version_numbers) if self.own_operators else runtime
        return self if opset == self.opset else replace(self, opset=opset, ir_version=ir_version, oldest_runtime=oldest)

    @property
    def place(self) -> str:
        """Place where the nodes are computed: "OpenVINO", "CUDA", which also takes what TensorRT leaves, or "CPU"."""
        if self.runtime == "openvino":
            return "OpenVINO"
        return "CUDA" if "CUDAExecutionProvider" in self.providers else "CPU"
