"""From config.json and results.json to README.md, and the check that the one still says what the others do."""

import re
import shlex
from pathlib import Path
from typing import Any

from markupsafe import Markup

from zoo.cards.datasets import facts_of
from zoo.cards.markdown import fenced, load_template
from zoo.cards.papers import FLES_NOTICE, has_fles, is_salunet
from zoo.cards.pictures.card_pictures import KINDS, pictures_of
from zoo.cards.pictures.stamp import check_stamp
from zoo.cards.readme.activation_tables import before, coefficients_part, geometry_table
from zoo.cards.readme.frontmatter import front_matter
from zoo.cards.readme.result_tables import classes_sentence, figures_table, how_measured
from zoo.cards.readme.training import training_part
from zoo.cards.readme.usage import commands, example, fact_line, summary, transformers_example
from zoo.cards.results import check_results
from zoo.errors import WeightsMismatchError
from zoo.models.build import find_spec
from zoo.weights.identity import check_whose
from zoo.weights.tag import PretrainedTag, read_tag

README_FILE = "README.md"
TEMPLATE = Path(__file__).with_name("card.md.jinja")


def render_card(folder: str | Path) -> str:
    """The README.md that belongs to what `folder` stores in config.json and results.json.

    Args:
        folder: a card's folder.

    Raises:
        WeightsNotFoundError: there is no config.json.
        WeightsCorruptError: a file is not JSON.
        WeightsMismatchError: config.json is not that of a card.
        ConfigurationError: results.json does not have its form.
    """
    tag = read_tag(folder)
    weights = Path(folder) / tag.file
    return render_tag(tag, weights.stat().st_size if weights.is_file() else None)


def render_tag(tag: PretrainedTag, size_bytes: int | None = None, on_hub: bool = False) -> str:
    """The README.md of a tag with its results.

    Args:
        tag: see `PretrainedTag`.
        size_bytes: of the weights file, if known.
        on_hub: as it reads in its own repository, `tag.repo`, where the model is called `hf-hub:ORG/NAME`.

    Raises:
        ConfigurationError: the results do not have their form.
    """
    check_results(tag.results, tag.is_text)
    return load_template(TEMPLATE).render(_facts(tag, size_bytes, on_hub))


def check_card(folder: str | Path) -> None:
    """Check that a card's README.md and pictures show what its stored results say.

    An installed copy has cards without weights and pictures; of those, what is there is checked.

    Raises:
        WeightsMismatchError: one of them is missing, differs or cannot be read; or weights or evaluations are not
            of the weights the card pins.
    """
    from huggingface_hub import ModelCard
    from yaml import YAMLError  # type: ignore[import-untyped]

    place = Path(folder)
    readme, tag = place / README_FILE, read_tag(place)
    check_whose(tag, place)
    wanted = ModelCard(render_card(place))
    # Parsed, because the way YAML is laid out may change with the library that writes it.
    found, wrong = None, ""
    try:
        found = ModelCard(readme.read_text(encoding="utf-8")) if readme.is_file() else None
    except (ValueError, YAMLError) as error:
        wrong = f"The metadata at the top of {readme} cannot be read: {' '.join(str(error).split()).rstrip('.')}"
    whole = (place / tag.file).is_file()
    if not wrong and (
        found is None
        or _sized(found.text, whole) != _sized(wanted.text, whole)
        or found.data.to_dict() != wanted.data.to_dict()
    ):
        state = "is missing" if found is None else "differs from the stored config.json and results.json"
        wrong = f"{readme} {state}"
    for picture in pictures_of(tag).values():
        absent = not (whole or (place / picture.file).exists())
        if not (wrong or absent or check_stamp(place / picture.file, picture.data)):
            wrong = f"{place / picture.file} is missing or was not drawn from the stored results.json"
    if wrong:
        anew = f"zoo card {shlex.quote(str(place))}"
        raise WeightsMismatchError(f"{wrong}. A card is rendered, not edited: `{anew}` writes it anew.")


def _sized(text: str, whole: bool) -> str:
    """The text, without the size of the weights file where there is none to measure."""
    return text if whole else re.sub(r" · [\d.]+ MB(?= · )", "", text)


def _facts(tag: PretrainedTag, size_bytes: int | None, on_hub: bool) -> dict[str, Any]:
    """Everything the template shows."""
    return {
        "tag": tag,
        "spec": find_spec(tag.model),
        "salunet": is_salunet(tag) and (tag.model_args.get("norm") or "salu") == "salu",
        "fles": has_fles(tag),
        "samples": "texts" if tag.is_text else "images",
        "front_matter": Markup(front_matter(tag)),
        "summary": summary(tag),
        "before": before(tag),
        "facts": fact_line(tag, size_bytes),
        "figures": figures_table(tag),
        "on_hub": on_hub,
        "example": fenced(_called(example(tag), tag, on_hub), "python"),
        "transformers_example": fenced(_called(transformers_example(tag), tag, on_hub), "python")
        if tag.is_text
        else "",
        "commands": fenced(_called(commands(tag), tag, on_hub), "sh"),
        "classes": classes_sentence(tag),
        "measured": how_measured(tag.results, "texts" if tag.is_text else "images"),
        "pictures": dict.fromkeys(KINDS) | pictures_of(tag),
        "training": training_part(tag),
        "fles_notice": FLES_NOTICE,
        "geometry": geometry_table(tag),
        "coefficients": coefficients_part(tag),
        "data": facts_of(tag.dataset),
        "notes": tag.results.get("notes", []),
        "citation": Markup(f"```bibtex\n{find_spec(tag.model).paper.bibtex}\n```"),
    }


def _called(code: str, tag: PretrainedTag, on_hub: bool) -> str:
    """An example, with the model under the name it has where the card is read."""
    if not on_hub:
        return code
    return code.replace(f"model_cards/{tag.name}", str(tag.repo)).replace(tag.name, f"hf-hub:{tag.repo}")
