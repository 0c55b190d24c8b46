"""The shortest program that runs this folder's model with ONNX Runtime:  python client.py IMAGE"""

import sys
from pathlib import Path

import onnxruntime

from export.edge.folder import Folder

PROVIDERS: list[tuple[str, dict[str, str]]] = [("CPUExecutionProvider", {})]


def main() -> None:
    """Open the model on exactly these providers, run one input, print the best classes."""
    folder = Folder.read(Path(__file__).resolve().parent)
    options = onnxruntime.SessionOptions()
    for library in folder.operators(trust_library=True):  # it came with this program
        options.register_custom_ops_library(str(library))
    session = onnxruntime.InferenceSession(  # noqa: TID251
        folder.model, options, providers=PROVIDERS, enable_fallback=0
    )
    missing = [name for name, _ in PROVIDERS if name not in session.get_providers()]
    if missing:
        sys.exit(f"{missing[0]} did not start; ONNX Runtime would go on without it, on {session.get_providers()}.")
    logits = session.run(None, folder.inputs(sys.argv[1:]))[0]
    for row in folder.best(logits):
        print(row)


if __name__ == "__main__":
    main()
