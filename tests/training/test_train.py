import functools
import json
from contextlib import contextmanager

import pytest
import torch
from safetensors.torch import load_file
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from zoo.cards.runs import training_record
from zoo.data._table import TableRows
from zoo.environment import library_versions
from zoo.errors import ConfigurationError, DataNotFoundError, OutputError, RecipeError, UnknownNameError
from zoo.models import build_model
from zoo.training import DivergedError, load_recipe, train
from zoo.training.images import image_loaders as images_module
from zoo.training.images import train_images as run_module
from zoo.training.images.measure import exchanged

from .tiny import MODEL, tiny_recipe


def run(recipe, data, folder, **options):
    return train(recipe, data=data, output=folder, device="cpu", show_progress=False, **options)


def rows_of(folder):
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def same(first, second):
    return all(torch.equal(first[name], second[name]) for name in first.keys() | second.keys())


def test_a_run_learns_and_leaves_everything_behind(tiny_data, tmp_path):
    recipe = tiny_recipe("schedule.epochs=12", "augmentation.cutout=0", "model.args={}")
    result = run(recipe, tiny_data, tmp_path / "run")
    rows = rows_of(tmp_path / "run")
    assert [row["epoch"] for row in rows] == list(range(1, 13))
    assert rows[-1]["step"] == 60
    assert rows[-1]["train_loss"] < 0.6 * rows[0]["train_loss"]
    assert rows[-1]["val_top1"] > 60
    assert (rows[0]["size"], rows[-1]["size"]) == (16, None)
    assert all({"lr", "grad_norm", "val_top1", "val_top1_ema", "seconds", "images_per_s"} <= row.keys() for row in rows)
    summary = json.loads((tmp_path / "run/summary.json").read_text())
    assert summary == result.summary
    assert summary["results"] == rows[-1]
    assert summary["wall_clock_s"] == pytest.approx(sum(row["seconds"] for row in rows))
    assert summary["data"]["train_images"] == 44
    assert summary["data"]["train_source"]
    environment = summary["environment"]
    assert environment.keys() == {"device", "processes", "threads", "versions"}
    assert environment["versions"] == library_versions()
    assert training_record(tmp_path / "run")["device"] == environment["device"]
    assert same(load_file(result.weights), result.model.state_dict())
    stored = load_recipe(tmp_path / "run/recipe.json")
    assert stored.to_dict() == recipe.to_dict()
    with torch.no_grad():
        assert result.model(torch.zeros(1, 3, 32, 32)).shape == (1, 10)


def test_average_and_raw_weights_differ_and_the_recipe_chooses(tiny_data, tmp_path):
    average = run(tiny_recipe(), tiny_data, tmp_path / "average").model.state_dict()
    raw = run(tiny_recipe("regularisation.weights=raw"), tiny_data, tmp_path / "raw").model.state_dict()
    assert not same(average, raw)


def test_exchanged_gives_the_weights_back_bit_for_bit():
    first, second = build_model(MODEL, num_classes=10), build_model(MODEL, num_classes=10)
    kept = {name: value.clone() for name, value in first.state_dict().items()}
    others = {name: value.clone() for name, value in second.state_dict().items()}
    with exchanged(first, second):
        assert same(first.state_dict(), others)
    assert same(first.state_dict(), kept)
    assert same(second.state_dict(), others)


def test_batch_size_one(tiny_data, tmp_path):
    recipe = tiny_recipe("data.batch_size=1", "schedule.epochs=1", "schedule.warmup_epochs=0", "optimizer.lr=0.01")
    run(recipe, tiny_data, tmp_path / "run")
    assert rows_of(tmp_path / "run")[-1]["step"] == 44


def test_accumulation_is_the_same_mathematics(tiny_data, tmp_path):
    still = ["augmentation.cutout=0", "augmentation.crop=none", "augmentation.flip=0", "model.args={}"]
    whole = run(tiny_recipe(*still), tiny_data, tmp_path / "whole").model.state_dict()
    parts = run(tiny_recipe(*still, "runtime.accumulation=4"), tiny_data, tmp_path / "parts").model.state_dict()
    for name in whole:
        torch.testing.assert_close(whole[name], parts[name], rtol=1e-3, atol=1e-5)


