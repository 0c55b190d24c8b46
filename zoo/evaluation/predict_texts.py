"""Predictions for texts: the likeliest classes of each, or its score, by whatever runs the model."""

from collections.abc import Iterator, Sequence

from zoo.data.tokenize import TextPreprocess
from zoo.errors import ConfigurationError
from zoo.evaluation import batch_work
from zoo.evaluation.evaluated_model import EvaluatedModel
from zoo.evaluation.predict import BATCH, Prediction, guesses_of


def predict_texts(
    subject: EvaluatedModel[TextPreprocess], texts: Sequence[str | tuple[str, str]], topk: int = 5
) -> Iterator[Prediction]:
    """Classify texts or pairs of texts, in their order; a model with one output gives a score.

    Args:
        subject: from `zoo.evaluation.predict.open_model`.
        texts: what to classify.
        topk: how many classes of each; all if there are fewer.

    Raises:
        ConfigurationError: `topk` is below 1, or texts and pairs are mixed.
        ShapeError: the model does not run on its own input.
        WeightsMismatchError: scores are NaN or infinite.
    """
    if topk < 1:
        raise ConfigurationError(f"topk is {topk}; give at least 1.")
    for start in range(0, len(texts), BATCH):
        some = list(texts[start : start + BATCH])
        inputs = subject.preprocess.encode(some)  # type: ignore[arg-type]
        shape = f"shape {tuple(inputs['input_ids'].shape)} (texts, tokens)"
        outputs = batch_work.predict(subject, inputs, len(some), shape, "Do tokenizer and model belong together?")
        batch_work.check_finite(subject, outputs, start // BATCH, "texts", "the texts given")
        for text, scores in zip(some, outputs, strict=True):
            name = text if isinstance(text, str) else " | ".join(text)
            if len(scores) == 1:
                yield Prediction(name, score=float(scores[0]))
            else:
                yield Prediction(name, guesses_of(scores, subject.labels, topk))
