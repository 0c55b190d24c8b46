"""Exported files as though they were for another target, and programs of a folder run as their user runs them."""

import json
import subprocess
import sys
from pathlib import Path

import onnx

from export.digest import seal
from export.metadata import PREFIX
from export.parity.parity_report import ParityReport, report_path
from zoo.files import sha256_of

# A hook that refuses what a machine at the edge does not have, as if it were not installed.
BLOCK = """
import importlib.abc, sys
class Refuse(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {names}:
            raise ModuleNotFoundError("No module named " + name, name=name)
sys.meta_path.insert(0, Refuse())
"""
AT_THE_EDGE = ("torch", "torchvision", "timm", "transformers", "zoo", "export", "onnx", "onnx_ir", "onnxscript")


def retargeted(file: Path, folder: Path, target: str, precision: str = "float32", **props: str) -> Path:
    """A copy of an exported file that says it is for another target, with a report that says so too."""
    folder.mkdir(parents=True, exist_ok=True)
    model = onnx.load(file)
    stored = {p.key: p.value for p in model.metadata_props}
    stored |= {f"{PREFIX}{key}": value for key, value in {"target": target, **props}.items()}
    if precision != "float32":
        stored[f"{PREFIX}precision"] = precision
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, stored)
    copy = folder / "model_for.onnx"
    seal(model)
    onnx.save(model, copy)
    report = ParityReport.load(report_path(file)).to_dict()
    report |= {"file_sha256": sha256_of(copy), "target": target, "precision": precision}
    report_path(copy).write_text(json.dumps(report), "utf-8")
    return copy


def run_program(program: Path, *arguments: object, block: tuple[str, ...] = AT_THE_EDGE, **options):
    """Run a Python program of a folder without the packages in `block`; its output is text."""
    start = BLOCK.format(names=set(block)) + (
        "import runpy; program = sys.argv[1]; sys.argv = sys.argv[1:]; "
        "sys.path[0] = program.rpartition('/')[0]; runpy.run_path(program, run_name='__main__')"
    )
    command = [sys.executable, "-c", start, str(program), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, **options)
