"""Card section on the training: a sentence, the commands that repeat it, and the recipe and run in full."""

import re
from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from zoo.cards.datasets import title_of
from zoo.cards.markdown import code, fenced, flat, inline, table
from zoo.console.durations import duration
from zoo.weights.tag import PretrainedTag

# Shown elsewhere on the card; `energy`, an estimate that older cards hold, is shown no more.
_ELSEWHERE = ("recipe", "log", "energy", "command", "base_model")
_KEPT = {"raw": "the weights after the last step", "ema": "weights averaged over the steps (EMA)"}


def training_part(tag: PretrainedTag) -> dict[str, str]:
    """`sentence`, `commands`, `recipe` and `run`; "" for what is not known."""
    training = tag.results.get("training") or {}
    if not training:
        sentence = inline(f"Not trained by this project; recipe: {tag.recipe or 'unknown'}.")
        return {"sentence": sentence, "commands": "", "recipe": "", "run": ""}
    facts = {key: value for key, value in training.items() if key not in _ELSEWHERE}
    commands = "\n".join(" ".join(line.split()) for line in _commands(tag, training))
    recipe = list(flat(training.get("recipe") or {}))
    return {
        "sentence": _sentence(tag, training),
        "commands": fenced(commands, "sh") if commands else "",
        "recipe": table(("field", "value"), recipe) if recipe else "",
        "run": table(("run", "value"), flat(facts)) if facts else "",
    }


def _sentence(tag: PretrainedTag, training: Mapping[str, Any]) -> Markup:
    start = training.get("base_model")
    how = f"Fine-tuned from {_link(str(start))}" if start else "Trained from scratch"
    how = "Fine-tuned" if tag.is_text and not start else how
    parts = [f"{how}{f' on {inline(title_of(tag.dataset))}' if tag.dataset else ''}{_count(training)}"]
    if training.get("epochs"):
        parts.append(f"for {inline(training['epochs'])} epochs")
    if training.get("seconds"):
        parts.append(f"in {duration(training['seconds'])}")
    if training.get("device"):
        parts.append(f"on {inline(training['device'])}")
    kept = _KEPT.get(str(training.get("weights")))
    recipe = f" Recipe: {code(tag.recipe)}{_described(training)}." if tag.recipe else ""
    return Markup(f"{' '.join(parts)}{f'; {kept}' if kept else ''}.{recipe}")


def _link(start: str) -> str:
    """A repository of the Hub with its address; any other start as text."""
    is_repo = re.fullmatch(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", start)
    return f"[{start}](https://huggingface.co/{start})" if is_repo else inline(start)


def _described(training: Mapping[str, Any]) -> str:
    text = (training.get("recipe") or {}).get("description")
    return f" ({inline(text)})" if text else ""


def _count(training: Mapping[str, Any]) -> str:
    data, texts = training.get("data") or {}, training.get("texts") or {}
    if isinstance(data, Mapping) and data.get("train_images"):
        return f" ({data['train_images']:,} images)"
    return f" ({texts['train']:,} texts)" if texts.get("train") else ""


def _commands(tag: PretrainedTag, training: Mapping[str, Any]) -> list[str]:
    """The commands that repeat the run and its baselines, each under a comment if there are several."""
    others = [(row["label"], row["command"]) for row in tag.results.get("comparisons", []) if row.get("command")]
    if not training.get("command"):
        return []
    if not others:
        return [training["command"]]
    named = [("these weights", training["command"]), *others]
    return [line for label, command in named for line in (f"# {label}", command)]
