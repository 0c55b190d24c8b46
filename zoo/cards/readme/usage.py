"""Summary of a model, in a sentence and a line of facts, and its use: in Python and on the command line."""

import json
from typing import Any

from markupsafe import Markup

from zoo.cards.datasets import title_of
from zoo.cards.markdown import inline
from zoo.data.glue import GLUE
from zoo.data.image_dataset import DATASETS
from zoo.models.build import find_spec
from zoo.weights.architecture import build_tagged
from zoo.weights.tag import PretrainedTag

# A text, or pair of texts, of the kind each task has; used in the card's example.
_EXAMPLES: dict[str, str | tuple[str, str]] = {
    "cola": "The book was written by her.",
    "sst2": "a moving and often funny film",
    "mrpc": ("The bank cut its rates on Monday.", "On Monday the bank lowered its rates."),
    "rte": ("The mayor opened the bridge on Friday.", "The bridge was opened."),
    "stsb": ("A man plays the guitar.", "Someone plays an instrument."),
    "qnli": ("When was the bridge opened?", "The mayor opened the bridge on Friday."),
    "wnli": ("The cup fell off the table and it broke.", "The cup broke."),
    "mnli": ("The mayor opened the bridge on Friday.", "The bridge is closed."),
    "qqp": ("How do I learn to swim?", "What is the best way to learn swimming?"),
}


def summary(tag: PretrainedTag) -> str:
    """Name the model and the data it was trained on."""
    trained = "fine-tuned" if tag.is_text else "trained"
    on = f", {trained} on {title_of(tag.dataset)}" if tag.dataset else ""
    named = ("norm", "act", "fles_start", "fles_steepness")
    shown = {key: value for key, value in tag.model_args.items() if key in named}
    parts = "".join(f", {key} = {value}" for key, value in shown.items())
    return f"{find_spec(tag.model).description}{parts}{on}."


def fact_line(tag: PretrainedTag, size_bytes: int | None) -> Markup:
    """Parameters, classes, input, size of the file, licence and paper, on one line."""
    count = sum(p.numel() for p in build_tagged(tag, "meta").parameters()) / 1e6
    outputs = "one output, a score" if tag.num_classes == 1 else f"{tag.num_classes:,} classes"
    if tag.is_text:
        names = f" ({inline(', '.join(tag.labels))})" if tag.labels else ""
        takes = [outputs + names, f"texts of up to {tag.tokens.max_length} tokens"]
    else:
        channels, height, width = tag.pixels.input_size
        takes = [outputs, f"input {height}x{width} px with {channels} channels"]
    size = [f"{size_bytes / 1e6:.1f} MB"] if size_bytes else []
    paper = find_spec(tag.model).paper
    follows = f"[{paper.title}]({paper.address})"
    facts = [f"**{count:.2f} M parameters**", *takes, *size, f"licence {tag.license}", follows]
    return Markup(" · ".join(facts))


def example(tag: PretrainedTag) -> str:
    """Python that answers for one image or text."""
    if not tag.is_text:
        found = "model(batch).argmax().item()"
        answer = f"zoo.labels_of(model)[{found}]" if tag.labels else found
        return f"""import zoo
from PIL import Image

model = zoo.create_model("{tag.name}", pretrained=True).eval()
batch = zoo.Preprocess.of(model)(Image.open("photo.png"))[None]
print({answer})"""
    given = _texts(tag)
    batch = f"({_quoted(given)})" if len(given) > 1 else _quoted(given)
    return f"""import torch
import zoo

model = zoo.create_model("{tag.name}", pretrained=True).eval()
with torch.inference_mode():
    logits = model(**model.text_preprocess.encode([{batch}])).logits
print({_answer(tag)})"""


def transformers_example(tag: PretrainedTag) -> str:
    """The same with transformers, of a text model."""
    return f"""import torch
import zoo.models.bert
from transformers import AutoModelForSequenceClassification, AutoTokenizer

folder = "model_cards/{tag.name}"
tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
with torch.inference_mode():
    logits = model(**tokenizer({_quoted(_texts(tag))}, return_tensors="pt")).logits
print({_answer(tag)})"""


def commands(tag: PretrainedTag) -> str:
    """Shell commands: classify, measure, export."""
    if tag.is_text:
        task = tag.dataset if tag.dataset in GLUE else "TASK"
        lines = [f"zoo evaluate {tag.name} --task {task}"]
    else:
        dataset = tag.dataset if tag.dataset in DATASETS else "imagefolder --data FOLDER"
        lines = [f"zoo predict photo.png --model {tag.name}", f"zoo evaluate {tag.name} --dataset {dataset}"]
    return "\n".join([*lines, f"zoo export {tag.name} --target portable"])


def _texts(tag: PretrainedTag) -> tuple[str, ...]:
    found: Any = _EXAMPLES.get(tag.dataset, "A text.")
    return found if isinstance(found, tuple) else (found,)


def _quoted(texts: tuple[str, ...]) -> str:
    return ", ".join(f'"{text}"' for text in texts)


def _answer(tag: PretrainedTag) -> str:
    if tag.num_classes == 1:
        return "logits.item()"
    names = json.dumps(list(tag.labels), ensure_ascii=False)
    return f"{names}[logits.argmax().item()]" if tag.labels else "logits.argmax().item()"
