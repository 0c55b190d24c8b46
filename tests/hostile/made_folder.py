"""A small folder as `zoo export --bundle` writes it, and the ways to damage one."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper

CPU = {"package": "onnxruntime", "providers": [["CPUExecutionProvider", {}]]}
PREPROCESS = {
    **{"input_size": [3, 4, 4], "interpolation": "bilinear", "crop_pct": 1.0, "crop_mode": "center"},
    **{"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]},
}
FEEDS = {"x": np.ones((1, 3, 4, 4), np.float32)}
LIBRARY = "operators/Linux-x86_64/libsalu_zoo.so"
Change = Callable[[Path, dict[str, Any]], object]


def classifier() -> ModelProto:
    """Sums of an image of 4 x 4 pixels, as two logits."""
    weights = numpy_helper.from_array(np.ones((48, 2), np.float32), "weights")
    nodes = [helper.make_node("Flatten", ["x"], ["flat"]), helper.make_node("MatMul", ["flat", "weights"], ["logits"])]
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in (("x", ["n", 3, 4, 4]), ("logits", ["n", 2]))
    ]
    graph = helper.make_graph(nodes, "sums", ends[:1], ends[1:], [weights])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def put(folder: Path, record: dict[str, Any], name: str, content: bytes) -> None:
    """Write a file and list it."""
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)
    record["files"][name] = sha256(content)


def make_folder(folder: Path, *changes: Change, model: bytes | None = None, target: str = "portable") -> Path:
    """Write a folder whose manifest is right; then damage it.

    Args:
        folder: where.
        changes: each gets the folder and the record, to change both; the record is written afterwards.
        model: its model; None takes `classifier`.
        target: what it says it is for.
    """
    folder.mkdir()
    record: dict[str, Any] = {
        **{"format": 1, "model": "sums", "target": target, "engine": CPU, "inputs": {"x": "float32"}},
        **{"operators": {}, "files": {}},
    }
    put(folder, record, "model.onnx", classifier().SerializeToString() if model is None else model)
    put(folder, record, "preprocess.json", json.dumps(PREPROCESS).encode())
    put(folder, record, "labels.txt", b"one\ntwo\n")
    for change in changes:
        change(folder, record)
    (folder / "bundle.json").write_text(json.dumps(record), "utf-8")
    return folder


def with_library(content: bytes = b"not a library", **changes: Any) -> Change:
    """Let the folder bring a library for this machine; `changes` are made to what the record says of it."""

    def change(folder: Path, record: dict[str, Any]) -> None:
        from export.edge.operators import machine

        put(folder, record, LIBRARY, content)
        library = machine() | {"libc": "", "file": LIBRARY} | changes
        record["operators"] = {"domain": "salu_zoo", "version": 1, "sources_sha256": "0" * 64, "libraries": [library]}

    return change
