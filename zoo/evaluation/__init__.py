"""Measuring a model: one function, `evaluate`, for every runtime, dataset and number of processes.

It is imported as `zoo.evaluate`; the package is called `evaluation` so that the two names do not meet.
"""

from zoo.evaluation.result import EvalResult
from zoo.evaluation.run import evaluate
from zoo.evaluation.task import Predictor, Task

__all__ = ["EvalResult", "Predictor", "Task", "evaluate"]
