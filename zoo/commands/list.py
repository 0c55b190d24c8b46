"""`zoo list`: what there is."""

from collections.abc import Callable
from functools import cache
from typing import Annotated, Any, Literal

import typer

Kind = Literal["models", "weights", "activations", "datasets", "tasks", "all"]


def register(app: typer.Typer) -> None:
    """Add `list` to the command line."""
    app.command("list")(list_names)


def list_names(
    kind: Annotated[Kind, typer.Argument(help="What to list.")] = "all",
    json_output: Annotated[bool, typer.Option("--json", help="Print JSON on stdout instead of tables.")] = False,
) -> None:
    """List models, published weights, activations, image datasets or the tasks of GLUE."""
    from zoo.commands._output import print_json

    kinds = list(_ROWS) if kind == "all" else [kind]
    rows = {name: _ROWS[name]() for name in kinds}
    if json_output:
        print_json(rows if kind == "all" else rows[kind])
        return
    for name in kinds:
        _print_table(name, rows[name])


def _models() -> list[dict[str, Any]]:
    from zoo.models import MODELS
    from zoo.models.text import TEXT_MODELS

    images = [
        {
            "name": spec.name,
            "input_size": list(spec.input_size),
            "num_classes": spec.num_classes,
            "norm": spec.norm,
            "act": spec.act,
            "parameters": _parameters(spec.name),
            "description": spec.description,
        }
        for spec in map(MODELS.get, MODELS)
    ]
    texts = [
        {
            "name": spec.name,
            "input_size": None,
            "num_classes": spec.num_classes,
            "norm": "layernorm",
            "act": spec.act,
            "parameters": _parameters(spec.name),
            "description": spec.description,
        }
        for spec in map(TEXT_MODELS.get, TEXT_MODELS)
    ]
    return images + texts


@cache
def _parameters(model: str) -> int:
    """Counted on a model without storage."""
    from zoo.models import build_model

    return sum(parameter.numel() for parameter in build_model(model, device="meta").parameters())


def _weights() -> list[dict[str, Any]]:
    from zoo.pretrained.locate import cards_root, list_pretrained, resolve

    rows = []
    for name in list_pretrained():
        tag = resolve(name)
        measured = (tag.results.get("evaluations") or [{}])[0]
        local = (cards_root() / name / tag.file).is_file()
        rows.append(
            {
                "name": name,
                "trained_on": tag.dataset,
                "num_classes": tag.num_classes,
                "top1": measured.get("top1"),
                "top5": measured.get("top5"),
                "metrics": measured.get("metrics"),
                "license": tag.license,
                "where": "checkout" if local else f"Hub: {tag.repo}" if tag.revision else "not on the Hub yet",
            }
        )
    return rows


def _activations() -> list[dict[str, Any]]:
    from zoo.activations import ACTIVATIONS

    specs = [ACTIVATIONS.get(name) for name in ACTIVATIONS]
    return [{"name": s.name, "role": s.role, "formula": s.formula, "source": s.source} for s in specs]


def _datasets() -> list[dict[str, Any]]:
    from zoo.data import DATASETS

    specs = [DATASETS.get(name) for name in DATASETS]
    return [{"name": s.name, "hub_id": s.hub_id, "splits": list(s.splits), "description": s.description} for s in specs]


def _tasks() -> list[dict[str, Any]]:
    from zoo.data.glue import GLUE

    specs = [GLUE.get(name) for name in GLUE]
    return [
        {"name": s.name, "labels": list(s.labels), "metrics": list(s.metrics), "description": s.description}
        for s in specs
    ]


_ROWS: dict[str, Callable[[], list[dict[str, Any]]]] = {
    "models": _models,
    "weights": _weights,
    "activations": _activations,
    "datasets": _datasets,
    "tasks": _tasks,
}


# What a screen of 80 columns has no room for, and what is not broken into lines.
_LEFT_OUT = {"models": ("num_classes", "norm"), "weights": ("num_classes", "top5", "license")}
_WHOLE = ("name", "input_size", "parameters", "act", "top1", "top5")


def _print_table(title: str, rows: list[dict[str, Any]]) -> None:
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    from zoo.commands._output import console_out

    if not rows:
        console_out.print(
            f"No {title} yet. `zoo adopt FILE --model MODEL --tag TAG` makes a card of a checkpoint, such as "
            "RUN/model.safetensors of a run of `zoo train`.",
            highlight=False,
        )
        return
    shown = [column for column in rows[0] if column not in _LEFT_OUT.get(title, ())]
    table = Table(title=title.capitalize(), title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    for column in shown:
        whole = column in _WHOLE
        table.add_column(column.replace("_", " ").removeprefix("num "), no_wrap=whole, overflow="fold")
    for row in rows:
        table.add_row(*(escape(_cell(row[column])) for column in shown))
    console_out.print(table)


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.2f}"
    if isinstance(value, dict):
        return ", ".join(f"{key} {100 * item:.2f}" for key, item in value.items())
    if isinstance(value, list):
        return ("x" if value and all(isinstance(v, int) for v in value) else ", ").join(map(str, value)) or "-"
    if isinstance(value, int) and value >= 100_000:
        return f"{value / 1e6:.2f} M"
    return "-" if value is None or value == "" else str(value)
