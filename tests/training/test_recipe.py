import json
import shlex
from pathlib import Path

import pytest

from zoo.activations import parameter_specs
from zoo.errors import RecipeError
from zoo.models import build_model
from zoo.training import list_recipes, load_recipe, parse
from zoo.training.recipe import flat
from zoo.training.recipe_text import as_toml, fields_of
from zoo.training.texts.finetuning_recipe import list_finetune_recipes, load_finetune_recipe

from .tiny import tiny_recipe


@pytest.mark.parametrize("name", list_recipes())
def test_shipped_recipe_loads_and_survives_json(name, tmp_path):
    recipe = load_recipe(name)
    file = tmp_path / f"{name}.json"
    file.write_text(json.dumps(recipe.to_dict()))
    assert load_recipe(file) == recipe


@pytest.mark.parametrize(
    ("name", "values"),
    [
        (
            "c18_cifar10",
            {
                "schedule.epochs": 300,
                "schedule.kind": "cosine",
                "schedule.warmup_epochs": 5,
                "data.batch_size": 512,
                "optimizer.lr": 0.3,
                "regularisation.ema_decay": 0.9997,
                "regularisation.label_smoothing": 0.01,
                "regularisation.cutmix": 1.0,
                "augmentation.policy": "autoaugment-cifar10",
            },
        ),
        ("c18_cifar100", {"regularisation.label_smoothing": 0.05, "data.dataset": "cifar100"}),
        (
            "c50_imagenet",
            {
                "schedule.epochs": 90,
                "data.batch_size": 1024,
                "optimizer.lr": 0.4,
                "optimizer.clip_norm": 0.5,
                "regularisation.ema_decay": 0.9999,
                "regularisation.mixup": 0.2,
                "augmentation.policy": "trivial-wide",
                "augmentation.size": 176,
            },
        ),
        (
            "t_cifar100",
            {
                "optimizer.name": "adam",
                "schedule.epochs": 200,
                "optimizer.lr": 1e-3,
                "schedule.min_lr": 1e-5,
                "optimizer.weight_decay": 5e-5,
                "regularisation.label_smoothing": 0.1,
            },
        ),
    ],
)
def test_values_the_paper_states(name, values):
    rows = flat(load_recipe(name).to_dict())
    assert {key: rows[key] for key in values} == values


def test_overrides_change_single_fields():
    changed = load_recipe(
        "c18_cifar10", ["model.norm=batchnorm", 'model.act="relu"', "schedule.epochs=2", "schedule.warmup_epochs=1"]
    )
    assert (changed.model.norm, changed.model.act, changed.schedule.epochs) == ("batchnorm", "relu", 2)
    assert changed.optimizer == load_recipe("c18_cifar10").optimizer


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("schedule.epoch=2", "schedule.epoch: unknown field. Nearest: schedule.epochs"),
        ("optimiser.lr=2", "optimiser: unknown field. Nearest: optimizer"),
        ("schedule.epochs=2.5", "schedule.epochs is 2.5, not a valid integer"),
        ("schedule.epochs=true", "schedule.epochs is True, not a valid integer"),
        ("optimizer.lr=fast", "optimizer.lr is 'fast', not a valid number"),
        ("optimizer.lr=nan", "optimizer.lr is nan, not a finite number"),
        ("data.batch_size=0", "data.batch_size is 0, not at least 1"),
        ("regularisation.mix_prob=1.5", "regularisation.mix_prob is 1.5, not at most 1"),
        ("data.loader=tensors", "data.loader is 'tensors', not 'pil' or 'tensor'"),
        ("augmentation.scale=[0.5]", "augmentation.scale[1]: is required and missing"),
        ("augmentation.scale=[0.5, 0.1]", "augmentation.scale: [0.5, 0.1] is not a range"),
        ("model=5", "model is 5, not an object"),
        ("runtime.accumulation=7", "data.batch_size: 8 cannot be split"),
        ("schedule.warmup_epochs=300", "schedule.warmup_epochs"),
        ("schedule.min_lr=1", "schedule.min_lr: 1.0 is above optimizer.lr"),
        ("schedule.resolution=[[9, 24], [3, 32]]", "needs rising epochs"),
        ("schedule.resolution=[[1,1],[2,2],[3,3],[4,4],[5,5],[6,6]]\nruntime.compile=true", "more than 5 sizes"),
        ("regularisation.ema_decay=0", "regularisation.weights"),
        ("augmentation.policy=trivial-wide", 'set data.loader="pil"'),
        ("augmentation.crop=resized", 'set data.loader="pil"'),
        ("augmentation.size=24", 'set data.loader="pil"'),
    ],
)
def test_wrong_field_is_named(override, said):
    with pytest.raises(RecipeError) as caught:
        tiny_recipe(*override.split("\n"))
    assert said in str(caught.value)
    assert "tiny.toml" in str(caught.value)


