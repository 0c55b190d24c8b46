"""The text of a card's README.md: rendered from what is stored, by one template, and never edited by hand."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from zoo.errors import WeightsMismatchError
from zoo.pretrained import readme_image, readme_text
from zoo.pretrained.frontmatter import front_matter
from zoo.pretrained.markdown import flat, plain, table
from zoo.pretrained.papers import FLES_NOTICE, citation, has_fles
from zoo.pretrained.readme_coefficients import coefficients_section
from zoo.pretrained.results import check_results, runtime_of, size_of
from zoo.pretrained.tag import PretrainedTag, read_tag

README_FILE = "README.md"
CURVE_FILE = "curve.png"


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
    check_results(tag.results, tag.is_text)
    kind = readme_text if tag.is_text else readme_image
    shapes = coefficients_section(tag)
    sections = (
        front_matter(tag),
        f"# {tag.name}\n\n{kind.what(tag)}",
        f"## Activation\n\n{FLES_NOTICE}" if has_fles(tag) else "",
        f"## Use\n\n{kind.use(tag)}",
        f"## Results\n\n{_results(tag.results, kind)}",
        f"## Coefficients\n\n{shapes}" if shapes else "",
        f"## Training\n\n{_training(tag, (place / CURVE_FILE).is_file(), kind.CURVE_TITLE)}",
        f"## Intended use\n\n{kind.intended(tag)}",
        "\n\n".join([f"## Limits\n\n{kind.limits(tag)}", *(f"- {note}" for note in tag.results.get("notes", []))]),
        f"## Licence and origin\n\n{_origin(tag)}",
        f"## Citation\n\n{citation(tag)}",
    )
    return "\n\n".join(section for section in sections if section) + "\n"


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


def _results(results: Mapping[str, Any], kind: ModuleType) -> str:
    measured, others = kind.figures(results)
    lines = [line for result in results.get("evaluations", []) for line in _conditions(result, kind.SAMPLES)]
    text = "\n\n".join([measured or "Nothing has been measured with this project yet.", *lines])
    return text + (f"\n\nFor comparison:\n\n{others}" if others else "")


def _conditions(result: Mapping[str, Any], samples: str) -> Iterator[str]:
    """How one figure was made, for those fields that were stored."""
    names = {**_CONDITIONS, "source": samples}
    lines = [f"- {names[key]}: {plain(result[key])}" for key in _CONDITIONS if result.get(key)]
    if result.get("command"):
        lines.append(f"- command: `{result['command']}`")
    if lines:
        how = f"{runtime_of(result)}, {size_of(result)}"
        yield f"How {result['dataset']} was measured ({how}):\n\n" + "\n".join(lines)


def _training(tag: PretrainedTag, has_curve: bool, title: str) -> str:
    training = tag.results.get("training") or {}
    if not training:
        return f"Not trained by this project; recipe: {tag.recipe or 'unknown'}."
    facts = [(key, value) for key, value in training.items() if key not in ("recipe", "log")]
    recipe = list(flat(training.get("recipe") or {}))
    parts = [f"Recipe `{tag.recipe}`." if tag.recipe else "", table(("run", "value"), facts) if facts else ""]
    if recipe:
        parts += ["All fields of the recipe:", table(("field", "value"), recipe)]
    if has_curve:
        parts.append(f"![{title}]({CURVE_FILE})")
    return "\n\n".join(part for part in parts if part)


def _origin(tag: PretrainedTag) -> str:
    where = f" Source: {tag.source}." if tag.source else ""
    return f"Licence of the weights: {tag.license}.{where} `{tag.file}` has sha256 `{tag.sha256}`."


_CONDITIONS = {
    "preprocess": "preprocessing",
    "source": "samples",
    "precision": "precision",
    "batch_size": "batch size",
    "hardware": "hardware",
    "versions": "versions",
    "date": "date",
}
