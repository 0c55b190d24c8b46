"""`zoo get`: published weights to this machine."""

from typing import Annotated

import typer

from zoo.console.completion import tags

Cards = Annotated[
    list[str],
    typer.Argument(metavar="CARD", help="MODEL.TAG, or hf-hub:ORG/REPO@REVISION.", autocompletion=tags),
]
Force = Annotated[bool, typer.Option("--force", help="Fetch it again, and replace the card of that name.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print what was done as JSON.")]


def register(app: typer.Typer) -> None:
    """Add `get` to the command line."""
    app.command("get")(get_cards)


def get_cards(cards: Cards, force: Force = False, json_output: AsJson = False) -> None:
    """Fetch cards with their weights from the Hub; from then on their names are found without a network.

    They go to the user's own folder: SALU_ZOO_HOME, else ~/.local/share/salu-zoo. (In a source checkout: model_cards.)
    """
    from zoo.console.output import console_out, print_json
    from zoo.console.visible import quoted
    from zoo.publishing.download import download_card
    from zoo.weights.tag import read_tag

    rows = []
    for card in cards:
        folder = download_card(card, force=force)
        tag = read_tag(folder)
        size = (folder / tag.file).stat().st_size
        rows.append({"card": tag.name, "folder": str(folder), "size_bytes": size, "sha256": tag.sha256})
        if not json_output:
            console_out.print(f"{tag.name}: {size / 1e6:.1f} MB in {folder}", soft_wrap=True)
            console_out.print(f"Use it: zoo.create_model({quoted(tag.name)}, pretrained=True)", soft_wrap=True)
    if json_output:
        print_json(rows)
