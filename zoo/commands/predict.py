"""`zoo predict`: the likeliest classes of images or texts."""

import os
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zoo.commands._describe import Labels, Preprocessing, described
from zoo.console.completion import tags

if TYPE_CHECKING:
    from zoo.evaluation.evaluated_model import EvaluatedModel
    from zoo.evaluation.predict import Prediction

_DEVICES = ("cpu", "cuda", "mps")
_MOST_LABEL, _MOST_BAR = 32, 60
_AT_ONCE = 16
"""So many images need no progress bar."""

Inputs = Annotated[
    list[str],
    typer.Argument(
        metavar="IMAGE|TEXT",
        help="Image files, folders of them, or patterns such as 'img/*.png'. Of a text model: texts, or files of them "
        "(.txt, .csv or .jsonl with the column text).",
    ),
]
Model = Annotated[
    str | None,
    typer.Option("--model", "-m", help="Any name of a model, or FILE.onnx.", autocompletion=tags),
]
Pair = Annotated[list[str] | None, typer.Option(help="Second text of a pair, once for each TEXT.")]
TopK = Annotated[int, typer.Option("--topk", "-k", min=1, help="How many classes of each image or text.")]
Device = Annotated[
    str | None,
    typer.Option(help="cpu, cuda, cuda:N or mps. Default: the best there is.", autocompletion=lambda: _DEVICES),
]
Csv = Annotated[Path | None, typer.Option("--csv", help="Write file, rank, class, label and probability as CSV.")]
Annotate = Annotated[Path | None, typer.Option(help="Write a copy of each image with its classes into this folder.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on stdout, and nothing else.")]


def register(app: typer.Typer) -> None:
    """Add `predict` to the command line."""
    app.command("predict")(predict_command)


def predict_command(
    inputs: Inputs,
    model: Model = None,
    pair: Pair = None,
    topk: TopK = 5,
    device: Device = None,
    csv_file: Csv = None,
    annotate: Annotate = None,
    labels: Labels = None,
    preprocess: Preprocessing = None,
    json_output: AsJson = False,
) -> None:
    """Say what is on images, or of what kind texts are: the likeliest classes of each, with their probabilities.

    zoo predict photo.jpg --model salunet_c18_cifar.cifar10

    zoo predict "a joy to watch" --model fles_minilm_l6.sst2

    Folders are searched through, and a camera's orientation is applied. Files that cannot be used are named on stderr,
    the others are answered, and the exit status is 1. In a pipe each image is one line: FILE: LABEL 81.3 %, ...
    """
    if model is None:
        known = ", ".join(tags()) or "none yet"
        raise typer.BadParameter(
            f"say which weights classify them. Published here: {known}. A folder and FILE.onnx do as well.",
            param_hint="--model",
        )
    from zoo.console.output import console_err, print_json
    from zoo.data.tokenize import TextPreprocess
    from zoo.evaluation.predict import open_model
    from zoo.files import check_writable

    for file in filter(None, (csv_file, None if annotate is None else annotate / "x.png")):
        check_writable(file)
    with open_model(model, device, **described(labels, preprocess)) as subject:
        takes_texts = isinstance(subject.preprocess, TextPreprocess)
        found = (
            _of_texts(subject, inputs, pair, topk, annotate) if takes_texts else _of_images(subject, inputs, pair, topk)
        )
        about = {"model": subject.name, "tag": subject.tag, "sha256": subject.sha256, "runtime": subject.runtime}
        about["preprocess"] = (subject.preprocess.pinned if takes_texts else subject.preprocess).to_dict()
    if json_output:
        print_json(about | {"texts" if takes_texts else "images": [asdict(prediction) for prediction in found]})
    else:
        _print([prediction for prediction in found if prediction.problem is None])
        for prediction in found:
            if prediction.problem:
                console_err.print(prediction.problem, style="red", soft_wrap=True)
    if csv_file is not None:
        _write_csv(csv_file, found)
    if annotate is not None:
        _annotate(annotate, found)
    if any(prediction.problem for prediction in found):
        raise typer.Exit(1)


def _of_images(
    subject: "EvaluatedModel[Any]", given: Sequence[str], pair: Sequence[str] | None, topk: int
) -> "list[Prediction]":
    from zoo.console.output import progress
    from zoo.evaluation.predict import predict

    if pair:
        raise typer.BadParameter(f"{subject.name} takes images; pairs are of texts.", param_hint="--pair")
    files, found = _expand(given), []
    with progress("predicting", len(files)) if len(files) > _AT_ONCE else nullcontext(_ignore) as advance:
        for prediction in predict(subject, files, topk):
            found.append(prediction)
            advance(1)
    return found


