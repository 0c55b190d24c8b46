"""`make demo`: real images through a trained SaluNet, in PyTorch and in ONNX Runtime, side by side.

Run by hand: `python demo/demo.py [--model NAME|FOLDER] [--data FOLDER] [--output FOLDER]`. No network is used.
"""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import torch

import export
import zoo
from zoo.console.output import console_out as console
from zoo.console.tables import Column, print_table
from zoo.data import ImageDataset, load_vision
from zoo.evaluation import EvalResult
from zoo.files import write_atomic, write_json

if TYPE_CHECKING:
    from export.runtime.predictor import OnnxPredictor

HERE = Path(__file__).resolve().parent
SAMPLE = HERE / "cifar10_sample"
MODEL = "salunet_c18_cifar.cifar10"
PER_CLASS = 6  # rows of the picture: the first six images of each class, whatever the model says about them
T = TypeVar("T")


@dataclass(frozen=True)
class Findings:
    """Everything the demo measured."""

    pytorch: EvalResult
    onnxruntime: EvalResult
    exported: export.ExportResult
    latency: Any
    picture: Path
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """All figures, ready for JSON."""
        return {
            "pytorch": self.pytorch.to_dict(),
            "onnxruntime": self.onnxruntime.to_dict(),
            "export": self.exported.to_dict(),
            "latency": self.latency.to_dict(),
            "picture": str(self.picture),
            "seconds": self.seconds,
        }


def run(name: str, output: Path, data: Path = SAMPLE) -> Findings:
    """Load, evaluate, export, evaluate the file, time both, draw.

    Args:
        name: weights as `zoo.create_model` takes them.
        output: folder for the ONNX file, its parity report and the picture.
        data: folder of CIFAR-10 test images, laid out as on the Hub.

    Raises:
        ZooError: a step failed; the message says what to do.
    """
    begin = time.perf_counter()
    images = load_vision("cifar10", data=data)
    model = step("Loading the weights", lambda: zoo.create_model(name, pretrained=True).eval())
    pytorch = step("Evaluating in PyTorch", lambda: zoo.evaluate(model, "cifar10", data=data, device="cpu"))
    file = output / f"{Path(name).name}.portable.onnx"
    exported = step("Exporting, and checking the file", lambda: export.export(model, file, samples=images))
    onnx = step("Evaluating in ONNX Runtime", lambda: zoo.evaluate(file, "cifar10", data=data, device="cpu"))
    latency = step("Timing both, one image at a time", lambda: export.measure_latency(exported.path, model))
    picture = output / "predictions.png"
    step("Drawing", lambda: draw(export.load_predictor(exported.path), images, picture))
    return Findings(pytorch, onnx, exported, latency, picture, time.perf_counter() - begin)


def step(what: str, work: Callable[[], T]) -> T:
    """Do `work` under a spinner, then say how long it took."""
    begin = time.perf_counter()
    with console.status(f"{what} ..."):
        result = work()
    console.print(f"{what}: {time.perf_counter() - begin:.1f} s", highlight=False, style="dim")
    return result


def print_findings(found: Findings) -> None:
    """Print the figures side by side."""
    torch_side, onnx_side, latency = found.pytorch, found.onnxruntime, found.latency
    parity = found.exported.parity
    kept = round(parity.top1_agreement * parity.n_samples)
    rows = (
        ("Top-1", f"{torch_side.top1:.1f} %", f"{onnx_side.top1:.1f} %"),
        ("images right", f"{torch_side.correct1} of {torch_side.n}", f"{onnx_side.correct1} of {onnx_side.n}"),
        ("loss", f"{torch_side.loss:.4f}", f"{onnx_side.loss:.4f}"),
        ("largest difference", "reference", f"{parity.worst('max_rel', 'images'):.1e} relative"),
        ("same first class", "reference", f"{kept} of {parity.n_samples}"),
        ("one image, p50", f"{latency.torch.p50_ms:.1f} ms", f"{latency.onnxruntime.p50_ms:.1f} ms"),
        ("one image, p90", f"{latency.torch.p90_ms:.1f} ms", f"{latency.onnxruntime.p90_ms:.1f} ms"),
    )
    print_table(["", Column("PyTorch", figures=True), Column("ONNX Runtime", figures=True)], rows)


