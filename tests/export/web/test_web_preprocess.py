"""The page's preprocessing in Node, for machines that have it and no browser; the browser's test covers the same."""

import json
import shutil
import subprocess
from importlib.resources import files

import numpy as np
import pytest
from web_images import pictures, preprocesses

from export.deliver.web.record import tall_first

SCRIPT = """
import { readFileSync, writeFileSync } from "node:fs";
import { preprocess } from "./preprocess.mjs";
const { width, height, configs } = JSON.parse(readFileSync("case.json"));
const rgba = { width, height, data: readFileSync("pixels") };
const parts = configs.map((config) => new Uint8Array(preprocess(rgba, config).buffer));
writeFileSync("tensors", Buffer.concat(parts));
"""


@pytest.mark.parametrize("name", ["small.png", "wide.png", "tall.png", "transparent.png"])
def test_equals_python_to_the_bit(name, tmp_path):
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs Node: `node` is not installed")
    image = pictures()[name]
    configs = [p.to_dict() | {"tall_first": tall_first()} for p in preprocesses()]
    (tmp_path / "case.json").write_text(json.dumps({"width": image.width, "height": image.height, "configs": configs}))
    (tmp_path / "pixels").write_bytes(image.convert("RGBA").tobytes())
    code = (files("export.deliver.web") / "assets/preprocess.js").read_text("utf-8")
    (tmp_path / "preprocess.mjs").write_text(code, "utf-8")
    (tmp_path / "run.mjs").write_text(SCRIPT, "utf-8")
    done = subprocess.run([node, "run.mjs"], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    expected = [preprocess(image).numpy().ravel() for preprocess in preprocesses()]
    found = np.fromfile(tmp_path / "tensors", np.float32)
    np.testing.assert_array_equal(found, np.concatenate(expected))
