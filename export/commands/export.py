"""`zoo export`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from export.commands.options import (
    AsJson,
    Backend,
    BatchDelay,
    Budget,
    Bundle,
    Calibration,
    Data,
    Dataset,
    Device,
    EncodedImages,
    For,
    ImgSize,
    Instances,
    Models,
    Opset,
    Page,
    Pretrained,
    Serve,
    ServeRoot,
    Task,
    Threads,
    parity_bar,
    samples_of,
    single,
)
from export.commands.tables import print_export
from export.targets import get_precision, get_target, list_targets

if TYPE_CHECKING:
    from export.pipeline.export_model import ExportResult
    from export.pipeline.export_plan import ExportPlan, Step


def export_command(
    model: Models = None,
    target: Annotated[
        list[str] | None,
        typer.Option(help="Where the file will run; see below. Default: portable.", autocompletion=list_targets),
    ] = None,
    precision: Annotated[
        str | None, typer.Option(help="What the file computes in. Default: the target's first.")
    ] = None,
    opset: Opset = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The file, *.onnx. Default: MODEL.TAG.TARGET.onnx here.")
    ] = None,
    check: Annotated[
        bool,
        typer.Option("--check", help="Prove every file and write none: a table of models by targets (default: all)."),
    ] = False,
    everything: Annotated[bool, typer.Option("--all", help="With --check: every model of the zoo.")] = False,
    pretrained: Pretrained = True,
    img_size: ImgSize = None,
    data: Data = None,
    dataset: Dataset = None,
    task: Task = None,
    budget: Budget = None,
    calibration: Calibration = None,
    threads: Threads = None,
    bundle: Bundle = None,
    platforms: For = None,
    serve: Serve = None,
    serve_root: ServeRoot = None,
    backend: Backend = None,
    device: Device = None,
    instances: Instances = None,
    batch_delay: BatchDelay = None,
    encoded_images: EncodedImages = None,
    page: Page = None,
    as_json: AsJson = False,
) -> None:
    """Write one self-contained ONNX file, proven to compute what PyTorch computes, or nothing."""
    serving = _serving(serve_root, backend, device, instances, batch_delay, encoded_images)
    alone = (opset, bundle, platforms, serve, page, budget, calibration, *serving.values())
    shared: dict[str, Any] = {"precision": precision, "img_size": img_size, "threads": threads}
    if check or everything:
        from export.commands.check import check_models, chosen_models

        check_models(
            chosen_models(model, everything, check, alone),
            target,
            samples=samples_of(dataset, task, data),
            output=output,
            as_json=as_json,
            **shared,
        )
        return
    from export.deliver.deliveries import Deliveries
    from export.pipeline.export_model import ExportResult, export
    from export.quantize.options import int8_arguments
    from zoo.console.interrupt import on_interrupt

    name, place = single("model", model), single("--target", target or ["portable"])
    (deliveries := Deliveries(bundle, serve, serving, page, place, tuple(platforms or ()))).check()
    result: ExportResult | None = None
    with on_interrupt(lambda: _kept(result, output)), parity_bar() as on_progress:
        result = export(
            name,
            output,
            target=place,
            opset=opset,
            **int8_arguments(get_precision(get_target(place), precision), dataset, data, calibration, budget),
            samples=samples_of(dataset, task, data),
            pretrained=pretrained,
            on_progress=on_progress,
            on_plan=_say_plan,
            on_step=_say_step,
            **shared,
        )
        written = deliveries.write(result.path)
    print_export(result, written, as_json)


def _serving(
    root: Path | None, backend: str | None, device: str | None, instances: int | None, delay: int | None, images: object
) -> dict[str, object]:
    """The settings of `ServeSettings` by their names there; None where the option is not given."""
    given = {"root": root and str(root), "backend": backend, "device": device, "instances": instances}
    return given | {"max_queue_delay_us": delay, "encoded_images": images}


def _say_plan(plan: "ExportPlan") -> None:
    from zoo.console.output import console_err
    from zoo.console.tables import print_facts

    steps = ((f"{number}. {step.name}", step.detail) for number, step in enumerate(plan.steps, 1))
    print_facts(steps, plan.title, console_err)


def _say_step(step: "Step") -> None:
    from zoo.console.output import console_err

    console_err.print(f"{step.name} ...")


def _kept(result: "ExportResult | None", output: Path | None) -> str:
    if result is None:
        there = "" if output is None else f"; what stood at {output} is as it was"
        return f"Nothing was written{there}. Start again: steps that are done are not kept."
    return f"{result.path} is whole and proven, what should be written besides is not: give the same command again."
