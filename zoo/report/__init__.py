"""From a model's name to a report of what it learned: tables, JSON, pictures and one page of HTML."""

from zoo.report.images import ImageSample
from zoo.report.run import Analysis, analyze
from zoo.report.subject import Subject
from zoo.report.write import write_report

__all__ = ["Analysis", "ImageSample", "Subject", "analyze", "write_report"]
