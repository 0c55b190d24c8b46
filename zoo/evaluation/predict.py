"""Predictions for image files: the likeliest classes of each, by whatever runs the model."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from zoo.data.photo import Photo, decoding, open_photo
from zoo.data.preprocess import Preprocess
from zoo.data.tokenize import TextPreprocess
from zoo.devices import choose_device
from zoo.errors import ConfigurationError, ZooError
from zoo.evaluation import batch_work
from zoo.evaluation.evaluated_model import EvaluatedModel, EvaluationSetting, default_device, open_subject
from zoo.evaluation.image_evaluation import IMAGES
from zoo.evaluation.protocols import Predictor
from zoo.evaluation.text_evaluation import TEXTS

if TYPE_CHECKING:
    from torch import nn

BATCH = 16


@dataclass(frozen=True)
class Guess:
    """One class of a prediction.

    Args:
        number: of the class.
        label: its name, or None where the model does not say.
        probability: softmax of its score; whether it is right so often was not checked (it is not calibrated).
    """

    number: int
    label: str | None
    probability: float


@dataclass(frozen=True)
class Prediction:
    """Prediction of a model for one file.

    Args:
        file: as it was given; of texts the text.
        guesses: likeliest first; of equal probabilities the lower class number first. Empty if there is a problem.
        size: width and height in the file.
        notes: what was done to the image; see `zoo.data.photo.open_photo`.
        problem: why there is no prediction, or None.
        score: of a text model with one output, instead of guesses.
    """

    file: str
    guesses: tuple[Guess, ...] = ()
    size: tuple[int, int] | None = None
    notes: tuple[str, ...] = ()
    problem: str | None = None
    score: float | None = None


class EitherKind:
    """The `ModelKind` of models that take images or texts, as each says itself."""

    def of_module(self, module: "nn.Module", name: str, setting: EvaluationSetting[Any]) -> Any:
        """The module's own preprocessing."""
        takes_texts = isinstance(getattr(module, "text_preprocess", None), TextPreprocess)
        return TEXTS.of_module(module, name, setting) if takes_texts else IMAGES.of_module(module, name, setting)

    def of_predictor(self, predictor: Any, name: str, setting: EvaluationSetting[Any]) -> Any:
        """The predictor's own preprocessing."""
        takes_texts = isinstance(getattr(predictor, "preprocess", None), TextPreprocess)
        kind: Any = TEXTS if takes_texts else IMAGES
        return kind.of_predictor(predictor, name, setting)


EITHER = EitherKind()


@contextmanager
def open_model(
    model: "str | Path | nn.Module | Predictor",
    device: str | None = None,
    preprocess: Preprocess | None = None,
    labels: Sequence[str] = (),
) -> Iterator[EvaluatedModel[Any]]:
    """Prepare a model for `predict`, or for `zoo.evaluation.predict_texts`, as its preprocessing tells.

    Args:
        model: as for `zoo.evaluate`: a name, a folder, FILE.onnx, a module or a predictor.
        device: "cpu", "cuda", ...; None as for `zoo.evaluate`.
        preprocess: as for `zoo.evaluate`.
        labels: as for `zoo.evaluate`.

    Raises:
        ZooError: as `zoo.evaluate` does for a model.
    """
    place = choose_device(default_device(model) if device is None else device)
    with ExitStack() as stack:
        setting: EvaluationSetting[Any] = EvaluationSetting(place, preprocess=preprocess, labels=tuple(labels))
        yield stack.enter_context(open_subject(model, setting, EITHER))


def predict(subject: EvaluatedModel[Preprocess], files: Sequence[str | Path], topk: int = 5) -> Iterator[Prediction]:
    """Classify image files, in their order; a file that cannot be used becomes a prediction with a problem.

    Args:
        subject: from `open_model`.
        files: image files.
        topk: how many classes of each; all if there are fewer.

    Raises:
        ConfigurationError: `topk` is below 1.
        ShapeError: the model does not run on its own input size.
        WeightsMismatchError: scores are NaN or infinite.
    """
    if topk < 1:
        raise ConfigurationError(f"topk is {topk}; give at least 1.")
    for start in range(0, len(files), BATCH):
        yield from _batch(subject, files[start : start + BATCH], topk)


def _batch(subject: EvaluatedModel[Preprocess], files: Sequence[str | Path], topk: int) -> Iterator[Prediction]:
    opened = [_open(subject, file) for file in files]
    inputs = [found[1] for found in opened if not isinstance(found, str)]
    scores: Iterator[Any] = iter(_scores(subject, torch.stack(inputs)) if inputs else ())
    for file, found in zip(files, opened, strict=True):
        if isinstance(found, str):
            yield Prediction(str(file), problem=found)
        else:
            photo = found[0]
            yield Prediction(str(file), guesses_of(next(scores), subject.labels, topk), photo.size, photo.notes)


def _open(subject: EvaluatedModel[Preprocess], file: str | Path) -> tuple[Photo, torch.Tensor] | str:
    """The file and the model's input for it, or why there is none: the other files are answered all the same."""
    try:
        photo = open_photo(file)
        with decoding(str(file)):
            return photo, subject.preprocess(photo.image)
    except ZooError as error:
        return str(error)


def _scores(subject: EvaluatedModel[Preprocess], inputs: torch.Tensor) -> torch.Tensor:
    outputs = batch_work.predict(
        subject, inputs, len(inputs), f"shape {tuple(inputs.shape)}", "Check its preprocessing."
    )
    batch_work.check_finite(subject, outputs, 0, "images", "the files given")
    return outputs


def guesses_of(scores: torch.Tensor, labels: Sequence[str], topk: int) -> tuple[Guess, ...]:
    """The likeliest classes by the softmax of their scores, the first one first."""
    shares = scores.double().softmax(dim=0)
    order = shares.argsort(descending=True, stable=True)[:topk].tolist()
    return tuple(Guess(number, labels[number] if labels else None, float(shares[number])) for number in order)
