"""Fine-tuning text encoders on GLUE: `finetune("glue")`, or `zoo finetune glue`; the shipped recipe is for SST-2.

For another task: `finetune(load_finetune_recipe("glue", ["data.task=rte"]))`, or `zoo finetune glue --task rte`.
"""

from zoo.finetuning.recipe import FinetuneRecipe, list_finetune_recipes, load_finetune_recipe
from zoo.finetuning.run import FinetuneResult, finetune

__all__ = ["FinetuneRecipe", "FinetuneResult", "finetune", "list_finetune_recipes", "load_finetune_recipe"]
