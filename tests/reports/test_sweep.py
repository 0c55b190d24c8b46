"""reports/sweep.py and reports/order_effect.py on tiny data, and the sweeps that are in the repository."""

import json

import order_effect
import pytest
import sweep as script
import torch
import transformer_gap
from torch import nn
from training.tiny import MODEL

import zoo
from zoo.data import load_vision
from zoo.errors import ConfigurationError
from zoo.training import load_recipe

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


def test_variants_follow_the_grid_and_parts_make_up_the_whole(file, tiny_data, tmp_path, monkeypatch, capsys):
    file.write_text(
        file.read_text() + '[variants]\n"slow, no momentum" = ["optimizer.lr=0.001", "optimizer.momentum=0"]\n'
    )
    common = [f"{file}", *arguments(tiny_data, tmp_path / "runs")]
    assert script.main([*common, "--part", "2/2"]) == {}
    assert [path.name for path in sorted((tmp_path / "runs/rates").iterdir())] == ["0.02_seed0"]
    assert script.main([*common, "--part", "1/2"]) == {}
    monkeypatch.setattr("experiment.train", lambda recipe, **rest: pytest.fail("trained again"))
    report = script.main(common)
    assert [point["values"] for point in report["points"]][2] == {"variant": "slow, no momentum"}
    kept = json.loads((tmp_path / "runs/rates/slow--no-momentum_seed0/result.json").read_text())["recipe"]["optimizer"]
    assert (kept["lr"], kept["momentum"]) == (0.001, 0)
    printed = capsys.readouterr().out
    assert "| optimizer.lr | variant | runs |" in printed
    assert "|  | slow, no momentum | 1 |" in printed


def test_a_part_of_the_training_images_is_measured_on_others_of_them(file, tiny_data, tmp_path):
    file.write_text("train_images = 16\nheld_out = 5\n" + file.read_text())
    report = script.main([f"{file}", *arguments(tiny_data, tmp_path / "runs")])
    assert [(part["split"], part["images"]) for part in report["data"]] == [("train", 16), ("train", 5)]
    own = tmp_path / "runs/rates/data"
    used, held = ([image.tobytes() for image, _ in load_vision("cifar10", split, own)] for split in ("train", "test"))
    assert (len(used), len(held)) == (16, 5)
    whole = [image.tobytes() for image, _ in load_vision("cifar10", "train", tiny_data)]
    assert set(used) <= set(whole)
    assert set(held) <= set(whole) - set(used)
    file.write_text(file.read_text().replace("train_images = 16", "train_images = 1000000"))
    with pytest.raises(ConfigurationError, match="1000000 images and 5 held out; found"):
        script.main([f"{file}", *arguments(tiny_data, tmp_path / "other")])


@pytest.mark.parametrize("part", ["2", "0/2", "3/2", "a/b", "1/"])
def test_a_part_that_is_none_is_refused(part, file, tiny_data, tmp_path):
    with pytest.raises(ConfigurationError, match=r"1 <= I <= N.*found"):
        script.main([f"{file}", *arguments(tiny_data, tmp_path / "runs"), "--part", part])
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("recipe = 3", "a sweep has"),
        ('recipe = "x"\nlr = 3', "'lr'"),
        ("recipe =", "Cannot read"),
        ('recipe = "x"\n[grid]\nlr = []', "every field of .grid. a value"),
        ('recipe = "x"\nheld_out = 3', "train_images with held_out"),
        ('recipe = "x"\n[variants]\nlr = 3', "with lists"),
    ],
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
    transformer_gap.register()
    for path in found:
        sweep = script.read(path)
        points = script.points_of(sweep)
        assert len({point.name for point in points}) == len(points)
        for point in points:
            model = load_recipe(sweep["recipe"], [*sweep["set"], *point.changes]).model
            size = model.args.get("img_size", 32)
            built = zoo.create_model(model.name, norm=model.norm, act=model.act, num_classes=10, **model.args)
            assert built(torch.zeros(1, 3, size, size)).shape == (1, 10)


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
