"""Arguments that several commands take, and what becomes of them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from export.export_target import OPSETS
from export.targets import TARGETS
from zoo.console.completion import tags
from zoo.data.glue import GLUE
from zoo.data.image_dataset import DATASETS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

ModelArgument = Annotated[
    str,
    typer.Argument(help="MODEL or MODEL.TAG, a local folder or file, or hf-hub:org/repo.", autocompletion=tags),
]
Models = Annotated[
    list[str] | None,
    typer.Argument(
        help="MODEL or MODEL.TAG, a local folder or file, or hf-hub:org/repo; several with --check.",
        autocompletion=tags,
    ),
]
Pretrained = Annotated[bool, typer.Option(help="Load the published weights; without, random ones.")]
ImgSize = Annotated[int | None, typer.Option(min=1, help="Height and width of images, if not the model's own.")]
Data = Annotated[
    Path | None,
    typer.Option(
        help="What parity is checked on: a folder of images, or that of --dataset; a file with a text on each line, or "
        "the folder of --task. Default: 20 images of CIFAR-10, 40 English texts."
    ),
]
Dataset = Annotated[
    str | None,
    typer.Option(
        help="Take the parity images from this dataset, as `zoo evaluate` does.", autocompletion=DATASETS.names
    ),
]
Task = Annotated[
    str | None,
    typer.Option(help="Take the parity texts from this GLUE task, as `zoo evaluate` does.", autocompletion=GLUE.names),
]
Threads = Annotated[int | None, typer.Option(min=1, help="Threads of ONNX Runtime. Default: all cores.")]
Opset = Annotated[
    int | None,
    typer.Option(help=f"Version of ONNX's operator set, {min(OPSETS)} to {max(OPSETS)}. Default: the target's, 20."),
]
Bundle = Annotated[Path | None, typer.Option(help="Also write a folder here that runs the file without PyTorch.")]
For = Annotated[
    list[str] | None,
    typer.Option(
        "--for",
        help="A platform whose operators go into the bundle, such as linux-aarch64; several. Default: this one.",
        autocompletion=lambda: _platforms(),
    ),
]
Serve = Annotated[Path | None, typer.Option(help="Also add it to a Triton model repository here.")]
Page = Annotated[Path | None, typer.Option(help="Also write a page for browsers here; see `zoo page`.")]
ServeRoot = Annotated[Path | None, typer.Option(help="--serve: the repository's path on the server, if another.")]
Backend = Annotated[
    str | None,
    typer.Option(help="--serve: onnxruntime, Triton's own (default), or python, our session: every target and layout."),
]
Device = Annotated[str | None, typer.Option(help="--serve: cpu or gpu. Default: where the target runs.")]
Instances = Annotated[int | None, typer.Option(min=1, help="--serve: copies of the model on each device. Default: 1.")]
BatchDelay = Annotated[
    int | None, typer.Option(min=0, help="--serve: microseconds a request may wait for others. Default: 100.")
]
EncodedImages = Annotated[
    bool | None,
    typer.Option("--encoded-images", help="--serve, --backend python: also take image files, decoded by the server."),
]
Budget = Annotated[float | None, typer.Option(min=0, help="int8: points of accuracy the file may lose.")]
Calibration = Annotated[
    Path | None, typer.Option(help="int8: folder of images for the ranges. Default: the training split of --dataset.")
]
TARGETS_HELP = "\n\n".join(["Targets:", *(f"{name}: {TARGETS.get(name).description}" for name in TARGETS)])
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout, nothing else.")]


def _platforms() -> list[str]:
    from zoo.native import PLATFORMS

    return list(PLATFORMS)


def single(what: str, given: "Sequence[str] | None") -> str:
    """The one that is given.

    Raises:
        ConfigurationError: there is none, or more than one.
    """
    if given is None or len(given) != 1:
        from zoo.errors import ConfigurationError

        found = "none is given" if not given else f"{len(given)} are given: {', '.join(given)}"
        raise ConfigurationError(
            f"One file is for one {what}, and {found}. Name one, or prove several with --check, which writes no file."
        )
    return given[0]


def samples_of(dataset: str | None, task: str | None, data: Path | None) -> Any:
    """Images of a named dataset's test split, texts of a task's split for evaluation, or the path itself, or nothing.

    Raises:
        ConfigurationError: both a dataset and a task are named.
    """
    if dataset is not None and task is not None:
        from zoo.errors import ConfigurationError

        raise ConfigurationError("Both --dataset (images) and --task (texts) are given. Leave one of them out.")
    if dataset is not None:
        from zoo.data.vision import load_vision

        return load_vision(dataset, None, data)
    if task is not None:
        from zoo.data.glue import load_glue

        return load_glue(task, None, data)
    return data


def parity_bar() -> "AbstractContextManager[Callable[[int, int], None]]":
    """A bar for each count, that appears with its first step, when their number is known."""
    from contextlib import ExitStack, contextmanager

    from zoo.console.output import progress

    @contextmanager
    def bar() -> "Iterator[Callable[[int, int], None]]":
        with ExitStack() as stack:
            shown: Callable[[int], None] = lambda _count: None  # noqa: E731 replaced by the first step
            before = total_before = 0

            def advance(done: int, total: int) -> None:
                nonlocal shown, before, total_before
                if done <= before or total != total_before:
                    stack.close()
                    shown, before, total_before = stack.enter_context(progress("checked", total)), 0, total
                shown(done - before)
                before = done

            yield advance

    return bar()