def test_number_of_workers_changes_nothing(tiny_data, tmp_path):
    recipe = ["data.loader=pil", "augmentation.policy=trivial-wide", "schedule.epochs=1", "schedule.warmup_epochs=0"]
    runs = [
        run(tiny_recipe(*recipe, f"runtime.workers={workers}"), tiny_data, tmp_path / str(workers))
        for workers in (0, 2)
    ]
    assert same(*(result.model.state_dict() for result in runs))


@pytest.mark.parametrize(
    "overrides",
    [
        ("optimizer.name=muon", "optimizer.lr=0.01"),
        ("optimizer.name=adamw", "optimizer.lr=1e-3", "regularisation.ema_warmup=true"),
        # Not 16 pixels: oneDNN gives NaN weight gradients for a bfloat16 channels-last 3x3 stride-2 convolution of 1x1.
        ("runtime.precision=bfloat16", "runtime.channels_last=true", "schedule.resolution=[[1, 24]]"),
        ("runtime.precision=float16", "schedule.resolution=[]"),
        ("model.norm=batchnorm", "model.act=relu", "regularisation.ema_decay=0", "regularisation.weights=raw"),
        ("regularisation.mixup=0.2", "regularisation.cutmix=1.0", "augmentation.random_erasing=0.3"),
    ],
    ids=["muon", "adamw", "bfloat16", "float16", "baseline", "mixed"],
)
def test_variants_run(overrides, tiny_data, tmp_path):
    start = run(tiny_recipe(*overrides, "optimizer.lr=0", "schedule.epochs=1"), tiny_data, tmp_path / "start")
    result = run(tiny_recipe(*overrides), tiny_data, tmp_path / "run")
    assert all(torch.isfinite(value).all() for value in result.model.state_dict().values())
    assert not same(result.model.state_dict(), start.model.state_dict())
    assert ("val_top1_ema" in result.summary["results"]) is ("model.norm=batchnorm" not in overrides)


class Dtypes(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.seen = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        self.seen |= {value.dtype for value in tree_leaves(out) if isinstance(value, torch.Tensor)}
        return out


@pytest.mark.parametrize(("precision", "expected"), [("float32", False), ("bfloat16", True)])
def test_muon_computes_in_the_precision_of_the_run(precision, expected, tiny_data, tmp_path):
    overrides = ["optimizer.name=muon", "schedule.epochs=1", "schedule.warmup_epochs=0", "schedule.resolution=[]"]
    with Dtypes() as dtypes:
        run(tiny_recipe(*overrides, f"runtime.precision={precision}"), tiny_data, tmp_path / "run")
    assert (torch.bfloat16 in dtypes.seen) is expected


@pytest.mark.slow
def test_compiled_run_matches_eager(tiny_data, tmp_path, monkeypatch):
    recipe = ["schedule.epochs=1", "schedule.resolution=[]", "regularisation.ema_decay=0", "regularisation.weights=raw"]
    eager = run(tiny_recipe(*recipe), tiny_data, tmp_path / "eager").model.state_dict()
    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend="eager", fullgraph=True))
    torch._dynamo.reset()
    compiled = run(tiny_recipe(*recipe, "runtime.compile=true"), tiny_data, tmp_path / "compiled").model.state_dict()
    assert eager.keys() == compiled.keys()
    for name in eager:
        torch.testing.assert_close(eager[name], compiled[name], rtol=1e-4, atol=1e-6)


def test_divergence_names_step_and_checkpoint(tiny_data, tmp_path):
    recipe = tiny_recipe("optimizer.lr=1e30", "schedule.warmup_epochs=0", "optimizer.clip_norm=0", "schedule.epochs=3",
                         "runtime.checkpoint_steps=1")  # fmt: skip
    with pytest.raises(DivergedError, match=r"step [2-9].*last good state is .*checkpoint\.safetensors"):
        run(recipe, tiny_data, tmp_path / "run")
    assert not (tmp_path / "run/model.safetensors").exists()
    assert all(torch.isfinite(value).all() for value in load_file(tmp_path / "run/checkpoint.safetensors").values())


def test_folder_of_another_run_is_left_alone(tiny_data, tmp_path):
    (tmp_path / "log.jsonl").write_text("")
    with pytest.raises(OutputError, match="already holds a run"):
        run(tiny_recipe(), tiny_data, tmp_path)


