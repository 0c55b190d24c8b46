"""The README is true: its code runs, its commands exist, its figures are those of the code and the cards.

Where a table is out of date, the failure prints the one to paste.
"""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from zoo.cli import build_app

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "README.md").read_text("utf-8")
SAMPLE = ROOT / "demo/cifar10_sample"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, flags=re.MULTILINE | re.DOTALL)


def shell_lines(program: str) -> list[str]:
    return [line for block in blocks("sh") for line in block.splitlines() if line.split()[:1] == [program]]


def table(name: str) -> list[str]:
    """The rows below the head of the table between `<!-- name -->` and `<!-- end -->`."""
    found = re.search(rf"<!-- {name} -->\n(.*?)<!-- end -->", TEXT, flags=re.DOTALL)
    assert found, f"README.md has no table between <!-- {name} --> and <!-- end -->"
    return found[1].splitlines()[2:]


def row(*cells: object) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def models_table() -> list[str]:
    """Counted on the meta device: no memory, no arithmetic."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from zoo.models import MODELS, build_model

    rows = []
    for spec in map(MODELS.get, MODELS):
        model = build_model(spec.name, device="meta").eval()
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            model(torch.empty(1, *spec.input_size, device="meta"))
        millions = sum(parameter.numel() for parameter in model.parameters()) / 1e6
        giga = counter.get_total_flops() / 2e9
        rows.append(row(f"`{spec.name}`", f"{millions:.2f}", f"{giga:.2f}", spec.input_size[-1], spec.num_classes))
    return rows


def weights_table() -> list[str]:
    """Every evaluation and comparison that a card stores, rounded as the card does."""
    rows = []
    for file in sorted((ROOT / "model_cards").glob("*/results.json")):
        results = json.loads(file.read_text("utf-8"))
        name = f"[`{file.parent.name}`](model_cards/{file.parent.name})"
        for found in results.get("evaluations", []):
            where = f"{found['dataset']} ({found['split'] or 'all'}, {found['n']:,})"
            rows.append(row(name, where, runtime(found), *percentages(found)))
        for other in results.get("comparisons", []):
            rows.append(row(f"for comparison: {other['label']}", other.get("note") or "", "", *percentages(other)))
    return rows


def runtime(result: dict[str, Any]) -> str:
    described = result["runtime"]
    return "PyTorch" if described.get("kind") == "torch" else f"ONNX Runtime, {described['target']} file"


def percentages(result: dict[str, Any]) -> list[str]:
    return ["" if result.get(key) is None else f"{result[key]:.2f}" for key in ("top1", "top5")]


@pytest.mark.parametrize(("name", "build"), [("models", models_table), ("weights", weights_table)])
def test_table_is_up_to_date(name: str, build: Any) -> None:
    expected = build()
    assert table(name) == expected, f"README.md, table {name!r}; it should be:\n" + "\n".join(expected)


@pytest.mark.parametrize("code", blocks("python"), ids=lambda code: code.splitlines()[0])
def test_python_block_runs(code: str, tmp_path: Path, monkeypatch, capsys) -> None:
    from zoo.data import load_vision

    if "pretrained=True" in code and not list((ROOT / "model_cards").glob("*/model.safetensors")):
        pytest.skip("this copy of the source has no weights in model_cards/")
    images = load_vision("cifar10", data=SAMPLE)
    images[0][0].save(tmp_path / "photo.png")
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "README.md", "exec"), {})
    printed = capsys.readouterr().out.strip()
    assert not printed or printed in images.labels


def test_first_example_is_five_lines() -> None:
    assert len(blocks("python")[0].split("\n\n")) == 2  # imports, then the rest
    assert len([line for line in blocks("python")[0].splitlines() if line]) == 5


@pytest.mark.parametrize("line", shell_lines("zoo"))
def test_zoo_command_parses(line: str) -> None:
    _, name, *arguments = shlex.split(line)
    command = get_command(build_app()).commands[name]
    with command.make_context(name, arguments):
        pass


def test_make_targets_exist() -> None:
    defined = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), flags=re.MULTILINE))
    named = {word for line in shell_lines("make") for word in line.split()[1:]}
    assert named
    assert named | set(re.findall(r"`make ([a-z]+)", TEXT)) <= defined


def test_every_command_is_shown() -> None:
    assert {line.split()[1] for line in shell_lines("zoo")} == set(get_command(build_app()).commands)


def test_links_lead_somewhere() -> None:
    local = [target for target in re.findall(r"\]\(([^)#]+)\)", TEXT) if "://" not in target]
    assert local
    assert all((ROOT / target).exists() for target in local), local
