"""`zoo page`, and what `zoo export --page` needs of it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from export.commands.options import AsJson

if TYPE_CHECKING:
    from export.deliver.web.browser_page import PageResult

OrtWebOption = Annotated[
    Path | None,
    typer.Option(help="onnxruntime-web as `npm pack` writes it, or its folder. Default: the cache, else the registry."),
]


def page_command(
    file: Annotated[Path, typer.Argument(help="An ONNX file of an image model, exported for target web or portable.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The folder: new, empty, or an earlier page, which is replaced.")
    ],
    images: Annotated[
        Path | None, typer.Option(help="A folder of images, or one, to offer. Default: eight of CIFAR-10.")
    ] = None,
    ort_web: OrtWebOption = None,
    as_json: AsJson = False,
) -> None:
    """Write a static page that runs an exported file in the browser, for any file server, with no network."""
    from export.deliver.web.browser_page import write_page
    from zoo.console.output import console_out, print_json

    result = write_page(file, output, images=images, ort_web=ort_web)
    if as_json:
        print_json(result.to_dict())
    else:
        console_out.print(describe_page(result), soft_wrap=True)


def describe_page(result: "PageResult") -> str:
    """Describe the page that was written, and how to look at it."""
    return (
        f"page: {result.folder}, {result.files} files, {result.size_bytes / 1e6:.1f} MB, {result.runtime}\n"
        f"Look at it: python -m http.server -d {result.folder}, then http://localhost:8000"
    )
