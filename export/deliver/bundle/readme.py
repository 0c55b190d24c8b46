"""The few lines that a folder says about itself."""

from typing import Any

from export.deliver.bundle.exported import ExportedFile
from export.edge.operators import BUILD
from zoo.cards.markdown import code, inline


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


def _operator_lines(operators: dict[str, Any]) -> list[str]:
    if not operators:
        return []
    given = operators["library"]
    libc = f", glibc {given['glibc']} or newer" if given["glibc"] else ""
    return [
        f"The model uses operators of our own; `operators/` holds them compiled for {given['system']} on "
        f"{given['machine']}{libc}, and as C++. On another machine compile them first: `sh {BUILD}`.",
        "",
    ]
