"""The Python files of a folder, taken from this package: `edge` as it is, `run.py`, and the shortest client."""

import re
import shutil
from pathlib import Path
from typing import Any

from export import edge

_HERE = Path(__file__).parent


def write_edge(folder: Path) -> None:
    """Copy `export.edge` into `folder`/edge."""
    ours = shutil.ignore_patterns("__pycache__", "*.pyc")
    shutil.copytree(Path(edge.__file__).parent, folder / "edge", ignore=ours)


def write_programs(folder: Path, engine: dict[str, Any]) -> None:
    """Write edge, run.py, and a client.py with the engine's own settings in it.

    Args:
        folder: where the model lies.
        engine: from `export.deliver.bundle.bundle_engines.engine_record`.
    """
    write_edge(folder)
    (folder / "run.py").write_text(standalone(_HERE / "run.py"), "utf-8")
    client = standalone(_HERE / "clients" / f"{engine['package']}_client.py")
    (folder / "client.py").write_text(with_settings(client, engine), "utf-8")


def standalone(file: Path) -> str:
    """A module of ours as a program of its own: it finds `edge` beside it."""
    text = file.read_text("utf-8").replace("from export.edge", "from edge")
    return re.sub(r"  # (noqa|type:).*", "", text)


def with_settings(client: str, engine: dict[str, Any]) -> str:
    """Put an engine's settings in the place of the client's constants."""
    if engine["package"] == "openvino":
        values = {"DEVICE": engine["device"], "OPTIONS": engine["options"]}
    else:
        values = {"PROVIDERS: list[tuple[str, dict[str, str]]]": [tuple(entry) for entry in engine["providers"]]}
    for name, value in values.items():
        text = f'{name} = "{value}"' if isinstance(value, str) else f"{name} = {value!r}".replace("'", '"')
        head, _, rest = client.partition(f"\n{name} = ")
        client = f"{head}\n{text}\n{rest.partition(chr(10))[2]}"
    return client
