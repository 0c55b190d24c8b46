"""`zoo predict`: the likeliest classes of image files."""

from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zoo.console.completion import image_tags

if TYPE_CHECKING:
    from zoo.evaluation.predict import Prediction

_DEVICES = ("cpu", "cuda", "mps")
_SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm", ".avif"}
_MOST_LABEL, _MOST_BAR = 32, 60
_AT_ONCE = 16
"""So many images need no progress bar."""

Images = Annotated[
    list[str], typer.Argument(metavar="IMAGE", help="Image files, folders of them, or patterns such as 'img/*.png'.")
]
Model = Annotated[
    str | None,
    typer.Option("--model", "-m", help="MODEL.TAG, a card's folder or FILE.onnx.", autocompletion=image_tags),
]
TopK = Annotated[int, typer.Option("--topk", "-k", min=1, help="How many classes of each image.")]
Device = Annotated[
    str | None,
    typer.Option(help="cpu, cuda, cuda:N or mps. Default: the best there is.", autocompletion=lambda: _DEVICES),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on stdout, and nothing else.")]


def register(app: typer.Typer) -> None:
    """Add `predict` to the command line."""
    app.command("predict")(predict_command)


def predict_command(
    images: Images, model: Model = None, topk: TopK = 5, device: Device = None, json_output: AsJson = False
) -> None:
    """Say what is on images: the likeliest classes of each, with their probabilities.

    zoo predict photo.jpg --model salunet_c18_cifar.cifar10

    A camera's orientation is applied. Files that cannot be used are named on stderr, the others are answered, and the
    exit status is 1. In a pipe each image is one line: FILE: LABEL 81.3 %, LABEL 12.1 %, ...
    """
    if model is None:
        known = ", ".join(image_tags()) or "none yet"
        raise typer.BadParameter(
            f"say which weights classify them. Published here: {known}. A card's folder and FILE.onnx do as well.",
            param_hint="--model",
        )
    files = _expand(images)

    from zoo.console.output import console_err, print_json, progress
    from zoo.evaluation.predict import open_model, predict

    with open_model(model, device) as subject:
        found = []
        with progress("predicting", len(files)) if len(files) > _AT_ONCE else nullcontext(_ignore) as advance:
            for prediction in predict(subject, files, topk):
                found.append(prediction)
                advance(1)
        about = {"model": subject.name, "tag": subject.tag, "sha256": subject.sha256, "runtime": subject.runtime}
        about["preprocess"] = subject.preprocess.to_dict()
    if json_output:
        print_json(about | {"images": [asdict(prediction) for prediction in found]})
    else:
        _print([prediction for prediction in found if prediction.problem is None])
        for prediction in found:
            if prediction.problem:
                console_err.print(prediction.problem, style="red", highlight=False, soft_wrap=True, markup=False)
    if any(prediction.problem for prediction in found):
        raise typer.Exit(1)


def _ignore(steps: int) -> None:
    """Progress that nobody sees."""


def _expand(given: Sequence[str]) -> list[Path]:
    """Files as given, images of folders in order of their names, matches of patterns.

    Raises:
        typer.BadParameter: a folder or a pattern gives no image.
    """
    files: list[Path] = []
    for word in given:
        place = Path(word).expanduser()
        if place.is_dir():
            inside = [file for file in sorted(place.iterdir()) if file.suffix.lower() in _SUFFIXES]
            if not inside:
                raise typer.BadParameter(f"the folder {word} holds no images.", param_hint="IMAGE")
            files += inside
        elif not place.exists() and any(sign in word for sign in "*?["):
            anchor = Path(place.anchor or ".")
            matched = sorted(anchor.glob(str(place.relative_to(place.anchor) if place.anchor else place)))
            if not matched:
                raise typer.BadParameter(f"nothing matches {word}.", param_hint="IMAGE")
            files += [file for file in matched if file.is_file()]
        else:
            files.append(place)
    return files


def _print(found: "Iterable[Prediction]") -> None:
    from zoo.console.output import console_out

    for prediction in found:
        if console_out.is_terminal:
            _print_bars(prediction)
        else:
            guesses = ", ".join(f"{_label(guess)} {100 * guess.probability:.1f} %" for guess in prediction.guesses)
            notes = f" ({' '.join(prediction.notes)})" if prediction.notes else ""
            typer.echo(f"{prediction.file}: {guesses}{notes}")


def _print_bars(prediction: "Prediction") -> None:
    """A line a class: name, bar, probability; as wide as the terminal, up to a limit."""
    from rich.text import Text

    from zoo.console.output import console_out

    width, height = prediction.size or (0, 0)
    console_out.print(Text(f"{prediction.file}  ", style="bold") + Text(f"{width}x{height} px", style="dim"))
    for note in prediction.notes:
        console_out.print(Text(f"  {note}", style="dim"))
    names = [Text(_label(guess)) for guess in prediction.guesses]
    column = min(_MOST_LABEL, max(name.cell_len for name in names), max(8, console_out.width - 24))
    room = max(4, min(_MOST_BAR, console_out.width - column - 14))
    for place, (name, guess) in enumerate(zip(names, prediction.guesses, strict=True)):
        name.truncate(column, overflow="ellipsis", pad=True)
        full, rest = _bar(guess.probability, room)
        style = "green" if place == 0 else "blue"
        share = f" {100 * guess.probability:5.1f} %"
        line = Text.assemble("  ", name, "  ", (full, style), (rest, "dim"), (share, "bold" if place == 0 else ""))
        console_out.print(line, no_wrap=True, overflow="crop")


def _bar(share: float, room: int) -> tuple[str, str]:
    """A bar of `room` cells, in eighths of a cell where the terminal can show them."""
    from zoo.console.output import console_out

    if not console_out.encoding.lower().startswith("utf"):
        full = "#" * round(share * room)
        return full, " " * (room - len(full))
    eighths = round(share * room * 8)
    full = "█" * (eighths // 8) + " ▏▎▍▌▋▊▉"[eighths % 8].strip()
    return full, "·" * (room - len(full))


def _label(guess: Any) -> str:
    return guess.label.partition(",")[0] if guess.label else f"class {guess.number}"
