"""Training by recipes: `train("c18_cifar10")` from nothing, `finetune("MODEL.TAG", "photos/")` from weights."""

from zoo.errors import DivergedError
from zoo.training.finetuning import finetune
from zoo.training.images.train_images import TrainResult, train
from zoo.training.parse import list_recipes, load_recipe
from zoo.training.recipe import Recipe

__all__ = ["DivergedError", "Recipe", "TrainResult", "finetune", "list_recipes", "load_recipe", "train"]
