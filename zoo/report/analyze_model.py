"""`analyze`: open a model, its baseline and images, look into both, and keep how it was done."""

import shlex
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from torch import nn

from zoo.analysis.findings import Findings, look_into
from zoo.devices import choose_device
from zoo.environment import hardware, library_versions
from zoo.errors import ConfigurationError
from zoo.report.analysed_images import ImageSample, batches_of, choose_dataset, open_images
from zoo.report.analysed_model import AnalysedModel, check_same_input, open_subject

FORMAT = 1
"""Version of the JSON's layout; a change that readers would notice raises it."""


@dataclass(frozen=True)
class Analysis:
    """Everything found in a model, and in its baseline.

    Args:
        subject: what was looked at.
        findings: what was found.
        images: the images it was looked at with; None: weights alone.
        baseline: what it is compared with, if anything.
        baseline_findings: what was found there.
        about: when, with which command, libraries and hardware.
    """

    subject: AnalysedModel
    findings: Findings
    images: ImageSample | None
    baseline: AnalysedModel | None
    baseline_findings: Findings | None
    about: dict[str, Any]

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes on what is missing and why, each once."""
        other = self.baseline_findings.notes if self.baseline_findings else ()
        return (*self.findings.notes, *(f"Baseline: {note}" for note in other if note not in self.findings.notes))

    def to_dict(self) -> dict[str, Any]:
        """All of it, ready for JSON."""
        other = None
        if self.baseline is not None and self.baseline_findings is not None:
            other = {"subject": self.baseline.to_dict(), "findings": self.baseline_findings.to_dict()}
        return {
            "format": FORMAT,
            "subject": self.subject.to_dict(),
            "images": self.images.to_dict() if self.images else None,
            "findings": self.findings.to_dict(),
            "baseline": other,
            "about": self.about,
        }


def analyze(
    model: str,
    *,
    dataset: str | None = None,
    data: str | Path | None = None,
    split: str | None = None,
    images: int = 1000,
    baseline: str | None = None,
    batch_size: int = 50,
    device: str | None = None,
    bound: bool = True,
) -> Analysis:
    """Look into a model for images, and into a baseline with the same images.

    Without `dataset` and `data` only what the weights say is found; no input is ever made up.

    Args:
        model: MODEL.TAG, a card's folder, the folder of a `zoo train` run, or fresh:MODEL; see
            `zoo.report.analysed_model.open_subject`.
        dataset: a name in `zoo.data.vision.DATASETS`; None with `data`: the one the weights were trained on.
        data: its local folder; None with `dataset` fetches from the Hub.
        split: None takes the dataset's default for evaluation.
        images: how many, evenly spaced over the split.
        baseline: another model likewise; "fresh" is the same one without training. Each is given images in its own
            preprocessing.
        batch_size: images per batch; no figure depends on it but by rounding.
        device: "cpu", "cuda" or "cuda:N"; None takes a GPU if there is one, else the CPU.
        bound: whether to bound the network as a whole, which decomposes every convolution.

    Raises:
        ConfigurationError: a text model, options that do not fit, or a device without float64.
        ZooError: as loading weights and images does.
    """
    if batch_size < 1:
        raise ConfigurationError(f"batch_size={batch_size}: give at least 1.")
    place = torch.device("cpu") if device is None and not torch.cuda.is_available() else choose_device(device)
    if place.type == "mps":
        raise ConfigurationError("Apple's GPUs have no float64, which the sums need. Use --device cpu.")
    module, subject = open_subject(model)
    other = open_subject(baseline, subject) if baseline else None
    if other:
        check_same_input(subject, other[1])
    chosen = choose_dataset(dataset, data, subject.dataset)
    sample = open_images(chosen, data, split, images) if chosen else None

    def look(network: nn.Module, about: AnalysedModel) -> Findings:
        passes = batches_of(*sample, about.preprocess, batch_size, place) if sample else None
        size = about.preprocess.input_size
        return look_into(network.to(place).eval(), size, about.radius, passes, bound=bound)

    found = look(module, subject)
    theirs = look(*other) if other else None
    options = {"--dataset": dataset, "--data": data, "--split": split, "--images": images if sample else None,
               "--baseline": baseline, "--batch-size": batch_size if sample else None}  # fmt: skip
    about = _about(model, options, bound, place)
    seen = None
    if sample:
        opened, positions = sample
        seen = ImageSample(opened.name, opened.split, len(positions), len(opened), opened.source)
    return Analysis(subject, found, seen, other[1] if other else None, theirs, about)


def _about(model: str, options: dict[str, Any], bound: bool, place: torch.device) -> dict[str, Any]:
    given = [part for key, value in options.items() if value is not None for part in (key, str(value))]
    command = shlex.join(["zoo", "analyze", model, *given, *([] if bound else ["--no-bound"])])
    return {
        "command": command,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "device": f"{place.type} ({hardware(place)})",
        "versions": library_versions(),
    }
