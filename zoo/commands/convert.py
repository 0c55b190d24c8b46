"""`zoo convert`: an existing model with FleS in place of its activations, or SALU in place of its norm layers."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zoo.console.completion import tags

if TYPE_CHECKING:
    from torch import Tensor, nn

    from zoo.conversion.conversion_report import Report

EXAMPLE_IMAGES = 16

Model = Annotated[
    str,
    typer.Argument(
        help="MODEL, MODEL.TAG or a card's folder; a model of timm; a transformers folder.",
        autocompletion=tags,
    ),
]
To = Annotated[
    str,
    typer.Option(
        help="A gate such as fles, fles_dg, swalu; salunet for a network without BatchNorm and ReLU that computes the "
        "same at first; or salu, dyt, derf for the norm layers, to be trained anew.",
    ),
]
Output = Annotated[Path, typer.Option(help="Folder for the converted weights and the report.")]
Weights = Annotated[Path | None, typer.Option(help="Weights of a timm model (safetensors). Default: timm's own.")]
Include = Annotated[list[str] | None, typer.Option(help="Pattern of module names; repeatable. Default: all.")]
Exclude = Annotated[list[str] | None, typer.Option(help="Pattern of module names to leave out; repeatable.")]
Of = Annotated[list[str] | None, typer.Option(help="Kinds to replace, such as gelu; repeatable. Default: the usual.")]
Steepness = Annotated[
    float | None, typer.Option(help="κ_ho of a fresh FleS, a = b of salunet's gates. Default: by what stood there.")
]
Axis = Annotated[
    int | None, typer.Option(help="Channel axis, if the example pass cannot tell: 1 for maps, -1 for tokens.")
]
Partial = Annotated[bool, typer.Option("--partial", help="Leave sites that cannot be converted, and say so.")]
Padding = Annotated[bool, typer.Option("--ignore-padding", help="Convert although padding will change results.")]
Dataset = Annotated[
    str | None,
    typer.Option(
        help="Measure Top-1 on it before and after; 16 of its images are the example. See `zoo list datasets`."
    ),
]
Data = Annotated[Path | None, typer.Option(help="Its local folder. Default: the Hub.")]
Split = Annotated[str | None, typer.Option(help="Its part. Default: the dataset's own for evaluation.")]
Limit = Annotated[int | None, typer.Option(min=1, help="Only this many images, evenly spaced.")]
Batch = Annotated[int, typer.Option(min=1, help="Images per batch.")]
Device = Annotated[str | None, typer.Option(help="Where to measure: cpu, cuda, ... Default: the best there is.")]
Force = Annotated[bool, typer.Option("--force", help="Replace a model in the output folder.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the report as JSON, and nothing else.")]


def register(app: typer.Typer) -> None:
    """Add `convert` to the command line."""
    app.command("convert")(convert_command)


def convert_command(
    model: Model,
    output: Output,
    to: To = "fles",
    weights: Weights = None,
    include: Include = None,
    exclude: Exclude = None,
    of: Of = None,
    steepness: Steepness = None,
    channel_axis: Axis = None,
    partial: Partial = False,
    ignore_padding: Padding = False,
    dataset: Dataset = None,
    data: Data = None,
    split: Split = None,
    limit: Limit = None,
    batch_size: Batch = 128,
    device: Device = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Convert a model and write its weights with a report; with --dataset, measure it before and after.

    From SiLU to fles the outputs keep every bit; from GELU and ReLU to fles, and from BatchNorm and ReLU to salunet,
    nearly. Other gates and norm replacements change them, and the model must be trained. Load the folder with
    zoo.load_converted(DIR).
    """
    from zoo.conversion.convert_model import check_target, convert
    from zoo.conversion.converted_folder import check_output, save_converted
    from zoo.data.image_dataset import DATASETS
    from zoo.errors import ConfigurationError
    from zoo.models.build import list_models
    from zoo.names import open_model

    unused = [f"--{name}" for name, value in (("data", data), ("split", split), ("limit", limit)) if value is not None]
    if dataset is None and unused:
        raise ConfigurationError(f"{unused[0]} is for measuring; name the dataset with --dataset.")
    start: dict[str, Any] = {} if steepness is None else {"steepness": steepness}
    check_target(to, start)
    if dataset is not None:
        DATASETS.get(dataset)
    check_output(output, force=force)
    bare = model in list_models()
    opened = open_model(model, pretrained=None if bare else True, weights=weights)
    before, base = opened.model, opened.base
    after, report = convert(
        before,
        to,
        of=of or None,
        include=include or "*",
        exclude=exclude or (),
        example=None if dataset is None else _example(before, dataset, split, data),
        channel_axis=channel_axis,
        partial=partial,
        ignore_padding=ignore_padding,
        **start,
    )
    asked = {"data": data, "split": split, "limit": limit, "batch_size": batch_size, "device": device}
    measured = None if dataset is None else _measure(before, after, dataset, asked)
    tokenizer = opened.folder if opened.kind == "transformers" else None
    seen = "two samples of noise" if dataset is None else f"{EXAMPLE_IMAGES} images of {dataset}"
    save_converted(output, after, report, base, tokenizer=tokenizer, force=force, measured=measured, example=seen)
    _print(output, report, measured, as_json)


