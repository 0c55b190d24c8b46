"""Options that describe a model or file which does not describe itself: class names and preprocessing."""

from pathlib import Path
from typing import Annotated, Any

import typer

Labels = Annotated[
    Path | None, typer.Option(help="JSON list of class names, for a model or ONNX file from elsewhere that has none.")
]
Preprocessing = Annotated[
    Path | None,
    typer.Option(help="JSON with input_size, interpolation, crop_pct, crop_mode, mean, std, for one from elsewhere."),
]


def described(labels: Path | None, preprocess: Path | None) -> dict[str, Any]:
    """What the two files hold, as arguments: the class names, and a `Preprocess`.

    Raises:
        ConfigurationError: a file cannot be read, or holds something else.
    """
    from zoo.data.preprocess import Preprocess
    from zoo.records import ByDict, ClassName, read

    form = 'preprocessing, {"input_size": [3, 224, 224], "interpolation": "bicubic", "crop_pct": 0.875, ...}'
    return {
        "labels": () if labels is None else read(tuple[ClassName, ...], labels, 'list of class names, ["cat", "dog"]'),
        "preprocess": None if preprocess is None else read(Annotated[Preprocess, ByDict()], preprocess, form),
    }