def test_output_that_cannot_be_written(tiny_data, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="Cannot write"):
        run(tiny_recipe(), tiny_data, tmp_path / "file" / "run")


@pytest.mark.parametrize(
    ("overrides", "error", "said"),
    [
        (["model.num_classes=7"], RecipeError, "cifar10 has 10 classes"),
        (["model.name=salunet_t_small"], RecipeError, 'Set data.loader="pil"'),
        (["model.name=salunet_c81_cifar"], UnknownNameError, "salunet_c18_cifar"),
        (["data.dataset=cifar11"], UnknownNameError, "cifar10"),
        (["data.train_split=validation"], UnknownNameError, "test, train"),
        (["data.batch_size=64"], RecipeError, "only 44 training images"),
    ],
)
def test_what_does_not_fit_is_refused(overrides, error, said, tiny_data, tmp_path):
    with pytest.raises(error, match=said):
        run(tiny_recipe("model.args={}", *overrides), tiny_data, tmp_path / "run")
    assert not list(tmp_path.iterdir())


def test_missing_data_and_device(tiny_data, tmp_path):
    with pytest.raises(DataNotFoundError):
        run(tiny_recipe(), tmp_path / "nowhere", tmp_path / "run")
    with pytest.raises(ConfigurationError, match="cuda:99"):
        train(tiny_recipe(), data=tiny_data, output=tmp_path / "run", device="cuda:99", show_progress=False)
    assert not list(tmp_path.iterdir())


def test_several_processes_get_the_device_asked_for_or_an_error(tiny_data, tmp_path, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "0")
    with pytest.raises(ConfigurationError, match="cuda:99"):
        train(tiny_recipe(), data=tiny_data, output=tmp_path / "run", device="cuda:99", show_progress=False)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("workers", [0, 2])
def test_an_unreadable_image_is_one_error_without_a_traceback(workers, tiny_data, tmp_path, monkeypatch):
    read = TableRows.__getitem__

    def fail(self, index):
        if index == 4:
            raise OSError("cannot identify image file")
        return read(self, index)

    recipe = tiny_recipe("data.loader=pil", f"runtime.workers={workers}")
    monkeypatch.setattr(TableRows, "__getitem__", fail)
    with pytest.raises(DataNotFoundError, match=r"^Image 4 of cifar10 \((train|test)\) cannot be decoded") as caught:
        run(recipe, tiny_data, tmp_path / "run")
    assert "Traceback" not in str(caught.value)


def test_greyscale_model_learns_from_colour_images(tiny_data, tmp_path):
    grey = ["model.args={in_chans=1}", "schedule.epochs=1", "schedule.warmup_epochs=0"]
    with pytest.raises(RecipeError, match='loader="pil"'):
        run(tiny_recipe(*grey), tiny_data, tmp_path / "run")
    result = run(tiny_recipe(*grey, "data.loader=pil", "runtime.workers=0"), tiny_data, tmp_path / "run")
    assert result.summary["data"]["preprocess"]["input_size"] == [1, 32, 32]
    with torch.no_grad():
        assert result.model(torch.zeros(1, 1, 32, 32)).shape == (1, 10)


def test_decoding_is_shown(tiny_data, tmp_path, monkeypatch):
    shown = []

    @contextmanager
    def counting(what, total, show):
        yield lambda items: shown.append((what, items, total))

    monkeypatch.setattr(run_module, "counting", counting)
    monkeypatch.setattr(images_module, "_REPORT_EVERY", 20)
    run(tiny_recipe("schedule.epochs=1", "schedule.warmup_epochs=0"), tiny_data, tmp_path / "run")
    train_rows = [("decoding, train", items, 44) for items in (20, 20, 4)]
    assert shown == [*train_rows, ("decoding, evaluation", 20, 21), ("decoding, evaluation", 1, 21)]


def test_attention_in_its_plain_form_is_the_same_function():
    from zoo.training.images.train_images import unfuse_attention

    model = build_model("salunet_t_cifar").eval()
    image = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        fused = model(image)
        unfuse_attention(model)
        plain = model(image)
    assert not any(block.attn.fused_attn for block in model.blocks)
    torch.testing.assert_close(plain, fused, rtol=1e-4, atol=1e-4)
