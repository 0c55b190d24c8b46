"""The few lines that a folder says about itself."""

from typing import Any

from export.deliver.bundle.exported import ExportedFile
from export.edge.operators import BUILD
from export.metadata import meanings
from zoo.cards.markdown import code, inline
from zoo.data.preprocess import Preprocess


def readme(exported: ExportedFile, record: dict[str, Any]) -> str:
    """README.md of a folder.

    Args:
        exported: the file in it.
        record: its bundle.json.
    """
    stored, given = exported.metadata, '"a text"' if exported.takes_texts else "IMAGE"
    library = "tokenizers" if exported.takes_texts else "Pillow"
    lines = [
        f"# {inline(stored.name)}",
        "",
        f"Exported by salu-zoo {inline(stored.zoo_version)} for the target {code(stored.target)}, "
        f"{inline(stored.precision)}. It runs "
        f"without PyTorch: Python, numpy, {library} and the engine ({code(record['engine']['install'])}).",
        "",
        "```sh",
        f"python run.py {given}",
        f"python run.py {given} --json",
        "```",
        "",
        *_input_lines(exported),
        "`client.py` is the shortest program that does the same, to start from.",
        "",
        *_file_lines(exported, record),
        f"Parity with PyTorch {inline(stored.torch_version)}: {inline(exported.parity.summary())} "
        "(`model.onnx.parity.json`).",
        "",
        f"Licence of the weights: {inline(stored.license or 'not stated')}. "
        f"SHA-256 of the weights {inline(stored.weights_sha256)}"
        f"{f', changed since {inline(stored.changed_since)}' if stored.changed_since else ''}.",
        "",
        *_operator_lines(record["operators"]),
        "| file | SHA-256 |",
        "|---|---|",
        *(f"| `{name}` | {digest} |" for name, digest in record["files"].items()),
        "",
        "| metadata of the model | meaning |",
        "|---|---|",
        *(f"| `{key}` | {meaning} |" for key, meaning in meanings().items()),
    ]
    return "\n".join(lines) + "\n"


def _input_lines(exported: ExportedFile) -> list[str]:
    if exported.takes_texts:
        return ["A pair of texts is given as two arguments.", ""]
    return [
        "An image is resized by Pillow (`pip install pillow`). Releases before 13 round an image whose height shrinks "
        "most in another order: single pixels differ by one level of 255.",
        "",
    ]


def _file_lines(exported: ExportedFile, record: dict[str, Any]) -> list[str]:
    """Inputs, outputs and preprocessing, and the engine's own calls on them."""
    stored, outputs = exported.metadata, exported.outputs
    sizes = [", ".join("any" if dim < 0 else str(dim) for dim in port.dims) for port in exported.inputs]
    ports = [f"{code(p.name)}, {p.kind} (n, {size})" for p, size in zip(exported.inputs, sizes, strict=True)]
    order = "" if not stored.labels else " in the order of the labels"
    lines = [
        f"`model.onnx` takes {'; '.join(ports)}, and gives {code(outputs[0].name)}, logits (n, classes){order}.",
        "",
    ]
    if not exported.takes_texts:
        made = Preprocess.from_dict(stored.preprocess)
        lines += [
            f"An image is resized ({made.interpolation}, crop {made.crop_pct:g}, {made.crop_mode}), divided by 255 in "
            f"{'RGB' if len(made.mean) == 3 else 'channel'} order, less the mean {list(made.mean)}, divided by "
            f"{list(made.std)}. By the engine alone, with `x` of that form:",
            "",
            "```python",
            *_calls(exported.inputs[0].name, record),
            "```",
            "",
        ]
    return lines


def _calls(name: str, record: dict[str, Any]) -> list[str]:
    engine, operators = record["engine"], record["operators"]
    if engine["package"] == "openvino":
        return [
            "import openvino",
            "",
            f'model = openvino.Core().compile_model("model.onnx", "{engine["device"]}")',
            f"logits = model({{{name!r}: x}})[0]",
        ]
    providers = [tuple(entry) for entry in engine["providers"]]
    library = [f'options.register_custom_ops_library("{operators["libraries"][0]["file"]}")'] if operators else []
    return [
        "import onnxruntime",
        "",
        "options = onnxruntime.SessionOptions()",
        *library,
        f'session = onnxruntime.InferenceSession("model.onnx", options, providers={providers!r})',
        "labels = session.get_modelmeta().custom_metadata_map['salu_zoo.labels']",
        f"logits = session.run(None, {{{name!r}: x}})[0]",
    ]


def _operator_lines(operators: dict[str, Any]) -> list[str]:
    if not operators:
        return []
    places = [f"`{one['file']}` for {one['system']} on {one['machine']}{_needs(one)}" for one in operators["libraries"]]
    return [
        f"The model uses operators of our own; `operators/` holds them compiled, {'; '.join(places)}, and as C++. On "
        f"another machine compile them first: `sh {BUILD}`.",
        "",
    ]


def _needs(library: dict[str, str]) -> str:
    newer = " or newer" if library["libc"].startswith("glibc") else ""
    return f" ({library['libc']}{newer})" if library["libc"] else ""
