"""The README is true: its code runs, its commands exist, its figures are those of the code and the cards.

Where a table is out of date, the failure prints the one to paste.
"""

import json
import re
import shlex
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from zoo.cli import build_app
from zoo.data.glue import METRICS

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


def results() -> list[tuple[str, dict[str, Any]]]:
    """Of every card: its name as a link, and what it stores."""
    files = sorted((ROOT / "model_cards").glob("*/results.json"))
    return [(f"[`{f.parent.name}`](model_cards/{f.parent.name})", json.loads(f.read_text("utf-8"))) for f in files]


def weights_table(scores: Callable[[dict[str, Any]], list[str] | None]) -> list[str]:
    """Every evaluation and comparison of a kind that a card stores, rounded as the card does."""
    rows = []
    for name, stored in results():
        for found in stored.get("evaluations", []):
            where = f"{found['dataset']} ({found['split'] or 'all'}, {found['n']:,})"
            rows += [row(name, where, runtime(found), *cells) for cells in [scores(found)] if cells]
        for other in stored.get("comparisons", []):
            label = f"for comparison: {other['label']}"
            rows += [row(label, other.get("note") or "", "", *cells) for cells in [scores(other)] if cells]
    return rows


def runtime(result: dict[str, Any]) -> str:
    described = result["runtime"]
    return "PyTorch" if described.get("kind") == "torch" else f"ONNX Runtime, {described['target']} file"


def percentages(result: dict[str, Any]) -> list[str] | None:
    """Top-1 and Top-5 of a model for images."""
    if "top1" not in result:
        return None
    return ["" if result.get(key) is None else f"{result[key]:.2f}" for key in ("top1", "top5")]


def metrics(result: dict[str, Any]) -> list[str] | None:
    """The official metrics of a model for texts, in one cell."""
    if "metrics" not in result:
        return None
    return [", ".join(f"{METRICS[name]} {100 * value:.2f}" for name, value in result["metrics"].items())]


def comparison_table(file: str, acts: Sequence[str]) -> list[str]:
    """What `zoo compare` stored: tasks and metrics down, activations across, mean ± standard deviation (runs)."""
    stored = json.loads((ROOT / "reports" / file).read_text("utf-8"))
    cells: dict[str, dict[str, str]] = {}
    for group in stored["groups"]:
        task = group["values"].get("data.task") or stored["fixed"].get("data.dataset")
        for metric, value in group["mean"].items():
            std = group["std"][metric]
            shown = f"{value:.2f}" + ("" if std is None else f" ± {std:.2f}") + f" ({len(group['runs'])})"
            label = f"{task}, {METRICS.get(metric, 'Top-1')}"
            cells.setdefault(label, {})[group["values"]["model.act"]] = shown
    return [row(label, *(found[act] for act in acts)) for label, found in cells.items()]


def bench_table() -> list[str]:
    """What `zoo bench --output` stored of each model, and how much longer than its twin each file takes."""
    rows = []
    for file in sorted((ROOT / "reports").glob("bench_*.json")):
        stored = json.loads(file.read_text("utf-8"))["rows"]
        medians = {found["label"]: found["latency"]["p50_ms"] for found in stored}
        for found in stored:
            if found["twin"] is not None:
                twin, _, _ = found["twin"].partition(", ")
                own, other = found["latency"]["p50_ms"], medians[found["twin"]]
                cells = (f"`{found['model']}`", f"`{found['target']}`", f"{own:.1f}", f"{other:.1f} ({twin})")
                rows.append(row(*cells, f"{own / other:.2f}"))
    return rows


def train_speed_table() -> list[str]:
    """What `zoo bench train --memory --output` stored."""
    names = {"eager": "eager", "plain": "eager, definitions", "compiled": "compiled"}
    rows = []
    for file in sorted((ROOT / "reports").glob("train_*.json")):
        for found in json.loads(file.read_text("utf-8"))["rows"]:
            setting, ratio = found["setting"], found["ratio"]
            images = f"{setting['batch_size']} x {setting['size']} px"
            sides = (found["memory"], found["twin_memory"])
            memory = [
                "" if None in sides else " / ".join(f"{side[kind] / 1e6:.0f}" for side in sides)
                for kind in ("saved_bytes", "peak_bytes")
            ]
            own, twin = (found[key]["median_ms"] for key in ("times", "twin_times"))
            quotient = f"{ratio['median']:.2f} ({ratio['low']:.2f} to {ratio['high']:.2f})"
            cells = (f"`{found['model']}`", images, names[found["mode"]], f"{own:.0f}", f"{twin:.0f}", quotient)
            rows.append(row(*cells, *memory))
    return rows


def kernel_speed_table() -> list[str]:
    """What `zoo bench kernels --output` stored: parts of a copy's bandwidth, and times over ours."""
    steps = {"forward": "forward", "both": "forward + backward"}
    rows = []
    for file in sorted((ROOT / "reports").glob("kernels_*.json")):
        cases: dict[tuple[str, str], dict[str, Any]] = {}
        for found in json.loads(file.read_text("utf-8"))["rows"]:
            cases.setdefault((found["operator"], found["step"]), {})[found["side"]] = found
        for (operator, step), sides in cases.items():
            ours = sides["fused"]
            others = [sides[side]["ratio"]["median"] for side in ("compiled", "eager", "batchnorm_relu")]
            cells = (f"`{operator}`", steps[step], f"{ours['times']['median_ms']:.1f}", f"{ours['copy_fraction']:.2f}")
            rows.append(row(*cells, *(f"{other:.2f}" for other in others)))
    return rows


TABLES = {
    "kernel speed": kernel_speed_table,
    "train speed": train_speed_table,
    "bench": bench_table,
    "models": models_table,
    "weights": partial(weights_table, percentages),
    "text weights": partial(weights_table, metrics),
    "glue": partial(comparison_table, "glue_minilm_l6.json", ("gelu", "silu", "fles")),
    "poolformer": partial(comparison_table, "cifar10_poolformer.json", ("gelu", "silu", "fles", "fles_proto")),
}


@pytest.mark.parametrize("name", TABLES)
def test_table_is_up_to_date(name: str) -> None:
    expected = TABLES[name]()
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
