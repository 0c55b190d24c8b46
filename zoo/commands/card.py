"""`zoo card`: model cards, rendered anew from what they store, or checked against it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zoo.console.completion import tags

if TYPE_CHECKING:
    from zoo.commands._card import Additions

Cards = Annotated[
    list[str] | None,
    typer.Argument(metavar="MODEL.TAG|FOLDER", help="Which cards. Default: all.", autocompletion=tags),
]
Check = Annotated[bool, typer.Option("--check", help="Write nothing; fail where a card differs from its results.")]
Evaluations = Annotated[
    list[Path] | None, typer.Option("--evaluation", help="Add a file of `zoo evaluate --output`. Repeatable.")
]
Baselines = Annotated[
    list[Path] | None, typer.Option("--baseline", help="Add a run, or evaluated card, to compare with. Repeatable.")
]
Notes = Annotated[list[str] | None, typer.Option("--note", help="Add a sentence to the limits. Repeatable.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print what was done as JSON.")]


def register(app: typer.Typer) -> None:
    """Add `card` to the command line."""
    app.command("card")(card_command)


def card_command(
    cards: Cards = None,
    check: Check = False,
    evaluation: Evaluations = None,
    baseline: Baselines = None,
    note: Notes = None,
    json_output: AsJson = False,
) -> None:
    """Render cards (README.md and pictures) anew from config.json and results.json, or check that they say the same.

    New figures go in the same way: zoo evaluate MODEL.TAG --dataset cifar10 --output result.json, then
    zoo card MODEL.TAG --evaluation result.json.
    """
    from zoo.card_folders import card_folder
    from zoo.commands._card import Additions
    from zoo.weights.locate import list_pretrained

    added = Additions(tuple(evaluation or ()), tuple(baseline or ()), tuple(note or ()))
    chosen = [Path(name) if Path(name).is_dir() else card_folder(_known(name)) for name in cards or ()]
    if added != Additions() and (check or len(chosen) != 1):
        raise typer.BadParameter("name the one card they belong to, and leave --check out.", param_hint="--evaluation")
    _run(chosen or [card_folder(name) for name in list_pretrained()], check, added, json_output)


def _known(name: str) -> str:
    from zoo.weights.locate import resolve

    return resolve(name).name


def _run(folders: list[Path], check: bool, added: "Additions", json_output: bool) -> None:
    from zoo.cards.readme.render import check_card
    from zoo.commands._card import complete_card
    from zoo.console.output import console_out, print_json
    from zoo.errors import WeightsMismatchError

    rows: list[dict[str, Any]] = []
    for folder in folders:
        problem = None
        if check:
            try:
                check_card(folder)
            except WeightsMismatchError as error:
                problem = str(error)
        else:
            complete_card(folder, added)
        rows.append({"card": folder.name, "folder": str(folder), "problem": problem})
        if not json_output:
            said = problem or ("shows what is stored" if check else "rendered")
            console_out.print(f"{folder.name}: {said}", soft_wrap=True)
    if json_output:
        print_json(rows)
    if any(row["problem"] for row in rows):
        raise typer.Exit(1)
