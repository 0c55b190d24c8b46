"""A converted model on disk: its weights, and a record with which they find their model again."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from safetensors.torch import save
from torch import nn

from zoo.conversion.base import RECORD, Base, build_filled
from zoo.conversion.bert import MODEL_TYPE
from zoo.conversion.conversion_readme import README, conversion_readme
from zoo.conversion.conversion_report import Report
from zoo.data.labels import labels_of
from zoo.data.preprocess import Preprocess, config_of
from zoo.devices import torch_defaults
from zoo.documents import json_in
from zoo.environment import library_versions
from zoo.errors import OutputError, WeightsCorruptError, WeightsNotFoundError
from zoo.files import check_writable, write_together
from zoo.weights.load import check_finite
from zoo.weights.tag import WEIGHTS_FILE

_TOKENIZER = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt")


def check_output(folder: str | Path, *, force: bool = False) -> Path:
    """Fail before long work where `save_converted` would.

    Raises:
        OutputError: the folder cannot be written, or holds a model already and `force` is not set.
    """
    target = Path(folder)
    for name in (RECORD, WEIGHTS_FILE, README, "config.json"):
        check_writable(target / name)
        if (target / name).exists() and not force:
            raise OutputError(f"{target} holds a {name} already. Choose another folder, or replace it with --force.")
    return target


def save_converted(
    folder: str | Path,
    model: nn.Module,
    report: Report,
    base: Base,
    *,
    tokenizer: str | Path | None = None,
    force: bool = False,
    **facts: Any,
) -> Path:
    """Write a converted model: all files, or none.

    `model.safetensors` holds the weights in the number type they have, `conversion.json` what is needed to load them,
    `README.md` says it to readers. A `fles_bert` also gets its config.json and the tokenizer's files, so that
    transformers loads the folder once `zoo.models.bert` is imported.

    Args:
        folder: where to; it is made if it is missing.
        model: what `convert` returned.
        report: likewise.
        base: the record of the model it was made from; see `zoo.conversion.base`.
        tokenizer: the folder whose tokenizer goes with the model.
        force: whether to replace a model in `folder`.
        **facts: more for the record, ready for JSON.

    Returns:
        The folder.

    Raises:
        OutputError: it cannot be written, or holds a model and `force` is not set.
        WeightsMismatchError: a weight is NaN or infinite.
    """
    target = check_output(folder, force=force)
    state = {name: value.detach().cpu().clone().contiguous() for name, value in model.state_dict().items()}
    check_finite(state, "The converted model")
    content = save(state, metadata={"format": "pt"})
    files: dict[str | Path, Callable[[Path], object]] = {target / WEIGHTS_FILE: lambda file: file.write_bytes(content)}
    if report.model_type == MODEL_TYPE:
        files |= _for_transformers(target, model, tokenizer)
    digest = hashlib.sha256(content).hexdigest()
    record = {
        "base": base,
        "report": report.to_dict(),
        "sha256": digest,
        "pretrained_cfg": _described(model),
        "versions": library_versions(),
        **facts,
    }
    text = json.dumps(record, indent=2, ensure_ascii=False) + "\n"
    page = conversion_readme(record, target.absolute().name)
    files |= {target / README: lambda file: file.write_text(page, "utf-8")}
    write_together({**files, target / RECORD: lambda file: file.write_text(text, "utf-8")})
    return target


@torch_defaults()
def load_converted(folder: str | Path) -> tuple[nn.Module, Report]:
    """The model that `save_converted` or `zoo convert` wrote, in training mode, and the report of its conversion.

    The base model is built anew, converted as the report says, and given the weights; every name and shape must agree.
    The same by hand: build the base model, `rebuild` it, `load_state_dict`.

    Raises:
        WeightsNotFoundError: there is no such folder, or no weights in it.
        WeightsCorruptError: a file cannot be read.
        WeightsMismatchError: the weights are not those of the record, or do not fit.
    """
    source = Path(folder)
    record = _read_record(source)
    model = build_filled(_base_of(record), source / WEIGHTS_FILE, record["sha256"], keep_dtype=True)
    if described := record.get("pretrained_cfg"):
        model.pretrained_cfg = {**config_of(model), **described}  # type: ignore[assignment]
    return model.train(), Report.from_dict(record["report"])


def converted_base(folder: Path) -> Base:
    """The record that builds the network of a converted folder with fresh weights.

    Raises:
        ZooError: as `load_converted`.
    """
    return _base_of(_read_record(folder))


def _base_of(record: dict[str, Any]) -> Base:
    return {"kind": "converted", "base": record["base"], "report": record["report"]}


def _described(model: nn.Module) -> dict[str, Any]:
    """Preprocessing and class names of a model for images, under timm's keys; {} for others."""
    if not getattr(model, "pretrained_cfg", None):
        return {}
    names = {"label_names": list(labels_of(model)), "num_classes": config_of(model).get("num_classes")}
    return {**Preprocess.of(model).to_dict(), **names}


def _read_record(folder: Path) -> dict[str, Any]:
    file = folder / RECORD
    try:
        record = json_in(file)
    except FileNotFoundError:
        raise WeightsNotFoundError(
            f"There is no {file}. `zoo convert` writes one; give the folder it wrote to."
        ) from None
    except (OSError, ValueError) as error:
        raise WeightsCorruptError(f"{file} cannot be read: {error}. Convert the model again.") from error
    wanted = {"base", "report", "sha256"}
    if not isinstance(record, dict) or not wanted <= set(record):
        raise WeightsCorruptError(f"{file} does not hold {', '.join(sorted(wanted))}. Convert the model again.")
    return record


def _for_transformers(
    folder: Path, model: Any, tokenizer: str | Path | None
) -> dict[str | Path, Callable[[Path], object]]:
    """The further files that transformers needs to load a folder."""
    model.config.architectures = [type(model).__name__]
    config = model.config.to_json_string()
    files: dict[str | Path, Callable[[Path], object]] = {
        folder / "config.json": lambda f: f.write_text(config, "utf-8")
    }
    for name in _TOKENIZER if tokenizer is not None else ():
        source = Path(tokenizer) / name  # type: ignore[arg-type]
        if source.is_file():
            content = source.read_bytes()
            files[folder / name] = lambda f, content=content: f.write_bytes(content)  # type: ignore[misc]
    return files
