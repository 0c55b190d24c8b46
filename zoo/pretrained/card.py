"""A card's folder: config.json, model.safetensors, results.json, README.md, curve.png; written whole or not at all.

Where coefficients of FleS are stored there is coefficients.png as well. A text model's folder also holds
tokenizer.json and tokenizer_config.json.
"""

import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor

from zoo._files import write_atomic, write_json
from zoo.errors import OutputError
from zoo.pretrained.architecture import build_tagged
from zoo.pretrained.curve import curve_scores, plot_curve
from zoo.pretrained.load import load_weights, save_weights
from zoo.pretrained.readme import CURVE_FILE, README_FILE, render_card
from zoo.pretrained.readme_coefficients import draw_coefficients
from zoo.pretrained.results import check_results
from zoo.pretrained.tag import CONFIG_FILE, RESULTS_FILE, PretrainedTag, read_tag
from zoo.pretrained.text_files import copy_tokenizer, text_config


def write_card(
    folder: str | Path,
    state: Mapping[str, Tensor],
    tag: PretrainedTag,
    results: Mapping[str, Any] | None = None,
    *,
    dtype: str = "float16",
    force: bool = False,
    tokenizer: str | Path | None = None,
) -> PretrainedTag:
    """Store weights as a card: the folder appears complete under its name, or not at all.

    Args:
        folder: where; `model_cards/MODEL.TAG` for weights that `create_model` should find by name.
        state: the model's state_dict, under our names.
        tag: what the weights are; `sha256` and `results` are filled in here.
        results: what was measured, see `zoo.pretrained.results`; None writes no results.json. A training log in it
            also becomes the picture curve.png, coefficients become coefficients.png.
        dtype: how matrices and kernels are stored; vectors and scalars stay float32.
        force: replace a folder that exists.
        tokenizer: for a text model, the folder with its tokenizer.json and tokenizer_config.json.

    Returns:
        The tag as stored.

    Raises:
        WeightsMismatchError: the weights do not fit the tag's model, are not finite, or overflow `dtype`; or the
            tokenizer is not the one of the tag.
        WeightsNotFoundError: the tokenizer's files are missing.
        ConfigurationError: the results do not have their form, or a text model comes without a tokenizer.
        OutputError: the folder exists and `force` is off, or it cannot be written.
    """
    check_results(results or {}, tag.is_text)
    model = build_tagged(tag)
    load_weights(model, state, "The state to store")

    def fill(place: Path) -> None:
        stored = replace(tag, sha256=save_weights(place / tag.file, state, dtype), results=results or {})
        if tag.is_text:
            copy_tokenizer(tokenizer, place, stored)
        write_json(place / CONFIG_FILE, text_config(stored, model) if tag.is_text else stored.to_dict())
        _write_rendered(place, results)

    return read_tag(_write_folder(Path(folder), fill, force))


def refresh_card(folder: str | Path, results: Mapping[str, Any] | None = None) -> Path:
    """Render README.md (and the pictures) of an existing card anew, for instance after another evaluation.

    Args:
        folder: the card's folder; its weights and config.json stay as they are.
        results: what replaces results.json; None keeps what is stored.

    Returns:
        The path of README.md.

    Raises:
        WeightsNotFoundError: there is no card in `folder`.
        ConfigurationError: the results do not have their form.
        OutputError: a file cannot be written.
    """
    tag = read_tag(folder)
    check_results(tag.results if results is None else results, tag.is_text)
    return _write_rendered(Path(folder), results)


def _write_rendered(place: Path, results: Mapping[str, Any] | None) -> Path:
    if results:
        write_json(place / RESULTS_FILE, results)
    tag = read_tag(place)
    log = (tag.results.get("training") or {}).get("log")
    if log:
        plot_curve(log, place / CURVE_FILE, *curve_scores(tag))
    draw_coefficients(tag, place)
    text = render_card(place)
    return write_atomic(place / README_FILE, lambda file: file.write_text(text, encoding="utf-8"))


def check_free(folder: Path, force: bool = False) -> None:
    """Refuse to write over something that is there.

    Raises:
        OutputError: `folder` exists, and is not a card's folder that `force` allows to replace.
    """
    if folder.exists() and not (force and (folder / CONFIG_FILE).is_file()):
        hint = "It is no card's folder; choose another." if force else "Choose another folder, or use --force."
        raise OutputError(f"Cannot write {folder}: it exists. {hint}")


def _write_folder(folder: Path, fill: Callable[[Path], None], force: bool) -> Path:
    """Let `fill` write into a temporary folder beside `folder`, then rename it into place."""
    target = folder.expanduser().absolute()
    check_free(target, force)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
    except OSError as error:
        raise OutputError(f"Cannot write {target}: {error.strerror}. Choose a folder you may write to.") from error
    try:
        new, old = scratch / "new", scratch / "old"
        new.mkdir()
        fill(new)
        if target.exists():
            target.rename(old)
        try:
            new.rename(target)
        except OSError:
            if old.exists():
                old.rename(target)
            raise
    except OSError as error:
        raise OutputError(f"Cannot write {target}: {error.strerror or error}.") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return target
