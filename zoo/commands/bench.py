"""`zoo bench kernels` and `zoo bench train`; `zoo bench files` comes with the export package."""

import typer

from zoo.commands._bench_kernels import kernels_command
from zoo.commands._bench_train import train_command
from zoo.console.bench_group import bench_group


def register(app: typer.Typer) -> None:
    """Add the commands to the group `zoo bench`."""
    group = bench_group(app)
    group.command("kernels")(kernels_command)
    group.command("train")(train_command)
