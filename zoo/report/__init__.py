"""From a model's name to a report of what it learned: tables, JSON, pictures and one page of HTML."""

from zoo.report.analysed_images import ImageSample
from zoo.report.analysed_model import AnalysedModel
from zoo.report.analyze_model import Analysis, analyze
from zoo.report.report_files import write_report

__all__ = ["AnalysedModel", "Analysis", "ImageSample", "analyze", "write_report"]