def test_all_problems_come_at_once():
    with pytest.raises(RecipeError) as caught:
        load_recipe("c18_cifar10", ["optimizer.lr=x", "data.speed=1", "schedule.epochs=0"])
    assert all(name in str(caught.value) for name in ("optimizer.lr", "data.speed", "schedule.epochs"))


def test_missing_field_is_named(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text('description = "x"\nsource = "ours"\n[data]\ndataset = "cifar10"\n')
    with pytest.raises(RecipeError, match=r"data\.batch_size: is required and missing"):
        load_recipe(file)


def test_mixing_needs_pairs():
    with pytest.raises(RecipeError, match=r"regularisation\.mixup=0"):
        load_recipe("c18_cifar10", ["data.batch_size=1"])


@pytest.mark.parametrize(
    ("name", "said"),
    [("c18_cifar", "Nearest: c18_cifar10"), ("absent.toml", "No such file"), ("zzz", "Known: c18_cifar10")],
)
def test_unknown_recipe(name, said):
    with pytest.raises(RecipeError, match=said):
        load_recipe(name)


@pytest.mark.parametrize(("file", "text"), [("bad.toml", "a = = 1"), ("bad.json", "[1, 2]"), ("cut.json", '{"a":')])
def test_unreadable_recipe(file, text, tmp_path):
    (tmp_path / file).write_text(text)
    with pytest.raises(RecipeError, match="Cannot read the recipe"):
        load_recipe(tmp_path / file)


@pytest.mark.parametrize("override", ["schedule.epochs", "=3", "description.epochs=3"])
def test_override_must_be_an_assignment(override):
    with pytest.raises(RecipeError, match="Cannot apply"):
        load_recipe("c18_cifar10", [override])


BASELINES = {
    "c18_cifar10_short": {"BatchNorm2d", "ReLU"},
    "c18_cifar10_30epochs": {"BatchNorm2d", "ReLU"},
    "c18_cifar100_short": {"BatchNorm2d", "ReLU"},
    "c50_cifar100_short": {"BatchNorm2d", "ReLU"},
    "t_cifar10_short": {"LayerNorm", "GELU"},
    "t_cifar100_short": {"LayerNorm", "GELU"},
}


@pytest.mark.parametrize("name", BASELINES)
def test_baseline_of_a_short_recipe_is_the_command_in_its_header(name):
    file = Path(parse.__file__).parent / "recipes" / f"{name}.toml"
    comment = " ".join(line.removeprefix("#").strip().removesuffix("\\") for line in file.read_text().splitlines())
    words = shlex.split(comment[comment.index("zoo train") : comment.index("description =")])
    assert words[:3] == ["zoo", "train", name]
    baseline = load_recipe(words[2], [words[i + 1] for i, word in enumerate(words) if word == "--set"])
    model = build_model(
        baseline.model.name, num_classes=10, norm=baseline.model.norm, act=baseline.model.act, **baseline.model.args
    )
    kinds = {type(module).__name__.removesuffix("Identity") for module in model.modules()}
    assert not parameter_specs(model)
    assert kinds >= BASELINES[name]
    ours = load_recipe(name)
    assert (baseline.optimizer, baseline.schedule, baseline.data) == (ours.optimizer, ours.schedule, ours.data)


@pytest.mark.parametrize("name", [*list_recipes(), *list_finetune_recipes()])
def test_a_written_recipe_reads_as_the_same_and_tells_every_field(name, tmp_path):
    load = load_finetune_recipe if name in list_finetune_recipes() else load_recipe
    recipe = load(name)
    (tmp_path / f"{name}.toml").write_text(as_toml(recipe))
    assert load(tmp_path / f"{name}.toml") == recipe
    rows = {row["field"]: row for row in fields_of(recipe)}
    assert {row for row in rows if "." in row} >= set(flat(recipe.to_dict())) - {"description", "source"}
    assert all(row["meaning"][0].isupper() or row["meaning"][0] == '"' for row in rows.values())
    assert all(row["meaning"].endswith(".") for row in rows.values())


def test_the_command_writes_a_recipe_that_trains(run_zoo, tmp_path):
    file = tmp_path / "mine.toml"
    code, _, err = run_zoo("train", "t_cifar10_short", "--write-recipe", file, "--set", "optimizer.lr=0.5")
    assert (code, "zoo train" in err) == (0, True)
    assert load_recipe(file).optimizer.lr == 0.5
    code, _, err = run_zoo("train", "--write-recipe", file)
    assert code == 1
    assert "is there already" in err
    code, out, _ = run_zoo("info", "t_cifar10_short", "--json")
    rate = next(row for row in json.loads(out)["fields"] if row["field"] == "optimizer.lr")
    assert (rate["value"], rate["default"], rate["meaning"][:13]) == (0.02, None, "Learning rate")
    assert "[optimizer]" in run_zoo("info", "t_cifar10_short")[1]
