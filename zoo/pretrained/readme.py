"""The text of a card's README.md: rendered from what is stored, by one template, and never edited by hand."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from zoo.data import DATASETS
from zoo.errors import WeightsMismatchError
from zoo.models import MODELS, build_model
from zoo.pretrained.frontmatter import LIBRARY, front_matter
from zoo.pretrained.results import check_results, runtime_of, size_of
from zoo.pretrained.tag import PretrainedTag, read_tag

README_FILE = "README.md"
CURVE_FILE = "curve.png"
PAPER = "SaluNet: Enabling Total Plasticity in Normalization-Free Deep Networks"
PAPER_ID = "2606.02927"


def render_card(folder: str | Path) -> str:
    """The README.md that belongs to what `folder` stores in config.json and results.json.

    Args:
        folder: a card's folder. A picture `curve.png` there is shown.

    Raises:
        WeightsNotFoundError: there is no config.json.
        WeightsCorruptError: a file is not JSON.
        WeightsMismatchError: config.json is not that of a card.
        ConfigurationError: results.json does not have its form.
    """
    place = Path(folder)
    tag = read_tag(place)
    check_results(tag.results)
    sections = (
        front_matter(tag),
        f"# {tag.name}\n\n{_what(tag)}",
        f"## Use\n\n{_use(tag)}",
        f"## Results\n\n{_results(tag.results)}",
        f"## Training\n\n{_training(tag, (place / CURVE_FILE).is_file())}",
        f"## Intended use\n\n{_INTENDED}",
        f"## Limits\n\n{_limits(tag)}",
        f"## Licence and origin\n\n{_origin(tag)}",
        f"## Citation\n\n{_CITATION}",
    )
    return "\n\n".join(sections) + "\n"


def check_card(folder: str | Path) -> None:
    """Check that a card's README.md says what its stored results say.

    Raises:
        WeightsMismatchError: it is missing or differs.
    """
    from huggingface_hub import ModelCard

    readme = Path(folder) / README_FILE
    wanted = ModelCard(render_card(folder))
    # Parsed, because the way YAML is laid out may change with the library that writes it.
    found = ModelCard(readme.read_text(encoding="utf-8")) if readme.is_file() else None
    if found is None or found.text != wanted.text or found.data.to_dict() != wanted.data.to_dict():
        raise WeightsMismatchError(
            f"{readme} {'is missing' if found is None else 'differs from the stored config.json and results.json'}. "
            f"It is rendered, not edited: zoo.pretrained.refresh_card({str(folder)!r}) writes it anew."
        )


def _what(tag: PretrainedTag) -> str:
    spec = MODELS.get(tag.model)
    shell = build_model(tag.model, num_classes=tag.num_classes, in_chans=tag.preprocess.input_size[0],
                        device="meta", **tag.model_args)  # fmt: skip
    count = sum(p.numel() for p in shell.parameters()) / 1e6
    channels, height, width = tag.preprocess.input_size
    trained = f", trained on {tag.dataset}" if tag.dataset else ""
    parts = "".join(f", {key} = {value}" for key, value in tag.model_args.items())
    return (
        f"{spec.description}{parts}{trained}. {count:.2f} M parameters, {tag.num_classes} classes, "
        f"input {height}x{width} px with {channels} channels. Definition: {spec.source}."
    )


def _use(tag: PretrainedTag) -> str:
    answer = 'print(model.pretrained_cfg["label_names"][' if tag.labels else "print(("
    closing = "])" if tag.labels else "))"
    dataset = tag.dataset if tag.dataset in DATASETS else "imagefolder --data FOLDER"
    return f"""```python
import zoo
from PIL import Image

model = zoo.create_model("{tag.name}", pretrained=True).eval()
batch = zoo.Preprocess.of(model)(Image.open("photo.png"))[None]
{answer}model(batch).argmax().item(){closing}
```