def _example(model: "nn.Module", dataset: str, split: str | None, data: Path | None) -> "Tensor":
    """Evenly spaced images of the dataset, as the model takes them."""
    import torch

    from zoo.data import Preprocess, load_vision

    images, preprocess = load_vision(dataset, split, data), Preprocess.of(model)
    return torch.stack([preprocess(images[i * len(images) // EXAMPLE_IMAGES][0]) for i in range(EXAMPLE_IMAGES)]).to(
        next(model.parameters()).dtype
    )


def _measure(before: "nn.Module", after: "nn.Module", dataset: str, asked: dict[str, Any]) -> dict[str, Any]:
    """Both models on the same images: their results, and how far their logits are apart."""
    import torch

    from zoo.console.output import progress
    from zoo.devices import choose_device
    from zoo.evaluation.evaluator import evaluate

    place = choose_device(asked["device"])
    results, logits = [], []
    for module in (before, after):
        module.to(place)
        kept: list[torch.Tensor] = []
        hook = module.register_forward_hook(lambda m, a, out, kept=kept: kept.append(out.float().cpu()))  # type: ignore[misc]
        try:
            results.append(evaluate(module, dataset, **{**asked, "device": str(place)}, progress=progress))
        finally:
            hook.remove()
            module.to("cpu")
        logits.append(torch.cat(kept))
    same = (logits[0].argmax(1) == logits[1].argmax(1)).float().mean()
    return {
        "before": results[0].to_dict(),
        "after": results[1].to_dict(),
        "largest_logit_difference": float((logits[1] - logits[0]).abs().max()),
        "largest_logit": float(logits[0].abs().max()),
        "same_prediction_percent": 100 * float(same),
    }


def _print(output: Path, report: "Report", measured: dict[str, Any] | None, as_json: bool) -> None:
    from zoo.console.output import console_err, console_out, print_json
    from zoo.console.visible import quoted

    if as_json:
        print_json({"folder": str(output), "report": report.to_dict(), "measured": measured})
        return
    _print_sites(report)
    for entry in report.left:
        console_out.print(f"left  {entry.path or report.model} ({entry.what}): {entry.reason}", soft_wrap=True)
    before, after = report.parameters
    console_out.print(f"Parameters: {before:,} -> {after:,}")
    if report.difference is not None:
        text = f"Outputs on the example: largest difference {report.difference:.3g}, largest output {report.scale:.3g}"
        console_out.print(text)
    if measured is not None:
        _print_measured(measured)
    for warning in report.warnings:
        console_err.print(f"Note: {warning}.", soft_wrap=True)
    console_out.print(f"Use it: zoo.load_converted({quoted(output)})", soft_wrap=True)


def _print_sites(report: "Report") -> None:
    from zoo.console.tables import Column, print_table
    from zoo.conversion.conversion_readme import site_table

    head, rows = site_table(report)
    optional = ("axis", "range seen", "folded into", "start")
    columns: list[Column | str] = [Column(name, optional=True) if name in optional else name for name in head]
    print_table(columns, rows, f"{report.model}: {len(report.sites)} sites to {report.to}")


def _print_measured(measured: dict[str, Any]) -> None:
    from zoo.console.output import console_out

    before, after = measured["before"], measured["after"]
    console_out.print(
        f"Top-1 on {before['n']:,} images of {before['dataset']}: {before['top1']:.2f} % before, "
        f"{after['top1']:.2f} % after; the same class for {measured['same_prediction_percent']:.2f} %, largest logit "
        f"difference {measured['largest_logit_difference']:.3g} (largest logit {measured['largest_logit']:.3g})",
        soft_wrap=True,
    )
