"""`zoo export --check`: models by targets, proven and dropped."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from export.pipeline.matrix import Cell

LEGEND = (
    "Largest difference of a logit on the samples, relative to the largest logit. ~: run by something else than the "
    "target names, see its note. -: not made for such models."
)


def chosen_models(given: Sequence[str] | None, everything: bool, check: bool, more: Sequence[Any]) -> list[str]:
    """The models to check.

    Raises:
        ConfigurationError: `--all` without `--check` or with names, no model at all, or one of `more`, what
            an export alone can do, is given.
    """
    from export.pipeline.matrix import all_models
    from zoo.errors import ConfigurationError

    if not check:
        raise ConfigurationError("--all proves every model and writes nothing: add --check. To write one, name it.")
    if any(value is not None for value in more):
        raise ConfigurationError(
            "--check writes nothing: leave out --opset, --bundle, --serve, --page, --budget, --calibration."
        )
    if everything == bool(given):
        asked = f"--all and {', '.join(given)}" if given else "neither a model nor --all"
        raise ConfigurationError(f"--check needs models or --all; given is {asked}.")
    return all_models() if everything else list(given or ())


def check_models(
    models: Sequence[str],
    targets: Sequence[str] | None,
    *,
    precision: str | None,
    samples: Any,
    img_size: int | None,
    threads: int | None,
    output: Path | None,
    as_json: bool,
) -> None:
    """Run `check_matrix`, print the table, and keep what is known in `output` after every cell.

    Raises:
        ParityError: a file failed; the message says which and why, after the table.
        ZooError: as `check_matrix`.
    """
    from export.errors import ParityError
    from export.pipeline.matrix import FAILED, check_matrix
    from zoo.console.interrupt import on_interrupt
    from zoo.console.output import console_err, console_out, print_json
    from zoo.files import check_writable, write_json

    if output is not None:
        check_writable(output)
    cells: list[Cell] = []
    found = check_matrix(
        models,
        targets,
        precision=precision,
        samples=samples,
        img_size=img_size,
        threads=threads,
        on_start=lambda *names: console_err.print(" ".join(names), "..."),
    )
    with on_interrupt(lambda: _kept(cells, output)):
        for cell in found:
            cells.append(cell)
            if output is not None:
                write_json(output, [one.to_dict() for one in cells])
    if as_json:
        print_json([cell.to_dict() for cell in cells])
    else:
        print_matrix(cells)
        console_out.print("\n".join([LEGEND, *_notes(cells)]))
    failed = [cell for cell in cells if cell.status == FAILED]
    if failed:
        lines = (f"{cell.model} for {cell.column}: {cell.note}" for cell in failed[:5])
        raise ParityError(f"{len(failed)} of {len(cells)} files failed.\n" + "\n".join(lines))


def _kept(cells: Sequence["Cell"], output: Path | None) -> str:
    if output is None or not cells:
        return "Nothing is kept; with --output FILE each result is, as soon as it is known."
    return f"{output} holds the {len(cells)} results so far; check the other models by name."


def print_matrix(cells: Sequence["Cell"]) -> None:
    """Print a row for each model, a column for each target and precision."""
    from zoo.console.tables import Column, print_table

    columns = list(dict.fromkeys(cell.column for cell in cells))
    rows = []
    for model in dict.fromkeys((cell.model, cell.input) for cell in cells):
        row = {cell.column: cell for cell in cells if (cell.model, cell.input) == model}
        rows.append([model[0], *(_text(row.get(column)) for column in columns)])
    print_table(["model", *(Column(column.replace(" ", "\n"), figures=True) for column in columns)], rows)


def _text(cell: "Cell | None") -> str:
    from export.pipeline.matrix import FAILED, NOT_MADE, SIMULATED

    if cell is None or cell.status == NOT_MADE:
        return "-"
    if cell.status == FAILED or cell.max_rel is None:
        return "FAILED"
    return f"{'~' if cell.status == SIMULATED else ''}{cell.max_rel:.1e}"


def _notes(cells: Sequence["Cell"]) -> list[str]:
    """Name the stand-in for each simulated target, once for each column."""
    from export.pipeline.matrix import SIMULATED

    return list(dict.fromkeys(f"{cell.column}: {cell.note}" for cell in cells if cell.status == SIMULATED))
