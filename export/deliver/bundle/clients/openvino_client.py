"""The shortest program that runs this folder's model with OpenVINO:  python client.py IMAGE"""

import sys
from pathlib import Path

from export.edge.engines import openvino_core
from export.edge.folder import Folder

DEVICE = "CPU"
OPTIONS = {"INFERENCE_PRECISION_HINT": "f32"}


def main() -> None:
    """Compile the model for exactly this device, run one input, print the best classes."""
    folder = Folder.read(Path(__file__).resolve().parent)
    core = openvino_core()
    if DEVICE not in core.available_devices:
        sys.exit(f"OpenVINO has no {DEVICE} here, only {core.available_devices}.")
    model = core.compile_model(core.read_model(folder.model), DEVICE, OPTIONS)
    logits = model(folder.inputs(sys.argv[1:]))[model.output(0)]
    for row in folder.best(logits):
        print(row)


if __name__ == "__main__":
    main()
