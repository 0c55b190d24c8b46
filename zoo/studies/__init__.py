"""Experiments on the papers' claims, small enough to repeat: `zoo study plasticity`, `zoo study batch-size`."""

from zoo.studies.batch_size.plot import plot_batch_size
from zoo.studies.batch_size.run import run_batch_size
from zoo.studies.plasticity.plot import plot_plasticity
from zoo.studies.plasticity.run import run_plasticity
from zoo.studies.report_file import read_report

__all__ = ["plot_batch_size", "plot_plasticity", "read_report", "run_batch_size", "run_plasticity"]
