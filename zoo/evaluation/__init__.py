"""Measuring a model: `evaluate` on images and `evaluate_text` on GLUE, for every runtime and number of processes.

The first is imported as `zoo.evaluate`; the package is called `evaluation` so that the two names do not meet.
"""

from zoo.evaluation.evaluator import evaluate, evaluate_text
from zoo.evaluation.glue_metrics import official_metrics
from zoo.evaluation.protocols import Predictor
from zoo.evaluation.result import EvalResult, Evaluation, TextResult

__all__ = [
    "EvalResult",
    "Evaluation",
    "Predictor",
    "TextResult",
    "evaluate",
    "evaluate_text",
    "official_metrics",
]
