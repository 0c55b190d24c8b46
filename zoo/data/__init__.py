"""Data for a model: images and texts by name, and the one preprocessing object of each kind."""

from zoo.data.glue import GLUE, GlueSplit, GlueTask, load_glue
from zoo.data.image_dataset import DATASETS, DatasetSpec, ImageDataset
from zoo.data.preprocess import Preprocess
from zoo.data.tokenize import TextInput, TextPreprocess
from zoo.data.vision import load_vision

__all__ = [
    "DATASETS",
    "GLUE",
    "DatasetSpec",
    "GlueSplit",
    "GlueTask",
    "ImageDataset",
    "Preprocess",
    "TextInput",
    "TextPreprocess",
    "load_glue",
    "load_vision",
]
