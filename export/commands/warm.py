"""`zoo warm`: TensorRT engines built ahead."""

from pathlib import Path
from typing import Annotated

import typer

from export.commands.options import AsJson


def warm_command(
    file: Annotated[Path, typer.Argument(help="An ONNX file of the target gpu_tensorrt.")],
    least: Annotated[int, typer.Option("--min", min=1, help="Smallest batch.")] = 1,
    usual: Annotated[int, typer.Option("--opt", min=1, help="The batch it should be fastest at.")] = 1,
    most: Annotated[int, typer.Option("--max", min=1, help="Largest batch; larger ones are refused.")] = 8,
    tokens: Annotated[int, typer.Option(min=1, help="Text models: usual number of tokens.")] = 128,
    max_tokens: Annotated[int, typer.Option(min=1, help="Text models: largest number of tokens.")] = 512,
    device: Annotated[int, typer.Option(min=0, help="Number of the GPU.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Build the TensorRT engine of a file on this machine, so that the first session does not take minutes.

    It is kept under the file, the GPU, the versions, the precision and the batch sizes, and found again by all of them.
    """
    from export.runtime.profile import Profile
    from export.runtime.tensorrt_cache import warm
    from zoo.console.output import console_err, console_out, print_json

    result = warm(
        file,
        profile=Profile(least, usual, most, tokens, max_tokens),
        device=device,
        on_build=lambda line: console_err.print(line),
    )
    if as_json:
        print_json(result.to_dict())
        return
    what = f"built in {result.seconds:.0f} s" if result.built else "there already"
    console_out.print(f"{result.folder}: {what}.", soft_wrap=True)
