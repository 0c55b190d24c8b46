"""reports/sweep.py and reports/order_effect.py on tiny data, and the sweeps that are in the repository."""

import json

import order_effect
import pytest
import sweep as script
import torch
from torch import nn
from training.tiny import MODEL

from zoo.data import load_vision
from zoo.errors import ConfigurationError

SMALL = [
    *(f"model.name={MODEL}", "model.args={}", "model.act=swalu", "data.batch_size=8", "schedule.resolution=[]"),
    *("schedule.epochs=1", "schedule.warmup_epochs=0", "runtime.eval_every=1", "runtime.precision=float32"),
    *("runtime.compile=false", "optimizer.fallback=[]", "runtime.eval_batch_size=21"),
]


def arguments(data, output, *more, seeds=1):
    overrides = [word for override in SMALL for word in ("--set", override)]
    return ["--data", f"{data}", "--output", f"{output}", "--seeds", f"{seeds}", "--device", "cpu", *overrides, *more]


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "rates.toml"
    path.write_text(
        'recipe = "c18_cifar10_short"\nset = ["optimizer.momentum=0.8"]\n[grid]\n"optimizer.lr" = [0.01, 0.02]\n'
    )
    return path


def test_every_point_is_trained_with_every_seed(file, tiny_data, tmp_path, capsys):
    report = script.main([f"{file}", *arguments(tiny_data, tmp_path / "runs", seeds=2)])
    assert [point["values"] for point in report["points"]] == [{"optimizer.lr": 0.01}, {"optimizer.lr": 0.02}]
    for point in report["points"]:
        tops = [run["log"][-1]["val_top1"] for run in point["runs"]]
        assert [run["seed"] for run in point["runs"]] == [0, 1]
        assert point["figures"]["val_top1"]["mean"] == pytest.approx(sum(tops) / 2)
        assert point["figures"]["val_top1"]["std"] == pytest.approx(abs(tops[0] - tops[1]) / 2**0.5)
    kept = json.loads((tmp_path / "runs/rates/0.02_seed1/result.json").read_text())["recipe"]
    assert (kept["optimizer"]["lr"], kept["optimizer"]["momentum"], kept["runtime"]["seed"]) == (0.02, 0.8, 1)
    printed = capsys.readouterr().out
    assert "Highest mean Top-1" in printed
    assert "| optimizer.lr | runs | Top-1 (%) |" in printed


def test_a_sweep_goes_on_and_trains_only_what_is_missing(file, tiny_data, tmp_path, monkeypatch):
    first = script.main([f"{file}", *arguments(tiny_data, tmp_path / "runs")])
    trained = []
    monkeypatch.setattr("experiment.train", lambda recipe, **rest: trained.append(recipe) or pytest.fail("trained"))
    again = script.main([f"{file}", *arguments(tiny_data, tmp_path / "runs")])
    assert again == first
    assert not trained


def test_a_run_that_diverged_is_counted_and_left_out():
    ended = {"diverged": None, "seconds": 60.0, "log": [{"val_top1": 50.0, "val_loss": 1.0, "train_loss": 2.0}]}
    found = script.figures([ended, {"diverged": "at step 3", "seconds": 1.0, "log": []}])
    assert (found["runs"], found["diverged"], found["val_top1"]) == (1, 1, {"mean": 50.0, "std": None})
    gone = script.figures([{"diverged": "at step 3", "seconds": 1.0, "log": []}])
    assert "diverged" in script.table([{"values": {"lr": 1}, "figures": gone}])
    assert script.best([{"values": {"lr": 1}, "figures": gone}]) == "Every run diverged."


@pytest.mark.parametrize(
    ("text", "reason"),
    [("recipe = 3", "a sweep has"), ('recipe = "x"\nlr = 3', "'lr'"), ("recipe =", "Cannot read")],
)
def test_a_file_that_is_no_sweep_is_refused(text, reason, tmp_path):
    (tmp_path / "odd.toml").write_text(text)
    with pytest.raises(ConfigurationError, match=reason):
        script.main([f"{tmp_path / 'odd.toml'}"])
    with pytest.raises(ConfigurationError, match="Name the TOML file"):
        script.main([])
    with pytest.raises(ConfigurationError, match="has no picture"):
        script.main(["--picture", f"{tmp_path / 'x.png'}"])


def test_every_sweep_of_the_repository_gives_valid_recipes(repository):
    found = [path for path in sorted((repository / "reports").glob("*.toml")) if "recipe =" in path.read_text()]
    assert len(found) >= 4
    for path in found:
        sweep = script.read(path)
        names = {script.recipe_of(sweep, values, []).model.name for values in script.combinations(sweep["grid"])}
        assert names


class OfItsBatch(nn.Module):
    """Right on every image whose batch is of one class: it predicts the batch's mean label, read from the pixels."""

    def __init__(self):
        super().__init__()
        self.place = nn.Parameter(torch.zeros(()))

    def forward(self, x):
        mean = x.mean((1, 2, 3)).mean().round().long()
        return nn.functional.one_hot(mean.expand(len(x)), 10).float()


def test_order_changes_what_a_model_of_the_batch_says():
    labels = torch.arange(10).repeat(50)
    images = labels.float().view(-1, 1, 1, 1).expand(-1, 3, 2, 2)
    model = OfItsBatch()
    ordered = labels.argsort(stable=True)
    shuffled = torch.randperm(500, generator=torch.Generator().manual_seed(0))
    # Batches of 100 hold two classes of 50 each: half of each batch is right, or none where the mean rounds to neither.
    assert order_effect.top1(model, images, labels, ordered) == 50
    assert order_effect.top1(model, images, labels, shuffled) < 20


def test_the_order_effect_end_to_end(tiny_data, tmp_path):
    report = order_effect.main(arguments(tiny_data, tmp_path / "runs", seeds=2))
    assert len(report["runs"]) == 2
    for run in report["runs"]:
        # The tiny network looks at each image alone: the order is nothing to it.
        assert len({*run["sorted"], *run["shuffled"]}) == 1
        assert len(run["shuffled"]) == order_effect.SHUFFLES
    assert "difference 0.00 ± 0.00 points (2 seeds)" in report["verdict"]["sentence"]
    assert report["data"]["images"] == len(load_vision("cifar10", "test", tiny_data))


def test_seeds_count_from_the_one_that_was_asked_for(file, tiny_data, tmp_path):
    more = ("--set", "runtime.seed=5")
    swept = script.main([f"{file}", *arguments(tiny_data, tmp_path / "sweep", *more)])
    ordered = order_effect.main(arguments(tiny_data, tmp_path / "order", *more))
    assert {run["seed"] for run in [*swept["points"][0]["runs"], *ordered["runs"]]} == {5}