def _of_texts(
    subject: "EvaluatedModel[Any]", given: Sequence[str], pair: Sequence[str] | None, topk: int, annotate: Path | None
) -> "list[Prediction]":
    from zoo.data.text_file import SUFFIXES, read_text_file
    from zoo.evaluation.predict_texts import predict_texts

    if annotate is not None:
        raise typer.BadParameter(f"{subject.name} takes texts; pictures are of images.", param_hint="--annotate")
    if pair and len(pair) != len(given):
        raise typer.BadParameter(f"{len(given)} texts and {len(pair)} second ones.", param_hint="--pair")
    if pair:
        return list(predict_texts(subject, list(zip(given, pair, strict=True)), topk))
    texts: list[str | tuple[str, str]] = []
    for word in given:
        is_file = word.lower().endswith(SUFFIXES) and Path(word).is_file()
        texts += read_text_file(word).texts if is_file else [word]
    return list(predict_texts(subject, texts, topk))


def _write_csv(file: Path, found: "Sequence[Prediction]") -> None:
    """One row for each guess; a score has no class; a problem has neither."""
    from zoo.files import write_csv

    rows: list[tuple[Any, ...]] = [("file", "rank", "class", "label", "probability", "score", "problem")]
    for p in found:
        rows += [
            (p.file, rank, g.number, g.label or "", f"{g.probability:.6f}", "", "")
            for rank, g in enumerate(p.guesses, 1)
        ]
        rows += [] if p.guesses else [(p.file, "", "", "", "", "" if p.score is None else p.score, p.problem or "")]

    write_csv(file, rows)


def _annotate(folder: Path, found: "Sequence[Prediction]") -> None:
    """A PNG for each answered image, named after it; equal names get a number."""
    from zoo.data.annotate import annotated
    from zoo.data.photo import open_photo
    from zoo.files import write_atomic

    taken: set[str] = set()
    for prediction in found:
        if not prediction.guesses:
            continue
        stem = Path(prediction.file).stem
        name = next(n for n in (stem, *(f"{stem}_{i}" for i in range(2, len(found) + 2))) if n not in taken)
        taken.add(name)
        lines = [f"{_label(guess)} {100 * guess.probability:.1f} %" for guess in prediction.guesses[:3]]
        picture = annotated(open_photo(prediction.file).image, lines)
        write_atomic(folder / f"{name}.png", lambda path, picture=picture: picture.save(path, "PNG"))  # type: ignore[misc]


def _ignore(steps: int) -> None:
    """Progress that nobody sees."""


def _expand(given: Sequence[str]) -> list[Path]:
    """Files as given, images in and below folders in order of their names, matches of patterns.

    Raises:
        typer.BadParameter: a folder or a pattern gives no image.
    """
    from zoo.data.photo import IMAGE_SUFFIXES

    files: list[Path] = []
    for word in given:
        place = Path(word).expanduser()
        if os.path.isdir(place):  # noqa: PTH112 a locked folder is for the file's own message
            seen = (
                file for file in sorted(place.rglob("*")) if file.suffix.lower() in IMAGE_SUFFIXES and file.is_file()
            )
            inside = [file for file in seen if not any(part.startswith(".") for part in file.relative_to(place).parts)]
            if not inside:
                raise typer.BadParameter(f"the folder {word} holds no images.", param_hint="IMAGE")
            files += inside
        elif not os.path.exists(place) and any(sign in word for sign in "*?["):  # noqa: PTH110 likewise
            anchor = Path(place.anchor or ".")
            matched = sorted(anchor.glob(str(place.relative_to(place.anchor) if place.anchor else place)))
            if not matched:
                raise typer.BadParameter(f"nothing matches {word}.", param_hint="IMAGE")
            files += [file for file in matched if file.is_file()]
        else:
            files.append(place)
    return files


def _print(found: "Iterable[Prediction]") -> None:
    from zoo.console.output import console_out, say
    from zoo.console.visible import one_line

    for prediction in found:
        if console_out.is_terminal:
            _print_bars(prediction)
        else:
            if prediction.score is not None:
                say(f"{one_line(prediction.file)}: {prediction.score:.4f}")
                continue
            guesses = ", ".join(f"{_label(guess)} {100 * guess.probability:.1f} %" for guess in prediction.guesses)
            notes = f" ({' '.join(prediction.notes)})" if prediction.notes else ""
            say(f"{one_line(prediction.file)}: {guesses}{notes}")


def _print_bars(prediction: "Prediction") -> None:
    """A line a class: name, bar, probability; as wide as the terminal, up to a limit."""
    from rich.text import Text

    from zoo.console.output import console_out

    size = "" if prediction.size is None else "{}x{} px".format(*prediction.size)
    score = "" if prediction.score is None else f"{prediction.score:.4f}"
    console_out.print(Text(f"{prediction.file}  ", style="bold") + Text(size + score, style="dim"))
    if prediction.score is not None:
        return
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
    from zoo.console.visible import one_line

    return one_line(guess.label).partition(",")[0] if guess.label else f"class {guess.number}"
