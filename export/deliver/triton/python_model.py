"""The program of Triton's Python backend: it opens model.onnx, which lies beside it, with the salu-zoo installed there.

Triton takes the packages of the `python3` that it finds first in PATH.
"""

try:
    from export.runtime.served_model import ServedModel as TritonPythonModel
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f"{error}: this model runs by salu-zoo in the Python that Triton starts. Install it there (pip install "
        "salu-zoo), or put the bin folder of an environment that has it first in the server's PATH."
    ) from error

__all__ = ["TritonPythonModel"]
