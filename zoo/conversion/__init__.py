"""Turning existing models into others: activations into FleS or any other gate, norm layers into SALU.

import zoo
model, report = zoo.convert(timm.create_model("efficientnet_b0", pretrained=True), to="fles")
"""

from zoo.conversion.files import load_converted, save_converted
from zoo.conversion.replay import rebuild
from zoo.conversion.report import Left, Report, Site
from zoo.conversion.run import convert
from zoo.conversion.target import RELU_STEEPNESS, STEEPNESS

__all__ = [
    "RELU_STEEPNESS",
    "STEEPNESS",
    "Left",
    "Report",
    "Site",
    "convert",
    "load_converted",
    "rebuild",
    "save_converted",
]
