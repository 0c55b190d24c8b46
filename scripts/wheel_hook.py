"""Puts the libraries that `scripts/prebuilt_wheels.py` built into a wheel for their platform.

hatchling runs it for every wheel; one without SALU_ZOO_LIBRARIES is pure and compiles its sources at first use.
"""

import json
import os
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PLACE = "zoo/native/libraries"


class LibrariesHook(BuildHookInterface):
    """The hook; SALU_ZOO_LIBRARIES names a folder of libraries.json and of the files that it lists."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Include the libraries, and name the wheel after the platform that the record is for."""
        if not (given := os.environ.get("SALU_ZOO_LIBRARIES")):
            return
        record = json.loads(Path(given, "libraries.json").read_text(encoding="utf-8"))
        files = ["libraries.json", *record["libraries"]]
        build_data["force_include"] |= {str(Path(given, file)): f"{PLACE}/{file}" for file in files}
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{record['wheel']}"
