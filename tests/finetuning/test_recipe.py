import pytest

from zoo.errors import RecipeError
from zoo.models.text_models import TEXT_ACTS, TEXT_MODELS
from zoo.training.texts.finetuning_recipe import list_finetune_recipes, load_finetune_recipe


@pytest.mark.parametrize("name", list_finetune_recipes())
def test_a_shipped_recipe_is_complete_and_survives_json(name, tmp_path):
    import json

    recipe = load_finetune_recipe(name)
    assert recipe.model.name in TEXT_MODELS
    assert recipe.model.act in TEXT_ACTS
    assert recipe.source
    assert recipe.description
    (tmp_path / f"{name}.json").write_text(json.dumps(recipe.to_dict()))
    assert load_finetune_recipe(tmp_path / f"{name}.json") == recipe


def test_an_override_changes_one_field():
    recipe = load_finetune_recipe("glue", ["data.task=rte", "optimizer.lr=1e-4"])
    assert (recipe.data.task, recipe.optimizer.lr) == ("rte", 1e-4)
    assert recipe.schedule == load_finetune_recipe("glue").schedule


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("schedule.epochs=0", "schedule.epochs is 0, not at least 1"),
        ("schedule.epoch=3", "Nearest: schedule.epochs"),
        ("runtime.precision=int8", "not 'float32', 'bfloat16' or 'float16'"),
        ("optimizer.lr=fast", "not a valid number"),
        ("model.start=''", "nothing says where the tokenizer comes from"),
        ("schedule.warmup=1", "leaves no step to decay over"),
        ("runtime.seed=4294967296", "runtime.seed is 4294967296, not at most 4294967295"),
        ("data.task=sst", "data.task: unknown 'sst'. Nearest: sst2"),
        ("model.name=fles_minilm", "model.name: unknown 'fles_minilm'. Nearest: fles_minilm_l6"),
        ("model.act=fels", "model.act: unknown 'fels'. Nearest: fles"),
    ],
)
def test_what_is_wrong_is_named(override, words):
    with pytest.raises(RecipeError, match=words):
        load_finetune_recipe("glue", [override])


def test_an_unknown_recipe_offers_the_known_ones():
    with pytest.raises(RecipeError, match=r"Unknown recipe 'gleu'\. Nearest: glue"):
        load_finetune_recipe("gleu")
    with pytest.raises(RecipeError, match=r"Cannot read the recipe nowhere.toml: .* Known: glue\."):
        load_finetune_recipe("nowhere.toml")
