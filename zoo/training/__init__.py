"""Training by recipes: `train("c18_cifar10")`, or `zoo train c18_cifar10` on the command line."""

from zoo.errors import DivergedError
from zoo.training.images.train_images import TrainResult, train
from zoo.training.parse import list_recipes, load_recipe
from zoo.training.recipe import Recipe

__all__ = ["DivergedError", "Recipe", "TrainResult", "list_recipes", "load_recipe", "train"]
