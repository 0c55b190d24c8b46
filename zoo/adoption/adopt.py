"""A foreign PyTorch checkpoint becomes a card of ours: safetensors under our names, nothing run, nothing guessed.

For a text model the checkpoint is the folder transformers keeps it in; see `zoo.adoption.adopt_text`.
"""

import argparse
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy
import torch
from torch import Tensor, nn

from zoo.adoption.adopt_text import adopt_text
from zoo.adoption.rename import Renamed, check_plain, rename_state, unwrap
from zoo.card_folders import card_folder, new_card_folder
from zoo.cards.card import check_free, write_card
from zoo.cards.runs import find_run, finetuned_as
from zoo.data.preprocess import Preprocess
from zoo.errors import (
    ConfigurationError,
    OutputError,
    WeightsCorruptError,
    WeightsMismatchError,
    WeightsNotFoundError,
)
from zoo.files import check_writable
from zoo.models.build import build_model, find_spec
from zoo.models.model_spec import MODELS
from zoo.models.text_models import TEXT_MODELS
from zoo.weights.load import check_finite, differences, read_weights
from zoo.weights.tag import CONFIG_FILE, PretrainedTag
from zoo.weights.tag_rules import MODEL_ARGS

# Types besides tensors that training scripts store next to the weights; building one runs no code of the file's.
_HARMLESS: list[Any] = [
    argparse.Namespace,
    numpy.dtype,
    *{type(numpy.dtype(kind)) for kind in ("float16", "float32", "float64", "int32", "int64", "uint8", "bool")},
    *((numpy.float64(0).__reduce__()[0], f"numpy.{core}.multiarray.scalar") for core in ("core", "_core")),
]


@dataclass(frozen=True)
class Adopted:
    """Result of `adopt`.

    Args:
        folder: the card's folder.
        tag: what it holds.
        wrapper: the keys in the file that led to the weights, joined by dots; "" if they lay at the top.
        renamed: foreign name to ours, where they differ.
        ignored: what was left out, each with the reason.
    """

    folder: Path
    tag: PretrainedTag
    wrapper: str
    renamed: dict[str, str]
    ignored: tuple[str, ...]


def adopt(
    file: str | Path,
    model: str | None = None,
    tag: str | None = None,
    *,
    output: str | Path | None = None,
    num_classes: int | None = None,
    labels: Sequence[str] = (),
    dataset: str = "",
    model_args: Mapping[str, Any] | None = None,
    preprocess: Preprocess | None = None,
    rename: Mapping[str, str | None] | None = None,
    ema: bool | None = None,
    max_length: int | None = None,
    license: str = "unknown",
    source: str = "",
    dtype: str = "float16",
    results: Mapping[str, Any] | None = None,
    force: bool = False,
) -> Adopted:
    """Turn a PyTorch or safetensors checkpoint into a card's folder.

    The file is read without running any of its code. Every tensor must find its place and its shape, and every
    parameter of the model its tensor; otherwise each name that does not fit is listed and nothing is written.

    Args:
        file: the checkpoint (.pth, .pt, .bin, .safetensors, ...), or the folder of a `zoo train` run, which says model,
            labels, preprocessing, data and recipe by itself. For a text model the folder of a fine-tuned transformers
            model, whose own configuration says what `num_classes`, `model_args`, `preprocess`, `rename` and `ema` say
            of others.
        model: the architecture it is for, a name in the model registry; None takes the run's.
        tag: how the weights will be called: MODEL.TAG; None takes the name of the run's data set.
        output: the card's folder; None takes a place where it is found by name, see
            `zoo.card_folders.new_card_folder`.
        num_classes: classes; None reads them off the classifier.
        labels: class names in order; empty if unknown.
        dataset: what the weights were trained on.
        model_args: `norm`, `act`, `img_size` where they differ from the model's own.
        preprocess: what the weights expect; None for the model's default.
        rename: the user's table of names, see `rename_state`.
        ema: averaged weights: True requires them, False refuses them, None takes them where there are any.
        max_length: for a text model, tokens texts are cut to; None takes that of its training.
        license: licence identifier of the weights.
        source: where they come from.
        dtype: how matrices and kernels are stored: float16, bfloat16 or float32.
        results: what the card shows, see `zoo.cards.results`; None takes the training record of a run.
        force: replace the card if it exists.

    Raises:
        UnknownNameError: no such model.
        WeightsNotFoundError: no such file.
        WeightsCorruptError: the file cannot be read, or only by running its code.
        WeightsMismatchError: names or shapes differ, values are NaN, or there is no state dict.
        ConfigurationError: arguments contradict each other.
        OutputError: the card exists or cannot be written.
    """
    file = Path(file).expanduser()
    run = find_run(file)
    if run is not None:
        file, tag, results = run.weights, tag or run.dataset, run.results if results is None else results
        model, labels, dataset = run.check_model(model), labels or run.labels, dataset or run.dataset
        preprocess, model_args = preprocess or run.preprocess, {**run.model_args, **(model_args or {})}
    model, tag = _named(file, model, tag)
    folder = Path(output or _new_folder(f"{model}.{tag}", force)).expanduser().absolute()
    check_free(folder, force)
    check_writable(folder / CONFIG_FILE)
    find_spec(model)
    if model in TEXT_MODELS:
        _refuse(model, num_classes=num_classes, preprocess=preprocess, rename=rename, ema=ema, **(model_args or {}))
        said: dict[str, Any] = {"labels": labels, "dataset": dataset, "max_length": max_length, "results": results}
        said |= {"license": license, "source": source, "dtype": dtype, "force": force}
        return Adopted(folder, adopt_text(file, model, tag, folder, **said), "", {}, ())
    _refuse(model, max_length=max_length)
    arguments = _check_arguments(model_args or {})
    foreign, wrapper, aside = unwrap(_read(file), ema)
    for name, value in foreign.items():
        if isinstance(value, Tensor):
            check_plain(name, value)
    classes = num_classes or len(labels) or _classes(foreign, model, arguments, rename)
    channels = (preprocess or MODELS.get(model)).input_size[0]
    network = build_model(model, num_classes=classes, in_chans=channels, **arguments)
    found = rename_state(foreign, network.state_dict(), rename)
    _check(found, network, f"{file} for {model} with {classes} classes")
    described = PretrainedTag(
        model, tag, classes, preprocess or Preprocess.of(network), labels=tuple(labels), model_args=arguments,
        dataset=dataset, recipe=run.recipe if run else None, license=license, source=source,
    )  # fmt: skip
    stored = write_card(folder, found.state, described, results, dtype=dtype, force=force)
    left = [f"{name}: beside the weights" for name in aside] + found.ignored
    return Adopted(folder, stored, wrapper, found.renamed, tuple(left))