def report(found: Findings, result: Path) -> None:
    """Print the table and where everything is."""
    exported = found.exported
    console.print(f"\n[bold]{exported.model}[/bold] on {found.pytorch.n} CIFAR-10 test images", highlight=False)
    print_findings(found)
    for what, value in (
        ("Parity", exported.parity.summary()),
        ("Timed", f"on the CPU, {found.latency.threads} thread(s), float32, the two taking turns"),
        ("Model", f"{exported.path} ({exported.size_bytes / 1e6:.1f} MB)"),
        ("Picture", found.picture),
        ("Figures", result),
        ("Took", f"{found.seconds:.0f} s"),
    ):
        console.print(f"{what:9}{value}", highlight=False, soft_wrap=True)


def first_of_each_class(labels: Sequence[int], count: int) -> list[int]:
    """Positions of the first `count` entries of each class, class by class."""
    places = [[i for i, label in enumerate(labels) if label == kind][:count] for kind in sorted(set(labels))]
    return [i for of_one_class in places for i in of_one_class]


def draw(predictor: "OnnxPredictor", images: ImageDataset, path: Path) -> Path:
    """Save a grid of images, a column per class, each with what the file predicts; wrong answers in red.

    Args:
        predictor: what `export.load_predictor` returns.
        images: where the images and class names come from.
        path: the PNG file.
    """
    import matplotlib as mpl

    mpl.use("agg")  # No window: the demo also runs where there is no screen.
    import matplotlib.pyplot as plt

    labels = [label for _, label in images]
    shown = first_of_each_class(labels, PER_CLASS)
    batch = torch.stack([predictor.preprocess(images[i][0]) for i in shown])
    confidence, predicted = predictor(batch).softmax(dim=-1).max(dim=-1)
    names = images.labels
    columns = -(-len(shown) // PER_CLASS)
    figure, axes = plt.subplots(PER_CLASS, columns, figsize=(15, 10.5), layout="constrained", squeeze=False)
    figure.suptitle("What the exported file predicts, and how sure it is; wrong answers are red", fontsize=14)
    for place, index in enumerate(shown):
        axis = axes[place % PER_CLASS, place // PER_CLASS]
        axis.imshow(images[index][0], interpolation="nearest")
        axis.set_xticks([])
        axis.set_yticks([])
        right = int(predicted[place]) == labels[index]
        text = f"{names[int(predicted[place])]} {confidence[place]:.0%}"
        axis.set_title(text, fontsize=9, color="black" if right else "crimson")
        if not right:
            axis.set_xlabel(f"is: {names[labels[index]]}", fontsize=9, color="crimson")
            for spine in axis.spines.values():
                spine.set(edgecolor="crimson", linewidth=3)
    try:
        return write_atomic(path, lambda file: figure.savefig(file, dpi=100))
    finally:
        plt.close(figure)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the demo and print what it found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default=MODEL, help="weights: MODEL.TAG, or a card's folder (default: %(default)s)")
    parser.add_argument("--data", type=Path, default=SAMPLE, help="CIFAR-10 test images (default: %(default)s)")
    parser.add_argument("--output", type=Path, default=HERE / "output", help="where files go (default: %(default)s)")
    options = parser.parse_args(arguments)
    try:
        found = run(options.model, options.output, options.data)
        result = write_json(options.output / "result.json", found.to_dict())
    except zoo.ZooError as error:
        sys.exit(f"The demo stopped: {error}")
    report(found, result)


if __name__ == "__main__":
    main()
