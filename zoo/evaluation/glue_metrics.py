"""The official metrics of GLUE's tasks, by torchmetrics, over a whole split."""

import math
import warnings
from typing import TYPE_CHECKING

from zoo.data.glue import GlueTask
from zoo.errors import ConfigurationError

if TYPE_CHECKING:
    from torch import Tensor

# torchmetrics computes in float32; further decimals say nothing.
_DECIMALS = 7


def official_metrics(task: GlueTask, logits: "Tensor", labels: "Tensor") -> dict[str, float]:
    """The metrics GLUE scores a task by, as torchmetrics computes them; none is a mean over batches.

    Accuracy and F1 run from 0 to 1, correlations from -1 to 1, all with seven decimals. Matthews correlation is 0
    where one class only is predicted or present, as in GLUE's own scoring (scikit-learn); torchmetrics differs there.

    Args:
        task: names the metrics.
        logits: (n, outputs) for the whole split.
        labels: (n,) class numbers, or scores for the regression task.

    Raises:
        ConfigurationError: a correlation is not defined: fewer than two texts, or all of one score.
    """
    if not task.labels:
        values = _correlations(_scores(logits), labels.double().cpu())
    else:
        best, wanted = _best(logits), labels.long().cpu()
        values = {name: _classified(name, best, wanted, len(task.labels)) for name in task.metrics}
    return {name: round(value, _DECIMALS) for name, value in values.items()}


def mean_loss(task: GlueTask, logits: "Tensor", labels: "Tensor") -> float:
    """Mean cross entropy over the texts, for the regression task the mean squared error; in float64."""
    from torch.nn.functional import cross_entropy, mse_loss

    if not task.labels:
        return float(mse_loss(_scores(logits), labels.double().cpu()))
    return float(cross_entropy(logits.detach().double().cpu(), labels.long().cpu()))


def count_correct(task: GlueTask, logits: "Tensor", labels: "Tensor") -> int | None:
    """Texts whose class scored highest; None for the regression task."""
    return int((_best(logits) == labels.cpu()).sum()) if task.labels else None


def _best(logits: "Tensor") -> "Tensor":
    """The class with the highest score; among equal ones the lower number, on every device."""
    scores = logits.detach().cpu()
    return (scores == scores.amax(dim=1, keepdim=True)).int().argmax(dim=1)


def _scores(logits: "Tensor") -> "Tensor":
    return logits.detach().double().cpu().reshape(-1)


def _classified(name: str, found: "Tensor", wanted: "Tensor", classes: int) -> float:
    from torchmetrics.functional import classification

    if name == "accuracy":
        return float(classification.multiclass_accuracy(found, wanted, classes, average="micro"))
    if name == "f1":
        return float(classification.binary_f1_score(found, wanted))
    if len(found.unique()) == 1 or len(wanted.unique()) == 1:
        return 0.0
    return float(classification.multiclass_matthews_corrcoef(found, wanted, classes))


def _correlations(found: "Tensor", wanted: "Tensor") -> dict[str, float]:
    from torchmetrics.functional import pearson_corrcoef, spearman_corrcoef

    if len(found) < 2:
        raise ConfigurationError("A correlation needs at least two texts; raise the limit.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of vanishing variance, which is refused below
        pearson, spearman = float(pearson_corrcoef(found, wanted)), float(spearman_corrcoef(found, wanted))
    constant = len(found.unique()) == 1 or len(wanted.unique()) == 1
    if constant or not math.isfinite(pearson) or not math.isfinite(spearman):
        raise ConfigurationError(
            f"No correlation is defined: the model's scores lie between {float(found.min()):g} and "
            f"{float(found.max()):g}, the labels between {float(wanted.min()):g} and {float(wanted.max()):g}. "
            "Use a model trained for the task, or more texts."
        )
    return {"pearson": pearson, "spearman": spearman}