def _new_folder(name: str, force: bool) -> Path:
    """Where the card is found by its name.

    Raises:
        OutputError: the name is that of a card elsewhere, which this one would hide; `force` allows it.
    """
    folder, known = new_card_folder(name), card_folder(name)
    if known != folder and (known / CONFIG_FILE).is_file() and not force:
        raise OutputError(
            f"{name} is the card in {known} already. Choose another --tag, give --output, or use --force to have yours "
            "found by that name instead."
        )
    return folder


def _named(file: Path, model: str | None, tag: str | None) -> tuple[str, str]:
    """Model and tag as given, or as the run of `zoo finetune` in the folder says.

    Raises:
        ConfigurationError: neither says.
    """
    said = finetuned_as(file)
    model, tag = model or said[0], tag or said[1]
    if not model or not tag:
        raise ConfigurationError(
            f"{file} does not say what it is. Name its architecture with --model (see `zoo list models`) and choose a "
            "--tag, such as the name of its data set."
        )
    return model, tag


def _refuse(model: str, **given: Any) -> None:
    """Refuse arguments that a model of this kind has no use for."""
    unused = [name for name, value in given.items() if value is not None]
    if unused:
        kind = "a text model" if model in TEXT_MODELS else "a model for images"
        raise ConfigurationError(f"{model} is {kind}; {', '.join(unused)} does not apply to it. Leave it out.")


def _read(file: Path) -> Any:
    if not file.is_file():
        raise WeightsNotFoundError(f"There is no file {file} to adopt. Check the path.")
    if file.suffix == ".safetensors":
        return read_weights(file)
    _check_stored(file)
    try:
        with torch.serialization.safe_globals(_HARMLESS):
            return torch.load(file, map_location="cpu", weights_only=True)  # noqa: TID251 the one place; weights_only
    except MemoryError:
        raise
    except Exception as error:  # a damaged pickle can raise anything; it becomes one clear error
        reason = " ".join(str(error).split())
        raise WeightsCorruptError(
            f"Cannot read {file} ({file.stat().st_size:,} bytes) as a PyTorch checkpoint without running code from it: "
            f"{reason[:300]}{'...' if len(reason) > 300 else ''} If the file is whole and you trust its origin, write "
            "its weights alone with torch.save(model.state_dict(), NEW) where it was made."
        ) from error


def _check_stored(file: Path) -> None:
    """Refuse an archive that grows when it is opened, as torch's own, which are not compressed, never do."""
    try:
        with zipfile.ZipFile(file) as archive:
            inside = sum(entry.file_size for entry in archive.infolist())
    except (zipfile.BadZipFile, OSError, ValueError, RecursionError, NotImplementedError):
        return  # no archive: an older format, or damaged, of which torch says more
    if inside > file.stat().st_size:
        raise WeightsCorruptError(
            f"{file} ({file.stat().st_size:,} bytes) unpacks to {inside:,} bytes. PyTorch compresses nothing, so "
            "another program made it. Save the weights again with torch.save(model.state_dict(), NEW)."
        )


def _check_arguments(values: Mapping[str, Any]) -> dict[str, Any]:
    unknown = sorted(set(values) - set(MODEL_ARGS))
    if unknown:
        raise ConfigurationError(f"A card cannot record {', '.join(unknown)}; it can: {', '.join(MODEL_ARGS)}.")
    return dict(values)


def _classes(
    foreign: Mapping[str, Any], model: str, arguments: Mapping[str, Any], rename: Mapping[str, str | None] | None
) -> int:
    """The number of classes, read off the classifier in the file."""
    classifier = MODELS.get(model).classifier
    shell = build_model(model, device="meta", **arguments)
    head = rename_state(foreign, shell.state_dict(), rename).state.get(f"{classifier}.weight")
    if head is None or head.ndim != 2:
        raise WeightsMismatchError(
            f"The file has no classifier that maps to {classifier}.weight, so the number of classes is unknown. "
            f"Say it with --num-classes, and map its name with --rename. The file holds: {', '.join(foreign)}."
        )
    return head.shape[0]


def _check(found: Renamed, network: nn.Module, asked: str) -> None:
    wanted: dict[str, Tensor] = network.state_dict()
    lines = differences(found.state, wanted)
    if lines:
        raise WeightsMismatchError(
            f"{asked}: {len(lines)} names do not fit, {len(wanted)} are needed. Nothing was written.\n  "
            + "\n  ".join(lines)
            + "\nIs it the right model (CIFAR or ImageNet stem, norm, act)? Otherwise map the names with --rename."
        )
    check_finite(found.state, asked)
