import json

import pytest
import torch
from torch import nn
from training.tiny import MODEL

from zoo.errors import ConfigurationError, OutputError, RecipeError
from zoo.studies import plot_batch_size, run_batch_size
from zoo.studies.batch_size import run as study
from zoo.studies.batch_size.cells import BASELINE, SALUNET, Cell, probe_images, rates
from zoo.studies.batch_size.report import make_report, table
from zoo.studies.batch_size.statistics import batch_statistics
from zoo.training import load_recipe

SMALL = [f"model.name={MODEL}", "model.args={}", "runtime.eval_batch_size=21", "optimizer.args={}"]


@pytest.fixture(autouse=True)
def _few_images(monkeypatch):
    monkeypatch.setattr(study, "HELD_OUT", 8)
    monkeypatch.setattr(study, "probe_images", lambda batch: 2 * batch)


def run(data, output, **more):
    settings = {"samples": 16, "batch_sizes": (2, 8), "recipe": load_recipe(study.RECIPE, SMALL), "show": False}
    return run_batch_size(data=data, output=output, device="cpu", **(settings | more))


@pytest.fixture(scope="module")
def finished(tiny_data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("batch_size") / "runs"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(study, "HELD_OUT", 8)
        patch.setattr(study, "probe_images", lambda batch: 2 * batch)
        from training.tiny import tiny_model

        with tiny_model():
            return folder, run(tiny_data, folder)


def test_rates_follow_the_square_root_rule():
    assert rates(512) == (0.05, 0.15, 0.45)
    assert rates(32)[1] == pytest.approx(rates(512)[1] / 4, rel=0.01)
    assert rates(1)[2] == pytest.approx(9 * rates(1)[0], rel=0.01)
    assert (probe_images(1), probe_images(512)) == (512, 4096)


def test_both_networks_of_a_cell_differ_in_norm_gate_and_start_only():
    base = load_recipe(study.RECIPE)
    ours, theirs = (Cell(network, 4, 7).recipe(base, 0.1).to_dict() for network in (SALUNET, BASELINE))
    assert ours["model"].pop("norm") == "salu"
    assert theirs["model"].pop("norm") == "batchnorm"
    assert ours.pop("model") != theirs.pop("model")
    assert ours == theirs
    assert (ours["data"]["batch_size"], ours["optimizer"]["lr"], ours["runtime"]["seed"]) == (4, 0.1, 7)


def test_every_cell_has_its_row_and_saw_all_samples(finished):
    _, report = finished
    rows = {(row["network"], row["batch_size"]): row for row in report["table"]}
    assert set(rows) == {(n.label, size) for n in (SALUNET, BASELINE) for size in (2, 8)}
    assert all(row["steps"] * size == 16 for (_, size), row in rows.items())
    for row in rows.values():
        assert 0 <= row["top1"] <= 100
        assert row["top1_se"] == pytest.approx((row["top1"] * (100 - row["top1"]) / 21) ** 0.5)
        assert (row["top1_batch_statistics"] is None) == (row["network"] == SALUNET.label)
    assert report["verdict"]["batch_size"] == 2


def test_each_cell_takes_the_rate_with_the_lowest_held_out_loss(finished):
    for cell in finished[1]["cells"]:
        assert [tried["lr"] for tried in cell["lr_tried"]] == list(rates(cell["batch_size"]))
        assert cell["lr"] == min(cell["lr_tried"], key=lambda tried: tried["loss"])["lr"]


def test_nothing_of_this_machine_is_in_the_report(finished, tiny_data):
    text = json.dumps(finished[1])
    assert str(tiny_data) not in text
    assert str(finished[0]) not in text


def test_a_killed_study_goes_on_to_the_same_numbers(finished, tiny_data, tmp_path, monkeypatch):
    from zoo.training.loop import Trainer

    step, steps = Trainer._step, 0

    def killed(trainer, parts):
        nonlocal steps
        steps += 1
        if steps == 25:
            raise KeyboardInterrupt
        return step(trainer, parts)

    often = load_recipe(study.RECIPE, [*SMALL, "runtime.checkpoint_steps=1"])
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_step", killed)
        with pytest.raises(KeyboardInterrupt):
            run(tiny_data, tmp_path / "runs", recipe=often)
    with pytest.raises(OutputError, match="--resume"):
        run(tiny_data, tmp_path / "runs")
    assert list((tmp_path / "runs").rglob("checkpoint.safetensors"))
    again = run(tiny_data, tmp_path / "runs", resume=True)
    timeless = [{k: v for k, v in row.items() if k != "seconds"} for row in again["table"]]
    assert timeless == [{k: v for k, v in row.items() if k != "seconds"} for row in finished[1]["table"]]


def test_a_diverged_cell_is_reported_not_hidden(tiny_data, tmp_path, monkeypatch):
    monkeypatch.setattr(study, "rates", lambda batch: (1e30, 2e30) if batch == 2 else (0.01,))
    report = run(tiny_data, tmp_path / "runs")
    rows = {(row["network"], row["batch_size"]): row for row in report["table"]}
    lost = rows[SALUNET.label, 2]
    assert (lost["diverged"], lost["runs"], lost["top1"]) == (1, 1, None)
    assert rows[SALUNET.label, 8]["diverged"] == 0
    cell = next(c for c in report["cells"] if c["diverged"])
    assert cell["lr"] == 1e30, "of rates that all diverged the lowest is taken"
    assert all(tried["diverged"] for tried in cell["lr_tried"])
    assert 2 in report["verdict"]["fails"][SALUNET.label]
    plot_batch_size(report, tmp_path / "lost.png")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"samples": 20}, r"no multiple of batch sizes \[8\].*such as 16"),
        ({"samples": 48}, "need 56"),
        ({"seeds": 0}, "at least one"),
        ({"batch_sizes": ()}, "different positive"),
        ({"batch_sizes": (2, 2)}, "different positive"),
    ],
)
def test_wrong_inputs(tiny_data, tmp_path, wrong, message):
    with pytest.raises(ConfigurationError, match=message):
        run(tiny_data, tmp_path / "runs", **wrong)
    assert not (tmp_path / "runs").exists()


