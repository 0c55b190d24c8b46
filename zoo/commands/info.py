"""`zoo info`: everything about one name."""

from typing import Annotated, Any

import typer

from zoo.console.completion import tags

Name = Annotated[
    str,
    typer.Argument(
        help="A model, MODEL.TAG, a card's folder, hf-hub:ORG/REPO, an activation, data set, task, recipe or target.",
        autocompletion=tags,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on stdout instead of tables.")]

_TITLES = {
    "input_size": "input",
    "num_classes": "classes",
    "multiply_adds": "multiply-adds",
    "norms": "norm sites",
    "license": "licence",
    "max_length": "tokens",
    "hub_id": "on the Hub",
    "model_args": "arguments",
}
# Shown as tables or sentences of their own.
_APART = ("kind", "name", "description", "results", "comparisons", "weights", "next", "labels", "fields")


def register(app: typer.Typer) -> None:
    """Add `info` to the command line."""
    app.command("info")(info_command)


def info_command(name: Name, json_output: AsJson = False) -> None:
    """Explain a model, a set of weights, an activation, or anything else that has a name here.

    Of a model: parameters, multiply-adds, input, what stands at its normalisation and activation sites, its weights.
    Of weights also their figures, recipe, file and licence, and what to type next.
    """
    from zoo.catalogue.description import about
    from zoo.console.output import print_json, progress

    with progress("looking it up", None):
        facts = about(name)
    if json_output:
        print_json(facts)
    else:
        _print(facts)


def _print(facts: dict[str, Any]) -> None:
    from rich.text import Text

    from zoo.console.output import console_out
    from zoo.console.tables import print_facts

    console_out.print(Text.assemble((facts["name"], "bold"), f"  ({facts['kind']})"))
    if facts.get("description"):
        console_out.print(facts["description"])
    texts = {key: "" if key in _APART else _shown(key, value) for key, value in facts.items()}
    labels = {"labels": _labels(facts["labels"])} if facts.get("labels") else {}
    print_facts((_TITLES.get(k, k.replace("_", " ")), text) for k, text in (texts | labels).items() if text)
    _print_figures([*facts.get("results", []), *facts.get("comparisons", [])])
    _print_weights(facts)
    _print_fields(facts.get("fields", []))
    if facts.get("next"):
        console_out.print("\nNext:", style="bold")
        for command in facts["next"]:
            console_out.print(f"  {command}", soft_wrap=True)


def _shown(key: str, value: Any) -> str:
    """A fact in words; "" for nothing to say."""
    if value in (None, "", [], {}):
        return ""
    if key == "parameters":
        return f"{value / 1e6:.2f} M"
    if key == "multiply_adds":
        return f"{value / 1e9:.2f} G"
    if key == "input_size":
        return f"{value[1]}x{value[2]} px, {value[0]} channels"
    if key in ("norms", "activations"):
        return ", ".join(f"{count} x {name}" for name, count in value.items())
    if key == "stages":
        return ", ".join(f"{stage['channels']} channels at 1/{stage['reduction']}" for stage in value)
    if key == "file":
        size = f"{value['size_bytes'] / 1e6:.1f} MB, " if value["size_bytes"] else ""
        return f"{size}{value['path'] or value['hub'] or 'not here'}\nsha256 {value['sha256']}"
    if key == "training":
        return _training(value)
    if isinstance(value, dict):
        return ", ".join(f"{name} = {item}" for name, item in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _training(values: dict[str, Any]) -> str:
    from zoo.console.durations import duration

    told = [f"{values['epochs']} epochs" if "epochs" in values else ""]
    told += [duration(values["seconds"]) if "seconds" in values else "", values.get("device", "")]
    command = f"; {values['command']}" if "command" in values else ""
    return ", ".join(part for part in told if part) + command


def _labels(labels: list[str]) -> str:
    shown = [label.partition(",")[0] for label in labels[:10]]
    return ", ".join(shown) + (f", ... ({len(labels)} in all)" if len(labels) > len(shown) else "")


def _print_fields(rows: list[dict[str, Any]]) -> None:
    from zoo.console.output import console_out
    from zoo.console.tables import print_facts

    facts: list[tuple[str, str]] = []
    for row in [*rows, None]:
        if row is None or "value" not in row:  # the next table
            print_facts(facts)
            facts = []
        if row is not None and "value" not in row:
            console_out.print(f"\n\\[{row['field']}] {row['meaning']}", style="bold", highlight=False)
        elif row is not None and "." in row["field"]:
            facts.append((row["field"].rpartition(".")[2], f"{_setting(row)}\n{row['meaning']}"))


def _setting(row: dict[str, Any]) -> str:
    """The value of a recipe's field, and the default where that is another."""
    import json

    value, default = ("not set" if row[key] is None else json.dumps(row[key]) for key in ("value", "default"))
    return value if value == default or row["default"] is None else f"{value}   (default: {default})"


def _print_figures(rows: list[dict[str, Any]]) -> None:
    from zoo.console.output import console_out
    from zoo.console.tables import Column, print_table

    if not rows:
        return
    names = list(dict.fromkeys(name for row in rows for name in row.get("metrics") or ()))
    columns = names or [name for name in ("top1", "top5") if any(row.get(name) is not None for row in rows)]
    heads = {"top1": "Top-1 %", "top5": "Top-5 %"}
    scores = [Column(heads.get(column, f"{column} x100".replace("_", " ")), figures=True) for column in columns]
    console_out.print()
    print_table(["figures", *scores], [[_whose(row), *(_score(row, name) for name in columns)] for row in rows])


def _whose(row: dict[str, Any]) -> str:
    own = f"these weights on {row.get('dataset')} {row.get('split') or ''} ({row.get('runtime')})"
    return row.get("label") or own


def _score(row: dict[str, Any], name: str) -> str:
    scores = row.get("metrics") or {}
    value = 100 * scores[name] if name in scores else row.get(name)
    return "-" if value is None else f"{value:.2f}"


def _print_weights(facts: dict[str, Any]) -> None:
    from zoo.console.output import console_out
    from zoo.console.tables import print_facts

    if facts["kind"] != "model":
        return
    console_out.print("\nWeights:" if facts["weights"] else "\nNo weights are published for it.", style="bold")
    print_facts((row["name"], _told(row)) for row in facts["weights"])


def _told(row: dict[str, Any]) -> str:
    score = f"Top-1 {row['top1']:.2f} %" if row["top1"] is not None else ""
    score = score or ", ".join(f"{name} {100 * value:.2f}" for name, value in (row["metrics"] or {}).items())
    size = f"{row['size_bytes'] / 1e6:.1f} MB" if row["size_bytes"] else ""
    return ", ".join(part for part in (row["trained_on"], score, size, row["where"]) if part)
