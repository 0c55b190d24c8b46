"""`zoo adopt`: a foreign PyTorch checkpoint becomes a card of this zoo."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    from zoo.adoption.adopt import Adopted


File = Annotated[
    Path,
    typer.Argument(
        metavar="RUN|FILE",
        help="Folder of a `zoo train` or `zoo finetune` run, or a checkpoint: .pth, .pt, .bin, .safetensors.",
    ),
]
Model = Annotated[
    str | None,
    typer.Option("--model", help="The architecture it is for. A run says it itself."),
]
Tag = Annotated[
    str | None, typer.Option("--tag", help="What to call the weights: MODEL.TAG. Default: the run's data set.")
]
Output = Annotated[Path | None, typer.Option(help="The card's folder. Default: a place where its name is found.")]
Classes = Annotated[int | None, typer.Option(min=1, help="Number of classes. Default: read off the classifier.")]
Labels = Annotated[Path | None, typer.Option(help="Class names in order: a text file, one a line, or a JSON list.")]
Data = Annotated[str, typer.Option(help="What the weights were trained on, such as cifar10 or sst2.")]
Norm = Annotated[str | None, typer.Option(help="If not the model's own, such as batchnorm.")]
Act = Annotated[str | None, typer.Option(help="If not the model's own, such as galu.")]
Size = Annotated[
    int | None, typer.Option(min=1, help="Image side the positions are laid out for, if not the model's own.")
]
Pixels = Annotated[
    Path | None, typer.Option(help="JSON file: input_size, interpolation, crop_pct, crop_mode, mean, std.")
]
Table = Annotated[
    Path | None, typer.Option(help="JSON file: regular expression to replacement, or to null to leave a tensor out.")
]
Ema = Annotated[
    bool | None,
    typer.Option("--ema/--no-ema", help="Averaged weights: required, or refused. Default: taken if there."),
]
Length = Annotated[
    int | None, typer.Option(min=3, help="Text models: cut texts to so many tokens. Default: as in training.")
]
License = Annotated[str, typer.Option(help="Licence identifier of the weights.")]
Source = Annotated[str, typer.Option(help="Where the weights come from, in words or as an address.")]
Stored = Annotated[Literal["float16", "bfloat16", "float32"], typer.Option(help="How matrices and kernels are stored.")]
Baselines = Annotated[
    list[Path] | None,
    typer.Option("--baseline", help="Run, or evaluated card, to show beside the weights. Repeatable."),
]
Notes = Annotated[list[str] | None, typer.Option("--note", help="A sentence for the card's limits. Repeatable.")]
Force = Annotated[bool, typer.Option("--force", help="Replace the card if it exists.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print what was done as JSON.")]


def register(app: typer.Typer) -> None:
    """Add `adopt` to the command line."""
    app.command("adopt")(adopt_file)


def adopt_file(
    file: File,
    model: Model = None,
    tag: Tag = None,
    output: Output = None,
    num_classes: Classes = None,
    labels: Labels = None,
    dataset: Data = "",
    norm: Norm = None,
    act: Act = None,
    img_size: Size = None,
    preprocess: Pixels = None,
    rename: Table = None,
    ema: Ema = None,
    max_length: Length = None,
    license: License = "unknown",
    source: Source = "",
    dtype: Stored = "float16",
    baseline: Baselines = None,
    note: Notes = None,
    force: Force = False,
    json_output: AsJson = False,
) -> None:
    """Turn a run, or a PyTorch checkpoint, into safetensors and a model card, without running any code from it.

    Of a run the card shows recipe, curve, time and the command that repeats it: zoo adopt runs/c18_cifar10_short
    --baseline runs/c18_cifar10_short_batchnorm. Measure it with `zoo evaluate`, then add the figures with `zoo card`.

    Every tensor must find its place: otherwise each name that does not fit is listed and nothing is written.

    A text model comes as the folder that `zoo finetune` or transformers wrote; the card stays readable for both.
    """
    from zoo.adoption.adopt import adopt
    from zoo.commands._card import Additions, complete_card
    from zoo.data.preprocess import Preprocess

    given = {"norm": norm, "act": act, "img_size": img_size}
    options: dict[str, Any] = {
        "labels": _labels(labels) if labels else (),
        "model_args": {key: value for key, value in given.items() if value is not None},
        "preprocess": Preprocess.from_dict(_json_object(preprocess)) if preprocess else None,
        "rename": _rules(rename) if rename else None,
    }
    options |= {"output": output, "num_classes": num_classes, "dataset": dataset, "ema": ema, "license": license}
    options |= {"max_length": max_length}
    done = adopt(file, model, tag, source=source, dtype=dtype, force=force, **options)
    complete_card(done.folder, Additions(baselines=tuple(baseline or ()), notes=tuple(note or ())))
    _report(done, json_output)


def _report(done: "Adopted", json_output: bool) -> None:
    from zoo.console.output import console_err, console_out, print_json
    from zoo.console.visible import quoted

    if json_output:
        values = {"folder": str(done.folder), "config": done.tag.to_dict(), "wrapper": done.wrapper}
        print_json(values | {"renamed": done.renamed, "ignored": list(done.ignored)})
        return
    for line in done.ignored:
        console_err.print(f"left out  {line}")
    taken = f"the weights under {done.wrapper!r}" if done.wrapper else "the weights"
    console_out.print(f"Took {taken}, renamed {len(done.renamed)} of them, and wrote {done.folder}")
    console_out.print(f"Use it: zoo.create_model({quoted(done.folder)})", soft_wrap=True)
    if done.tag.dataset:
        option = "--task" if done.tag.is_text else "--dataset"
        card = shlex.quote(_name_of(done))
        console_out.print("Measure it, then show the figures on its card:")
        measure = f"zoo evaluate {card} {option} {shlex.quote(done.tag.dataset)} --output result.json"
        console_out.print(measure, soft_wrap=True)
        console_out.print(f"zoo card {card} --evaluation result.json", soft_wrap=True)


def _name_of(done: "Adopted") -> str:
    """Return the name that commands know the card by: its own where they find it by that, else its folder."""
    from zoo.card_folders import card_folder

    return done.tag.name if done.folder == card_folder(done.tag.name) else str(done.folder)


def _labels(path: Path) -> list[str]:
    from zoo.errors import ConfigurationError
    from zoo.records import ClassName, check

    if path.suffix == ".json":
        names = _json(path)
    else:
        names = [line.strip() for line in _text(path).splitlines() if line.strip()]
    try:
        found: list[str] = check(list[ClassName], names)
    except ConfigurationError as error:
        raise ConfigurationError(f"--labels {path}: expected a JSON list of texts: {error}.") from error
    return found


def _rules(path: Path) -> dict[str, str | None]:
    from zoo.errors import ConfigurationError

    values = _json_object(path)
    wrong = [key for key, value in values.items() if not isinstance(value, str | None)]
    if wrong:
        raise ConfigurationError(f"--rename {path}: {', '.join(wrong)} must map to a text or null.")
    return values


def _json_object(path: Path) -> dict[str, Any]:
    from zoo.errors import ConfigurationError

    values = _json(path)
    if not isinstance(values, dict):
        raise ConfigurationError(f"{path}: expected a JSON object, found {type(values).__name__}.")
    return values


def _json(path: Path) -> Any:
    from zoo.documents import json_of
    from zoo.errors import ConfigurationError

    try:
        return json_of(_text(path))
    except ValueError as error:
        raise ConfigurationError(f"{path} is not JSON: {error}.") from error


def _text(path: Path) -> str:
    from zoo.documents import LARGEST
    from zoo.errors import ConfigurationError
    from zoo.regular import read_limited

    try:
        return str(read_limited(path, LARGEST), "utf-8")
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"Cannot read {path}: {error}.") from error
