"""What goes into a model: datasets of images and the one preprocessing object."""

from zoo.data.preprocess import Preprocess
from zoo.data.vision import DATASETS, DatasetSpec, ImageDataset, load_vision

__all__ = ["DATASETS", "DatasetSpec", "ImageDataset", "Preprocess", "load_vision"]
