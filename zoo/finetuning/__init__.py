"""Fine-tuning text encoders on GLUE: `finetune("glue", task="sst2")`, or `zoo finetune glue --task sst2`."""

from zoo.finetuning.recipe import FinetuneRecipe, list_finetune_recipes, load_finetune_recipe
from zoo.finetuning.run import FinetuneResult, finetune

__all__ = ["FinetuneRecipe", "FinetuneResult", "finetune", "list_finetune_recipes", "load_finetune_recipe"]
