import json
from statistics import fmean

import pytest
import torch
from torch import nn

from zoo.activations import SALU
from zoo.errors import ConfigurationError, OutputError, RecipeError, UnknownNameError
from zoo.studies import plot_plasticity, run_plasticity
from zoo.studies.plasticity import run as study
from zoo.studies.plasticity.network import STABILISERS, PReLUNet, slopes
from zoo.studies.plasticity.report import curve
from zoo.training import load_recipe


def recipe(epochs: int = 3):
    small = ["data.batch_size=8", "runtime.compile=false", "runtime.precision=float32", "optimizer.lr=0.05"]
    return load_recipe(study.RECIPE, [*small, f"schedule.epochs={epochs}", "runtime.eval_batch_size=21"])


def run(data, output, seeds=1, **more):
    settings = {"recipe": recipe(), "device": "cpu", "show": False} | more
    return run_plasticity(data=data, output=output, seeds=seeds, **settings)


@pytest.fixture(scope="module")
def finished(tiny_data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("plasticity") / "runs"
    return folder, run(tiny_data, folder, seeds=2)


def test_the_shipped_recipe_is_the_papers_where_it_speaks():
    shipped = load_recipe(study.RECIPE)
    assert (shipped.optimizer.name, shipped.optimizer.lr, shipped.optimizer.momentum) == ("momentum", 0.01, 0.9)
    assert (shipped.schedule.epochs, shipped.schedule.kind, shipped.data.dataset) == (50, "constant", "cifar10")


@pytest.mark.parametrize(("name", "kind"), [("batchnorm", nn.modules.batchnorm._BatchNorm), ("salu", SALU)])
def test_each_prelu_stands_behind_a_stabiliser(name, kind):
    layers = list(PReLUNet(name).layers)
    places = [i for i, layer in enumerate(layers) if isinstance(layer, nn.PReLU)]
    assert len(places) == 3
    assert all(isinstance(layers[i - 1], kind) for i in places)


def test_the_network_has_the_papers_widths_and_one_slope_a_layer():
    model = PReLUNet("none")
    widths = [tuple(p.shape) for p in model.parameters() if p.ndim > 1]
    assert [shape[0] for shape in widths] == [32, 64, 128, 10]
    assert slopes(model) == [0.25, 0.25, 0.25]
    assert model(torch.zeros(2, 3, 32, 32)).shape == (2, 10)
    with pytest.raises(UnknownNameError, match="batchnorm"):
        PReLUNet("layernorm")


def test_slopes_are_kept_from_the_start_on_and_move(finished):
    _, report = finished
    assert [(r["stabiliser"], r["seed"]) for r in report["runs"]] == [(s, k) for k in (0, 1) for s in STABILISERS]
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
    assert curve(own)[-1][0] == pytest.approx(final)
    assert report["data"]["train"]["images"] == 44
    assert len(report["verdict"]["points"]) == 3
    text = json.dumps(report)
    assert str(folder) not in text
    assert str(tiny_data) not in text


def test_a_killed_study_goes_on_to_the_same_numbers(finished, tiny_data, tmp_path, monkeypatch):
    whole, looks = finished[1]["runs"][:3], 0

    def killed(model):
        nonlocal looks
        looks += 1
        if looks == 7:  # in the second of three runs, at its second epoch's end
            raise KeyboardInterrupt
        return {"slopes": slopes(model)}

    with monkeypatch.context() as patch:
        patch.setattr(study, "_slopes", killed)
        with pytest.raises(KeyboardInterrupt):
            run(tiny_data, tmp_path / "runs")
    with pytest.raises(OutputError, match="--resume"):
        run(tiny_data, tmp_path / "runs")
    assert (tmp_path / "runs/none_seed0/checkpoint.safetensors").exists()
    again = run(tiny_data, tmp_path / "runs", resume=True)["runs"]
    assert [r["watched"] for r in again] == [r["watched"] for r in whole]
    assert [r["log"][-1]["val_top1"] for r in again] == [r["log"][-1]["val_top1"] for r in whole]
    assert not list((tmp_path / "runs").rglob("checkpoint.safetensors")), "finished runs keep no checkpoint"


def test_finished_runs_are_read_not_repeated(finished, tiny_data, monkeypatch):
    folder, report = finished
    monkeypatch.setattr("zoo.studies.runs._trainer", lambda *_: pytest.fail("trained again"))
    assert run(tiny_data, folder, seeds=2, resume=True) == report


def test_wrong_inputs(finished, tiny_data, tmp_path):
    with pytest.raises(RecipeError, match=r"schedule\.epochs: 3 -> 2"):
        run(tiny_data, finished[0], recipe=recipe(2), resume=True)
    with pytest.raises(ConfigurationError, match="at least one"):
        run(tiny_data, tmp_path / "runs", seeds=0)
    assert not (tmp_path / "runs").exists()


def test_a_diverged_run_is_reported(tiny_data, tmp_path):
    hot = load_recipe(study.RECIPE, ["data.batch_size=8", "runtime.compile=false", "optimizer.lr=1e20"])
    report = run(tiny_data, tmp_path / "runs", recipe=hot)
    lost = [r for r in report["runs"] if r["diverged"]]
    assert "none" in {r["stabiliser"] for r in lost}
    assert all("not finite" in r["diverged"] for r in lost)
    assert report["summary"]["none"] == {"runs": 0}
    assert "Diverged and left out" in report["verdict"]["sentence"]


def test_the_picture_is_a_picture(finished, tmp_path):
    path = plot_plasticity(finished[1], tmp_path / "slopes.png")
    assert path.read_bytes().startswith(b"\x89PNG")
    assert path.stat().st_size > 10_000
