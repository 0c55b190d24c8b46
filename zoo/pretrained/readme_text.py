"""What a card says of a model for texts."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from zoo.data.glue import GLUE, METRICS
from zoo.models.build import find_spec
from zoo.pretrained.architecture import build_tagged
from zoo.pretrained.frontmatter import LIBRARY
from zoo.pretrained.markdown import number, table
from zoo.pretrained.results import runtime_of, size_of
from zoo.pretrained.tag import PretrainedTag

CURVE_TITLE = "Training loss and validation metrics by epoch"
SAMPLES = "texts"

# A text, or pair of texts, of the kind each task has; used in the card's example.
_EXAMPLES = {
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


def what(tag: PretrainedTag) -> str:
    """One paragraph: which model, trained on what, how large, for which input."""
    spec = find_spec(tag.model)
    count = sum(p.numel() for p in build_tagged(tag, "meta").parameters()) / 1e6
    trained = f", fine-tuned on {_dataset(tag)}" if tag.dataset else ""
    parts = "".join(f", {key} = {value}" for key, value in tag.model_args.items())
    outputs = "one output, a score" if tag.num_classes == 1 else f"{tag.num_classes} classes"
    names = f" ({', '.join(tag.labels)})" if tag.labels else ""
    return (
        f"{spec.description}{parts}{trained}. {count:.2f} M parameters, {outputs}{names}, texts of up to "
        f"{tag.tokens.max_length} tokens. Definition: {spec.source}."
    )


def use(tag: PretrainedTag) -> str:
    """Code that answers for one text, with this project and with transformers."""
    example = _EXAMPLES.get(tag.dataset, "A text.")
    names = json.dumps(list(tag.labels), ensure_ascii=False)
    answer = f"{names}[logits.argmax().item()]" if tag.labels else "logits.argmax().item()"
    answer = "logits.item()" if tag.num_classes == 1 else answer
    given = example if isinstance(example, tuple) else (example,)
    parts = ", ".join(f'"{part}"' for part in given)
    batch = f"({parts})" if len(given) > 1 else parts
    task = tag.dataset if tag.dataset in GLUE else "TASK"
    return f"""```python
import torch
import zoo

model = zoo.create_model("{tag.name}", pretrained=True).eval()
with torch.inference_mode():
    logits = model(**model.text_preprocess.encode([{batch}])).logits
print({answer})
```

transformers reads the card's folder as well, once it knows the model type:

```python
import torch
import zoo.models.bert
from transformers import AutoModelForSequenceClassification, AutoTokenizer

folder = "model_cards/{tag.name}"
tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
with torch.inference_mode():
    logits = model(**tokenizer({parts}, return_tensors="pt")).logits
print({answer})
```

Both run in a source checkout of {LIBRARY}, after `pip install -e .` there. `zoo evaluate {tag.name} --task {task}`
measures it and `zoo export {tag.name} --target portable` makes an ONNX file of it."""


def figures(results: Mapping[str, Any]) -> tuple[str, str]:
    """The table of what was measured, and that of other models; "" where there is nothing."""
    evaluations, comparisons = results.get("evaluations", []), results.get("comparisons", [])
    return _table(("task", "split"), evaluations, "loss"), _table(("model",), comparisons, "note")


def limits(tag: PretrainedTag) -> str:
    """What the figures do not say."""
    answers = "a score" if tag.num_classes == 1 else f"one of the {tag.num_classes} classes"
    return (
        "The figures hold for the data, tokenizer and length named above; GLUE hides most of its test labels, so they "
        "are of the split named. Nothing is known about other texts, about languages other than English, about "
        "calibration of the probabilities, or about robustness. Texts beyond "
        f"{tag.tokens.max_length} tokens are cut. Every text gets {answers}, also one to which none applies."
    )


def intended(tag: PretrainedTag) -> str:
    """What the model is for."""
    return (
        "Research on self-gated activations, and a start for fine-tuning on texts of a like kind. Before it decides "
        "about people, or is used where a wrong answer does harm, it needs tests on the texts of that use."
    )


def _table(first: tuple[str, ...], rows: Iterable[Mapping[str, Any]], last: str) -> str:
    """Rows of results, with a column for every metric that occurs, times 100 as GLUE prints them."""
    listed = list(rows)
    if not listed:
        return ""
    metrics = list(dict.fromkeys(name for row in listed for name in row["metrics"]))
    head = [*first, *(f"{METRICS.get(name, name)} (x100)" for name in metrics), last]
    measured = last == "loss"
    lines = []
    for row in listed:
        begin = [row["dataset"], row["split"]] if measured else [row["label"]]
        values = [number(_times100(row["metrics"].get(name)), 2) for name in metrics]
        lines.append([*begin, *values, number(row.get("loss"), 4) if measured else row.get("note")])
        if measured:
            lines[-1] += [row["n"], size_of(row), runtime_of(row)]
    return table([*head, "texts", "input", "runtime"] if measured else head, lines)


def _times100(value: float | None) -> float | None:
    return None if value is None else 100 * value


def _dataset(tag: PretrainedTag) -> str:
    return f"GLUE's {tag.dataset}" if tag.dataset in GLUE else tag.dataset