It runs in a source checkout of {LIBRARY}, after `pip install -e .` there. `zoo evaluate {tag.name} --dataset {dataset}`
measures it and `zoo export {tag.name} --target portable` makes an ONNX file of it."""


def _results(results: Mapping[str, Any]) -> str:
    evaluations, comparisons = results.get("evaluations", []), results.get("comparisons", [])
    if not evaluations:
        text = "Nothing has been measured with this project yet."
    else:
        head = ("data", "split", "Top-1 (%)", "Top-5 (%)", "loss", "images", "input", "runtime")
        rows = [
            (r["dataset"], r["split"] or "all", _number(r["top1"], 2), _number(r.get("top5"), 2),
             _number(r.get("loss"), 4), r["n"], size_of(r), runtime_of(r))
            for r in evaluations
        ]  # fmt: skip
        text = "\n\n".join([_table(head, rows), *(line for r in evaluations for line in _conditions(r))])
    if comparisons:
        others = [(r["label"], _number(r["top1"], 2), _number(r.get("top5"), 2), r.get("note")) for r in comparisons]
        text += "\n\nFor comparison:\n\n" + _table(("model", "Top-1 (%)", "Top-5 (%)", "note"), others)
    return text


def _conditions(result: Mapping[str, Any]) -> Iterator[str]:
    """How one figure was made, for those fields that were stored."""
    lines = [f"- {name}: {_plain(result[key])}" for key, name in _CONDITIONS.items() if result.get(key)]
    if result.get("command"):
        lines.append(f"- command: `{result['command']}`")
    if lines:
        yield f"How {result['dataset']} was measured ({runtime_of(result)}, {size_of(result)}):\n\n" + "\n".join(lines)


def _training(tag: PretrainedTag, has_curve: bool) -> str:
    training = tag.results.get("training") or {}
    if not training:
        return f"Not trained by this project; recipe: {tag.recipe or 'unknown'}."
    facts = [(key, value) for key, value in training.items() if key not in ("recipe", "log")]
    recipe = list(_flat(training.get("recipe") or {}))
    parts = [f"Recipe `{tag.recipe}`." if tag.recipe else "", _table(("run", "value"), facts) if facts else ""]
    if recipe:
        parts += ["All fields of the recipe:", _table(("field", "value"), recipe)]
    if has_curve:
        parts.append(f"![Training loss and validation Top-1 by epoch]({CURVE_FILE})")
    return "\n\n".join(part for part in parts if part)


def _limits(tag: PretrainedTag) -> str:
    names = "" if tag.labels else "The class names are unknown; outputs are numbers. "
    general = (
        f"{names}The figures hold for the data and preprocessing named above. Nothing is known about other images, "
        "about calibration of the probabilities, or about robustness. Every image gets one of the "
        f"{tag.num_classes} classes, also one that shows none of them."
    )
    return "\n\n".join([general, *(f"- {note}" for note in tag.results.get("notes", []))])


def _origin(tag: PretrainedTag) -> str:
    where = f" Source: {tag.source}." if tag.source else ""
    return f"Licence of the weights: {tag.license}.{where} `{tag.file}` has sha256 `{tag.sha256}`."


def _number(value: float | None, digits: int) -> str | None:
    return None if value is None else f"{value:.{digits}f}"


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_plain(item)}" for key, item in value.items())
    if isinstance(value, list) and value and isinstance(value[0], Mapping):
        return "; ".join(f"({_plain(item)})" for item in value)
    return str(value)


def _table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_cell(value) for value in line) + " |" for line in lines)


def _cell(value: Any) -> str:
    text = "-" if value is None else f"{value:g}" if isinstance(value, float) else _plain(value)
    return " ".join(text.split()).replace("|", "\\|")


_CONDITIONS = {
    "preprocess": "preprocessing",
    "source": "images",
    "precision": "precision",
    "batch_size": "batch size",
    "hardware": "hardware",
    "versions": "versions",
    "date": "date",
}
_INTENDED = (
    "Research on networks without normalisation layers, and a start for fine-tuning on images of a like kind. Before "
    "it decides about people, or is used where a wrong class does harm, it needs tests on the images of that use."
)
_CITATION = f"""```bibtex
@misc{{salunet,
  title         = {{{PAPER}}},
  year          = {{2026}},
  eprint        = {{{PAPER_ID}}},
  archivePrefix = {{arXiv}}
}}
```"""
