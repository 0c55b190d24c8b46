"""Turning existing models into others: activations into FleS or any other gate, norm layers into SALU.

import zoo
model, report = zoo.convert(timm.create_model("efficientnet_b0", pretrained=True), to="fles")
"""

from zoo.conversion.conversion_report import ConvertedSite, Left, Report
from zoo.conversion.convert_model import convert
from zoo.conversion.converted_folder import load_converted, save_converted
from zoo.conversion.replay import rebuild
from zoo.conversion.target import RELU_STEEPNESS, STEEPNESS

__all__ = [
    "RELU_STEEPNESS",
    "STEEPNESS",
    "ConvertedSite",
    "Left",
    "Report",
    "convert",
    "load_converted",
    "rebuild",
    "save_converted",
]
