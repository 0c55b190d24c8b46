"""A wheel of weights for each card: installed beside salu-zoo, it needs neither a checkout nor the Hub.

    python scripts/weights_wheels.py --output dist salunet_c18_cifar.cifar10

It holds the weights and the card's pictures, in the place where the wheel of the zoo has the rest of that card, and
asks for the same version of the zoo. Its weights are checked against the card's sha256 when they are loaded.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKED = "zoo/weights/model_cards"
LEFT_OUT = (".safetensors", ".png")  # of the zoo's own wheel: see pyproject.toml


def main() -> None:
    """Build the wheels asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cards", nargs="*", metavar="MODEL.TAG", help="which cards; all by default")
    parser.add_argument("--output", type=Path, default=Path("dist"), metavar="FOLDER", help="default: dist")
    given = parser.parse_args()
    known = {file.parent.name: file.parent for file in (ROOT / "model_cards").glob("*/config.json")}
    if unknown := set(given.cards) - set(known):
        parser.error(f"no card of the name {', '.join(sorted(unknown))}; there are {', '.join(sorted(known))}")
    for name in given.cards or sorted(known):
        build(known[name], given.output.absolute())


def build(card: Path, output: Path) -> None:
    """Write the wheel of one card into `output`.

    Raises:
        CalledProcessError: hatchling, whose message is printed, cannot build it.
    """
    zoo = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    config = json.loads((card / "config.json").read_text(encoding="utf-8"))
    tag = config.get("salu_zoo", config)
    files = {
        str(file): f"{PACKED}/{card.name}/{file.name}" for file in sorted(card.iterdir()) if file.suffix in LEFT_OUT
    }
    project = {
        "name": "salu-zoo-weights-" + card.name.replace(".", "-").replace("_", "-"),
        "version": zoo["version"],
        "description": f"Weights {card.name} of salu-zoo.",
        "requires-python": zoo["requires-python"],
        "dependencies": [f"salu-zoo=={zoo['version']}"],
        "license": {"text": tag["license"]},
    }
    with tempfile.TemporaryDirectory() as folder:
        lines = ["[build-system]", 'requires = ["hatchling"]', 'build-backend = "hatchling.build"', "[project]"]
        lines += [f"{key} = {_toml(value)}" for key, value in project.items()]
        lines += ["[tool.hatch.build.targets.wheel]", "bypass-selection = true"]
        lines += ["[tool.hatch.build.targets.wheel.force-include]"]
        lines += [f"{json.dumps(here)} = {json.dumps(there)}" for here, there in files.items()]
        Path(folder, "pyproject.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")
        command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(output)]
        subprocess.run(command, cwd=folder, check=True)


def _toml(value: object) -> str:
    return f"{{ text = {json.dumps(value['text'])} }}" if isinstance(value, dict) else json.dumps(value)


if __name__ == "__main__":
    main()
