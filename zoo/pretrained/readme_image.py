"""What a card says of a model for images."""

from collections.abc import Mapping
from typing import Any

from zoo.data import DATASETS
from zoo.models.build import find_spec
from zoo.pretrained.architecture import build_tagged
from zoo.pretrained.frontmatter import LIBRARY
from zoo.pretrained.markdown import number, table
from zoo.pretrained.papers import is_salunet
from zoo.pretrained.results import runtime_of, size_of
from zoo.pretrained.tag import PretrainedTag

CURVE_TITLE = "Training loss and validation Top-1 by epoch"
SAMPLES = "images"


def what(tag: PretrainedTag) -> str:
    """One paragraph: which model, trained on what, how large, for which input."""
    spec = find_spec(tag.model)
    count = sum(p.numel() for p in build_tagged(tag, "meta").parameters()) / 1e6
    channels, height, width = tag.pixels.input_size
    trained = f", trained on {tag.dataset}" if tag.dataset else ""
    parts = "".join(f", {key} = {value}" for key, value in tag.model_args.items())
    return (
        f"{spec.description}{parts}{trained}. {count:.2f} M parameters, {tag.num_classes} classes, "
        f"input {height}x{width} px with {channels} channels. Definition: {spec.source}."
    )


def use(tag: PretrainedTag) -> str:
    """Code that answers for one image."""
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


def figures(results: Mapping[str, Any]) -> tuple[str, str]:
    """The table of what was measured, and that of other models; "" where there is nothing."""
    evaluations, comparisons = results.get("evaluations", []), results.get("comparisons", [])
    head = ("data", "split", "Top-1 (%)", "Top-5 (%)", "loss", "images", "input", "runtime")
    rows = [
        (r["dataset"], r["split"] or "all", number(r["top1"], 2), number(r.get("top5"), 2),
         number(r.get("loss"), 4), r["n"], size_of(r), runtime_of(r))
        for r in evaluations
    ]  # fmt: skip
    others = [(r["label"], number(r["top1"], 2), number(r.get("top5"), 2), r.get("note")) for r in comparisons]
    return (
        table(head, rows) if rows else "",
        table(("model", "Top-1 (%)", "Top-5 (%)", "note"), others) if others else "",
    )


def limits(tag: PretrainedTag) -> str:
    """What the figures do not say."""
    names = "" if tag.labels else "The class names are unknown; outputs are numbers. "
    return (
        f"{names}The figures hold for the data and preprocessing named above. Nothing is known about other images, "
        "about calibration of the probabilities, or about robustness. Every image gets one of the "
        f"{tag.num_classes} classes, also one that shows none of them."
    )


def intended(tag: PretrainedTag) -> str:
    """What the model is for."""
    kind = "networks without normalisation layers" if is_salunet(tag) else "self-gated activations"
    return (
        f"Research on {kind}, and a start for fine-tuning on images of a like kind. Before "
        "it decides about people, or is used where a wrong class does harm, it needs tests on the images of that use."
    )
