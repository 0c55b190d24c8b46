"""A whole run on a task that can be learned."""

import errno
import json
import os

import datasets
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer, Trainer

from zoo.activations import FleS
from zoo.activations.fles_start import inverse_softplus
from zoo.errors import ConfigurationError, DataNotFoundError, DivergedError, OutputError, RecipeError
from zoo.training.texts.finetune_texts import finetune_texts as finetune
from zoo.training.texts.finetuning_recipe import load_finetune_recipe


def run(recipe_file, glue, output, *overrides, **kwargs):
    recipe = load_finetune_recipe(recipe_file, overrides)
    return finetune(recipe, data=glue, output=output, **{"device": "cpu", "show_progress": False} | kwargs)


def test_it_learns_and_leaves_a_folder_transformers_reads(recipe_file, glue, tmp_path):
    result = run(recipe_file, glue, tmp_path / "run", "schedule.epochs=4")
    assert result.summary["results"]["accuracy"] == 1.0
    assert result.summary["texts"] == {"train": 128, "evaluation": 128}
    written = {path.name for path in (tmp_path / "run").iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json", "recipe.json", "summary.json"} <= written
    assert not any(name.startswith(("checkpoint", ".")) or name.endswith((".bin", ".pt")) for name in written)
    model = AutoModelForSequenceClassification.from_pretrained(tmp_path / "run").eval()
    inputs = AutoTokenizer.from_pretrained(tmp_path / "run")("the film is very good .", return_tensors="pt")
    with torch.no_grad():
        logits, here = model(**inputs).logits, result.model(**inputs).logits
    assert model.config.id2label[logits.argmax().item()] == "positive"
    stored = result.model.state_dict()
    assert all(torch.equal(value, stored[name]) for name, value in model.state_dict().items())
    torch.testing.assert_close(logits, here, rtol=1e-4, atol=1e-5)
    moved = [
        act.vertical_bias.sub(inverse_softplus(1.0)).abs().max().item()
        for act in model.modules()
        if isinstance(act, FleS)
    ]
    assert min(moved) > 1e-3, "FleS was not trained"
    assert json.loads((tmp_path / "run/recipe.json").read_text())["data"]["task"] == "sst2"


def test_a_disk_full_before_the_first_checkpoint_leaves_no_run(recipe_file, glue, tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as disk:
        disk.setattr(Trainer, "_save", full)
        with pytest.raises(OutputError, match="No space left on device"):
            run(recipe_file, glue, tmp_path / "run", "schedule.epochs=1", "data.subset=32")
    assert not (tmp_path / "run").exists()
    run(recipe_file, glue, tmp_path / "run", "schedule.epochs=1", "data.subset=32")
    assert (tmp_path / "run/summary.json").is_file()


def test_the_same_seed_gives_the_same_weights_and_another_one_others(recipe_file, glue, tmp_path):
    short = ("schedule.epochs=1", "data.subset=32")
    found = [
        run(recipe_file, glue, tmp_path / str(i), *short, f"runtime.seed={s}").model for i, s in enumerate((1, 1, 2))
    ]
    first, again, other = (model.state_dict()["classifier.weight"] for model in found)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.slow
def test_a_regression_task(recipe_file, glue, tmp_path):
    result = run(recipe_file, glue, tmp_path / "run", "data.task=stsb", "model.act=gelu", "schedule.epochs=10")
    assert set(result.summary["metrics"]) == {"pearson", "spearman"}
    assert result.summary["results"]["pearson"] > 0.9
    assert result.model.config.num_labels == 1


def test_an_undefined_correlation_costs_no_weights(recipe_file, glue, tmp_path):
    table = datasets.Dataset.from_dict(
        {"sentence1": ["a film ."] * 4, "sentence2": ["a plot ."] * 4, "label": [2.0] * 4}
    )
    for split in ("train", "validation"):
        table.to_parquet(tmp_path / "glue/stsb" / f"{split}-00000-of-00001.parquet")
    result = run(recipe_file, tmp_path / "glue", tmp_path / "run", "data.task=stsb", "schedule.epochs=1")
    assert "No correlation is defined" in result.summary["unmeasured"]
    assert json.loads((tmp_path / "run/summary.json").read_text())["results"] == {}
    assert (tmp_path / "run/model.safetensors").is_file()


def test_a_run_that_diverges_stops(recipe_file, glue, tmp_path):
    with pytest.raises(DivergedError, match=r"the loss became (nan|inf).*optimizer.lr"):
        run(recipe_file, glue, tmp_path / "run", "data.subset=32", "optimizer.lr=1e30", "optimizer.clip_norm=0")
    assert not (tmp_path / "run/model.safetensors").exists()


def test_progress_is_not_on_stdout(recipe_file, glue, tmp_path, capsys):
    run(recipe_file, glue, tmp_path / "run", "data.subset=32", "schedule.epochs=1", show_progress=True)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("error", "words", "overrides", "kwargs"),
    [
        (DataNotFoundError, "500 texts", ["data.subset=500"], {}),
        (ConfigurationError, "usable CUDA devices", [], {"device": "cuda:9"}),
        (ConfigurationError, "Unknown device 'gpu'", [], {"device": "gpu"}),
        (ConfigurationError, "runtime.precision: float16 needs a GPU", ["runtime.precision=float16"], {}),
        (ConfigurationError, "positions for 40", ["data.max_length=41"], {}),
        (ConfigurationError, "Nearest: hidden_dropout_prob", ["model.args.hidden_dropout=0.1"], {}),
    ],
)
def test_bad_input_leaves_no_folder(recipe_file, glue, tmp_path, error, words, overrides, kwargs):
    with pytest.raises(error, match=words):
        run(recipe_file, glue, tmp_path / "run", *overrides, **kwargs)
    assert not (tmp_path / "run").exists()


def test_cuda_is_not_replaced_by_another_device(recipe_file, glue, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigurationError, match="Asked for device 'cuda:0', found 0 usable CUDA devices"):
        run(recipe_file, glue, tmp_path / "run", device="cuda")
    assert not (tmp_path / "run").exists()


def test_a_batch_must_be_divisible_among_processes(recipe_file):
    from zoo.training.processes import Devices
    from zoo.training.texts.finetuning_checks import check_devices

    recipe = load_finetune_recipe(recipe_file)
    check_devices(recipe, Devices(torch.device("cpu"), 0, 4))
    with pytest.raises(RecipeError, match="16 texts cannot be shared equally by 3 processes"):
        check_devices(recipe, Devices(torch.device("cpu"), 0, 3))
    with pytest.raises(ConfigurationError, match="CUDA_VISIBLE_DEVICES"):
        check_devices(recipe, Devices(torch.device("cuda:1")))