def test_a_folder_of_another_study_is_refused(finished, tiny_data):
    other = load_recipe(study.RECIPE, [*SMALL, "optimizer.momentum=0.8"])
    with pytest.raises(RecipeError, match=r"optimizer\.momentum: 0\.9 -> 0\.8"):
        run(tiny_data, finished[0], recipe=other, resume=True)


def test_batch_statistics_leave_no_trace():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5), nn.Flatten(), nn.LazyLinear(2))
    x = 5 + 3 * torch.randn(6, 3, 8, 8)
    model(x)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with batch_statistics(model), torch.no_grad():
        inside, again = model(x), model(x)
        hidden = model[1](model[0](x))
    assert torch.equal(inside, again), "dropout stays off"
    assert hidden.mean((0, 2, 3)).abs().max() < 1e-5
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert model.training
    assert model[1].momentum == 0.1
    assert not torch.allclose(model.eval()(x), inside)


def test_means_over_seeds_leave_diverged_ones_out():
    def cell(seed, top1, diverged=None):
        return {
            "network": SALUNET.label,
            "batch_size": 4,
            "seed": seed,
            "steps": 9,
            "lr": 0.1,
            "top1": top1,
            "diverged": diverged,
            "loss": 1.0,
            "train_loss": 2.0,
            "seconds": 3.0,
        }

    rows = table(
        [cell(0, 40.0), cell(1, 50.0), cell(2, None, "not finite"), {**cell(0, 30.0), "network": "BN+ReLU"}], 100
    )
    assert rows[0]["top1"] == 45
    assert rows[0]["top1_std"] == pytest.approx(50**0.5)
    assert rows[0]["top1_se"] == pytest.approx((45 * 55 / 100) ** 0.5)
    assert (rows[0]["runs"], rows[0]["diverged"]) == (3, 1)


def test_the_picture_is_a_picture(finished, tmp_path):
    path = plot_batch_size(finished[1], tmp_path / "table.png")
    assert path.read_bytes().startswith(b"\x89PNG")
    assert path.stat().st_size > 10_000


def test_a_report_needs_no_runs_folder(finished):
    report = finished[1]
    again = make_report(load_recipe(study.RECIPE, SMALL), report["cells"], report["data"])
    assert again["table"] == report["table"]
    assert again["verdict"] == report["verdict"]
