"""Reading a study's report back, to show it again."""

import json
from pathlib import Path
from typing import Any

from zoo.errors import ConfigurationError, DataNotFoundError


def read_report(path: str | Path, study: str) -> dict[str, Any]:
    """Read what `zoo study STUDY --report FILE` wrote.

    Args:
        path: the JSON file.
        study: "plasticity" or "batch-size".

    Raises:
        DataNotFoundError: there is no such file, or it cannot be read.
        ConfigurationError: it is no report of this study.
    """
    again = f"Make one with `zoo study {study} --report FILE`."
    try:
        report = json.loads(Path(path).read_text("utf-8"))
    except OSError as error:
        raise DataNotFoundError(f"Cannot read the report {path}: {error.strerror}. {again}") from error
    except ValueError as error:
        raise ConfigurationError(f"{path} holds no report: {error}. {again}") from error
    found = report.get("study") if isinstance(report, dict) else None
    if found != study:
        raise ConfigurationError(f"Asked for a report of the study {study!r}, but {path} is of {found!r}. {again}")
    return dict(report)
