"""Fine-tuning text encoders on GLUE: `finetune("glue")`, or `zoo finetune glue`; the shipped recipe is for SST-2.

For another task: `finetune(load_finetune_recipe("glue", ["data.task=rte"]))`, or `zoo finetune glue --task rte`.
"""

from zoo.finetuning.finetune_texts import FinetuneResult, finetune
from zoo.finetuning.finetuning_recipe import FinetuneRecipe, list_finetune_recipes, load_finetune_recipe

__all__ = ["FinetuneRecipe", "FinetuneResult", "finetune", "list_finetune_recipes", "load_finetune_recipe"]
