"""A card's folder: config.json, model.safetensors, results.json, README.md and pictures; written whole or not at all.

Which pictures there are follows from the results, see `zoo.cards.pictures`. A text model's folder also holds
tokenizer.json and tokenizer_config.json.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from zoo.analysis.geometry import geometry, learned_pairs
from zoo.cards.card_config import card_config
from zoo.cards.pictures.card_pictures import FILES, Picture, pictures_of
from zoo.cards.pictures.stamp import draw_stamped
from zoo.cards.readme.render import README_FILE, render_tag
from zoo.cards.results import check_results
from zoo.cards.text_files import copy_tokenizer
from zoo.errors import OutputError, ZooError
from zoo.files import Fill, write_json, write_together
from zoo.scratch import scratch_folder
from zoo.weights.architecture import build_tagged
from zoo.weights.identity import check_whose
from zoo.weights.load import load_weights, read_weights, save_weights
from zoo.weights.tag import CONFIG_FILE, RESULTS_FILE, PretrainedTag, read_tag


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
        folder: where; see `zoo.card_folders` for where `create_model` finds it by name.
        state: the model's state_dict, under our names.
        tag: what the weights are; `sha256` and `results` are filled in here. Another `sha256` than it had drops where
            it was published, `repo` and `revision`.
        results: what was measured, see `zoo.cards.results`; None for nothing. The geometry of a model with SALU
            is added to it. What can be drawn becomes a picture.
        dtype: how matrices and kernels are stored; vectors and scalars stay float32.
        force: replace a folder that exists. If it held the model's default under the same name, these weights are it.
        tokenizer: for a text model, the folder with its tokenizer.json and tokenizer_config.json.

    Returns:
        The tag as stored.

    Raises:
        WeightsMismatchError: the weights do not fit the tag's model, are not finite, or overflow `dtype`; the
            tokenizer is not the one of the tag; or an evaluation is of other weights.
        WeightsNotFoundError: the tokenizer's files are missing.
        ConfigurationError: the results do not have their form, or a text model comes without a tokenizer.
        OutputError: the folder exists and `force` is off, or it cannot be written.
    """
    check_results(results or {}, tag.is_text)
    model = build_tagged(tag)
    load_weights(model, state, "The state to store")

    known = _with_geometry(results or {}, model)
    default = tag.default or _is_default(Path(folder).expanduser(), tag.name)

    def fill(place: Path) -> None:
        sha256 = save_weights(place / tag.file, state, dtype)
        kept = tag.sha256 in ("", sha256)
        published = {"repo": tag.repo, "revision": tag.revision} if kept else {"repo": None, "revision": None}
        stored = replace(tag, sha256=sha256, default=default, results=known, **published)
        if tag.is_text:
            copy_tokenizer(tokenizer, place, stored)
        write_json(place / CONFIG_FILE, card_config(stored, model))
        _write_rendered(stored, place)

    return read_tag(write_folder(Path(folder), fill, force))


def refresh_card(folder: str | Path, results: Mapping[str, Any] | None = None) -> Path:
    """Render README.md and the pictures of an existing card anew, for instance after another evaluation.

    All of them and results.json change together or not at all.

    Args:
        folder: the card's folder; its weights and config.json stay as they are.
        results: what replaces results.json; None keeps what is stored. The geometry of the weights is added to it.

    Returns:
        The path of README.md.

    Raises:
        WeightsNotFoundError: there is no card in `folder`.
        WeightsMismatchError: weights or evaluations are not of the weights the card pins.
        ConfigurationError: the results do not have their form.
        OutputError: a file cannot be written.
    """
    tag, place = read_tag(folder), Path(folder)
    given = dict(tag.results if results is None else results)
    check_results(given, tag.is_text)
    if "geometry" not in given and (place / tag.file).is_file() and any(learned_pairs(build_tagged(tag, "meta"))):
        model = build_tagged(tag)
        load_weights(model, read_weights(place / tag.file, tag.sha256), str(place / tag.file))
        given = _with_geometry(given, model)
    return _write_rendered(replace(tag, results=given), place)


def _is_default(folder: Path, name: str) -> bool:
    """True if a card of that name is there and its model's default. A damaged one cannot tell, and may be replaced."""
    try:
        there = read_tag(folder)
    except ZooError:
        return False
    return there.name == name and there.default


def _with_geometry(results: Mapping[str, Any], model: nn.Module) -> dict[str, Any]:
    """The results with S and W of every SALU, SWALU and GALU of the loaded model, in front of notes."""
    if not any(learned_pairs(model)):
        return dict(results)
    layers = [layer.to_dict() for layer in geometry(model)]
    rest = {key: value for key, value in results.items() if key != "notes"}
    return rest | {"geometry": {"layers": layers}} | ({"notes": results["notes"]} if "notes" in results else {})


def _write_rendered(tag: PretrainedTag, place: Path) -> Path:
    """results.json, README.md and the pictures, together; pictures of what is no longer stored go."""
    check_whose(tag, place)
    weights, pictures = place / tag.file, pictures_of(tag)
    text = render_tag(tag, weights.stat().st_size if weights.is_file() else None)
    files: dict[str | Path, Fill] = {place / README_FILE: lambda file: file.write_text(text, encoding="utf-8")}
    if tag.results or (place / RESULTS_FILE).exists():
        files[place / RESULTS_FILE] = lambda file: file.write_text(_readable(tag.results), encoding="utf-8")
    write_together(files | {place / picture.file: _drawing(picture) for picture in pictures.values()})
    for file in set(FILES) - {picture.file for picture in pictures.values()}:
        (place / file).unlink(missing_ok=True)
    return (place / README_FILE).absolute()


def _readable(values: Any) -> str:
    """Indented JSON, with each list of numbers on one line: a confusion takes one line instead of five."""
    text = json.dumps(values, indent=2, ensure_ascii=False)
    return re.sub(r"\[[\s\d.,eE+-]+\]", lambda found: f"[{' '.join(found[0][1:-1].split())}]", text) + "\n"


def _drawing(picture: Picture) -> Fill:
    return lambda file: draw_stamped(file, picture.data, picture.draw)


def check_free(folder: Path, force: bool = False) -> None:
    """Refuse to write over something that is there.

    Raises:
        OutputError: `folder` exists, and is not a card's folder that `force` allows to replace.
    """
    if folder.exists() and not (force and (folder / CONFIG_FILE).is_file()):
        hint = "It is no card's folder; choose another." if force else "Choose another folder, or use --force."
        raise OutputError(f"Cannot write {folder}: it exists. {hint}")


def write_folder(folder: Path, fill: Callable[[Path], None], force: bool) -> Path:
    """Let `fill` write into a temporary folder beside `folder`, then rename it into place."""
    target = folder.expanduser().absolute()
    check_free(target, force)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with scratch_folder(target.parent, f".{target.name}.part-") as new:
            old = new.with_name("old")
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
        raise OutputError(
            f"Cannot write {target}: {error.strerror or error}. Choose a folder you may write to."
        ) from error
    return target
