"""The tables of the README and its pages, made anew from the code, the cards and the reports."""

import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from export.metadata import meanings
from zoo.data.glue import METRICS

ROOT = Path(__file__).resolve().parent.parent


def report(name: str) -> dict[str, Any]:
    """What a command stored in `reports`."""
    stored: dict[str, Any] = json.loads((ROOT / "reports" / f"{name}.json").read_text("utf-8"))
    return stored


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
    return [(f"[`{f.parent.name}`](../model_cards/{f.parent.name})", json.loads(f.read_text("utf-8"))) for f in files]


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


def short_table() -> list[str]:
    """What PyTorch reached with every card's weights, in one figure."""
    rows = []
    for name, stored in results():
        for found in stored["evaluations"]:
            if runtime(found) == "PyTorch":
                where = f"{found['dataset']} ({found['split'] or 'all'}, {found['n']:,})"
                figure = metrics(found) or [f"Top-1 {found['top1']:.2f}"]
                rows.append(row(name.replace("../", ""), where, *figure))
    return rows


def comparison_table(file: str, acts: Sequence[str]) -> list[str]:
    """What `zoo compare` stored: tasks and metrics down, activations across, mean ± standard deviation (runs)."""
    stored = report(file)
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


def plasticity_table() -> list[str]:
    """What `reports/plasticity.py --report` stored: mean ± standard deviation over the seeds."""
    names = {"batchnorm": "BatchNorm", "none": "nothing", "salu": "SALU"}
    rows = []
    for name, found in report("plasticity")["summary"].items():
        figures = [found[key] for key in ("final", "early_change", "late_change", "late_range")]
        cells = [f"{figure['mean']:.3f} ± {figure['std']:.3f}" for figure in figures]
        top1 = found["top1"]
        rows.append(row(names[name], found["runs"], *cells, f"{top1['mean']:.2f} ± {top1['std']:.2f}"))
    return rows


def batch_size_table() -> list[str]:
    """What `reports/batch_size.py --report` stored: Top-1 and its binomial standard error."""
    rows = []
    for found in report("batch_size")["table"]:
        rate = ", ".join(f"{rate:g}" for rate in found["lr"])
        top1 = "diverged" if found["top1"] is None else f"{found['top1']:.2f} ± {found['top1_se']:.2f}"
        other = found["top1_batch_statistics"]
        cells = (found["batch_size"], found["network"], f"{found['steps']:,}", rate, top1)
        rows.append(row(*cells, "" if other is None else f"{other:.2f}"))
    return rows


def metadata_table() -> list[str]:
    """The properties that an exported file keeps."""
    return [row(f"`{name}`", meaning) for name, meaning in meanings().items()]


def serving_table() -> list[str]:
    """What `reports/serving.py` stored."""
    return [
        row(f"`{found['target']}`", found["clients"], *(f"{found[key]:.0f}" for key in ("bare", "served")), ratio)
        for found in report("serving")["rows"]
        for ratio in [f"{found['ratio']:.2f} ({found['ratios'][0]:.2f} to {found['ratios'][-1]:.2f})"]
    ]


TABLES = {
    "serving": serving_table,
    "metadata": metadata_table,
    "batch size": batch_size_table,
    "plasticity": plasticity_table,
    "kernel speed": kernel_speed_table,
    "train speed": train_speed_table,
    "bench": bench_table,
    "models": models_table,
    "weights in short": short_table,
    "weights": partial(weights_table, percentages),
    "text weights": partial(weights_table, metrics),
    "glue": partial(comparison_table, "glue_minilm_l6", ("gelu", "silu", "fles")),
    "poolformer": partial(comparison_table, "cifar10_poolformer", ("gelu", "silu", "fles", "fles_proto")),
}

STUDIES = ("plasticity", "batch_size")
"""Whose verdicts the README quotes."""


def verdict(study: str) -> str:
    """The sentence that an experiment computed from its numbers."""
    sentence: str = report(study)["verdict"]["sentence"]
    return sentence
