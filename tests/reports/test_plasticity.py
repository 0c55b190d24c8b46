"""reports/plasticity.py on tiny data, end to end."""

import json
from statistics import fmean

import experiment
import plasticity as script
import pytest
import torch
from plasticity import PReLUNet
from torch import nn

from zoo.activations import SALU
from zoo.errors import ConfigurationError, RecipeError
from zoo.training import load_recipe

SMALL = ["data.batch_size=8", "runtime.compile=false", "runtime.precision=float32", "runtime.eval_batch_size=21"]


def run(data, output, *more, seeds=1, epochs=3, lr=0.05):
    settings = [*SMALL, f"schedule.epochs={epochs}", f"optimizer.lr={lr}", *more]
    overrides = [word for setting in settings for word in ("--set", setting)]
    return script.main(
        ["--data", f"{data}", "--output", f"{output}", "--seeds", f"{seeds}", "--device", "cpu", *overrides]
    )


@pytest.fixture(scope="module")
def finished(tiny_data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("plasticity") / "runs"
    return folder, run(tiny_data, folder, seeds=2)


def test_the_shipped_recipe_is_the_papers_where_it_speaks(repository):
    shipped = load_recipe(repository / "reports/plasticity.toml")
    assert (shipped.optimizer.name, shipped.optimizer.lr, shipped.optimizer.momentum) == ("momentum", 0.01, 0.9)
    assert (shipped.schedule.epochs, shipped.schedule.kind, shipped.data.dataset) == (50, "constant", "cifar10")


@pytest.mark.parametrize(("name", "kind"), [("batchnorm", nn.modules.batchnorm._BatchNorm), ("salu", SALU)])
def test_each_prelu_stands_behind_a_stabiliser(name, kind):
    layers = list(PReLUNet(name, 1, 10).layers)
    places = [i for i, layer in enumerate(layers) if isinstance(layer, nn.PReLU)]
    assert len(places) == 3
    assert all(isinstance(layers[i - 1], kind) for i in places)


def test_the_network_has_the_papers_widths_and_one_slope_a_layer():
    model = PReLUNet("none", 1, 10)
    widths = [tuple(p.shape) for p in model.parameters() if p.ndim > 1]
    assert [shape[0] for shape in widths] == [32, 64, 128, 10]
    model.note(1)
    assert model.course.tolist() == [[0.25] * 3] * 2, "the start is torch's own"
    assert model(torch.zeros(2, 3, 32, 32)).shape == (2, 10)


def test_slopes_are_kept_from_the_start_on_and_move(finished):
    _, report = finished
    kinds = ("batchnorm", "none", "salu")
    assert [(r["stabiliser"], r["seed"]) for r in report["runs"]] == [(s, k) for k in (0, 1) for s in kinds]
    for found in report["runs"]:
        assert [row["epoch"] for row in found["watched"]] == [0, 1, 2, 3]
        start, *later = [row["slopes"] for row in found["watched"]]
        assert start == [0.25] * 3
        assert all(before != after for before, after in zip([start, *later], later, strict=False))
    first = [r["watched"][-1]["slopes"] for r in report["runs"] if r["stabiliser"] == "salu"]
    assert first[0] != first[1], "two seeds are two runs"


def test_the_report_holds_means_of_its_runs_and_nothing_of_this_machine(finished, tiny_data):
    folder, report = finished
    own = [r for r in report["runs"] if r["stabiliser"] == "none"]
    final = fmean(r["watched"][-1]["slopes"][0] for r in own)
    assert report["summary"]["none"]["final"]["mean"] == pytest.approx(final)
    assert report["data"]["train"]["images"] == 44
    assert len(report["verdict"]["points"]) == 3
    text = json.dumps(report)
    assert str(folder) not in text
    assert str(tiny_data) not in text


def test_a_killed_experiment_goes_on_to_the_same_numbers(finished, tiny_data, tmp_path, monkeypatch):
    whole, steps = finished[1]["runs"][:3], 0

    def killed(progress):
        nonlocal steps
        steps += 1
        if steps == 5 * 3 + 7:  # in the second of three runs, in its second epoch
            raise KeyboardInterrupt
        script.built[0].note(progress.epoch + 1)

    with monkeypatch.context() as patch:
        patch.setattr(script, "note", killed)
        with pytest.raises(KeyboardInterrupt):
            run(tiny_data, tmp_path / "runs")
    assert (tmp_path / "runs/none_seed0/checkpoint.safetensors").exists()
    again = run(tiny_data, tmp_path / "runs")["runs"]
    assert [r["watched"] for r in again] == [r["watched"] for r in whole]
    assert [r["log"][-1]["val_top1"] for r in again] == [r["log"][-1]["val_top1"] for r in whole]
    assert not list((tmp_path / "runs").rglob("*.safetensors")), "finished runs keep no weights"


def test_finished_runs_are_read_not_repeated(finished, tiny_data, monkeypatch):
    folder, report = finished
    monkeypatch.setattr(experiment, "train", lambda *_, **__: pytest.fail("trained again"))
    assert run(tiny_data, folder, seeds=2) == report
    with pytest.raises(RecipeError, match="by another recipe"):
        run(tiny_data, folder, epochs=2)


def test_no_seed_is_refused(tiny_data, tmp_path):
    with pytest.raises(ConfigurationError, match="at least one"):
        run(tiny_data, tmp_path / "runs", seeds=0)
    assert not (tmp_path / "runs").exists()


def test_a_diverged_run_is_reported(tiny_data, tmp_path):
    report = run(tiny_data, tmp_path / "runs", lr=1e20)
    lost = [r for r in report["runs"] if r["diverged"]]
    assert "none" in {r["stabiliser"] for r in lost}
    assert all("not finite" in r["diverged"] for r in lost)
    assert report["summary"]["none"] == {"runs": 0}
    assert "Diverged and left out" in report["verdict"]["sentence"]
    script.draw(report, tmp_path / "lost.png")
