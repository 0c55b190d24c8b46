"""A whole run on a task that can be learned."""

import json

import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from zoo.activations import FleS
from zoo.errors import DataNotFoundError, OutputError
from zoo.finetuning import finetune, load_finetune_recipe


def run(recipe_file, glue, output, *overrides, **kwargs):
    recipe = load_finetune_recipe(recipe_file, overrides)
    return finetune(recipe, data=glue, output=output, device="cpu", show_progress=False, **kwargs)


def test_it_learns_and_leaves_a_folder_transformers_reads(recipe_file, glue, tmp_path):
    result = run(recipe_file, glue, tmp_path / "run", "schedule.epochs=4")
    assert result.summary["results"]["accuracy"] == 1.0
    assert result.summary["texts"] == {"train": 128, "evaluation": 128}
    written = {path.name for path in (tmp_path / "run").iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json", "recipe.json", "summary.json"} <= written
    assert not any(name.startswith("checkpoint") for name in written)
    model = AutoModelForSequenceClassification.from_pretrained(tmp_path / "run").eval()
    inputs = AutoTokenizer.from_pretrained(tmp_path / "run")("the film is very good .", return_tensors="pt")
    with torch.no_grad():
        logits = model(**inputs).logits
    assert model.config.id2label[logits.argmax().item()] == "positive"
    assert torch.equal(logits, result.model(**inputs).logits)
    moved = [act.gamma.sub(1).abs().max().item() for act in model.modules() if isinstance(act, FleS)]
    assert min(moved) > 1e-3, "FleS was not trained"
    assert json.loads((tmp_path / "run/recipe.json").read_text())["data"]["task"] == "sst2"


def test_the_same_seed_gives_the_same_weights_and_another_one_others(recipe_file, glue, tmp_path):
    short = ("schedule.epochs=1", "data.subset=32")
    found = [
        run(recipe_file, glue, tmp_path / str(i), *short, f"runtime.seed={s}").model for i, s in enumerate((1, 1, 2))
    ]
    first, again, other = (model.state_dict()["classifier.weight"] for model in found)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_regression_task(recipe_file, glue, tmp_path):
    result = run(recipe_file, glue, tmp_path / "run", "data.task=stsb", "model.act=gelu", "schedule.epochs=10")
    assert set(result.summary["metrics"]) == {"pearson", "spearman"}
    assert result.summary["results"]["pearson"] > 0.9
    assert result.model.config.num_labels == 1


def test_resume_equals_an_uninterrupted_run(recipe_file, glue, tmp_path, monkeypatch):
    from transformers import Trainer

    whole = run(recipe_file, glue, tmp_path / "whole", "data.subset=32")
    save = Trainer._save_checkpoint

    def killed(self, *args, **kwargs):
        save(self, *args, **kwargs)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Trainer, "_save_checkpoint", killed)
        with pytest.raises(KeyboardInterrupt):
            run(recipe_file, glue, tmp_path / "cut", "data.subset=32")
    with pytest.raises(OutputError, match="already holds a run"):
        run(recipe_file, glue, tmp_path / "cut", "data.subset=32")
    resumed = run(recipe_file, glue, tmp_path / "cut", "data.subset=32", resume=True)
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, resumed.model.state_dict()[name]), name


def test_bad_input_leaves_no_folder(recipe_file, glue, tmp_path):
    with pytest.raises(DataNotFoundError, match="500 texts"):
        run(recipe_file, glue, tmp_path / "run", "data.subset=500")
    with pytest.raises(DataNotFoundError):
        run(recipe_file, tmp_path, tmp_path / "run")
    assert not (tmp_path / "run").exists()
