"""reports/batch_size.py on tiny data, end to end."""

import json

import batch_size as script
import pytest
from batch_size import BASELINE, SALUNET, probe_images, rates, table
from training.tiny import MODEL, tiny_model

from zoo.errors import ConfigurationError, RecipeError

SMALL = [f"model.name={MODEL}", "model.args={}", "runtime.eval_batch_size=21", "optimizer.args={}"]


@pytest.fixture(autouse=True)
def _few_images(monkeypatch):
    few(monkeypatch)


def few(patch):
    patch.setattr(script, "HELD_OUT", 8)
    patch.setattr(script, "probe_images", lambda batch: 2 * batch)
    patch.setattr(script, "BATCH_SIZES", (2, 8))


def run(data, output, *more, samples=16):
    overrides = [word for override in [*SMALL, *more] for word in ("--set", override)]
    return script.main(
        ["--data", f"{data}", "--output", f"{output}", "--samples", f"{samples}", "--device", "cpu", *overrides]
    )


@pytest.fixture(scope="module")
def finished(tiny_data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("batch_size") / "runs"
    with pytest.MonkeyPatch.context() as patch, tiny_model():
        few(patch)
        return folder, run(tiny_data, folder)


def test_rates_follow_the_square_root_rule():
    assert rates(512) == [0.05, 0.15, 0.45]
    assert rates(32)[1] == pytest.approx(rates(512)[1] / 4, rel=0.01)
    assert rates(1)[2] == pytest.approx(9 * rates(1)[0], rel=0.01)
    assert (probe_images(1), probe_images(512)) == (512, 4096)


def test_every_cell_has_its_row_and_saw_all_samples(finished):
    _, report = finished
    rows = {(row["network"], row["batch_size"]): row for row in report["table"]}
    assert set(rows) == {(label, size) for label in (SALUNET, BASELINE) for size in (2, 8)}
    assert all(row["steps"] * size == 16 for (_, size), row in rows.items())
    for row in rows.values():
        assert 0 <= row["top1"] <= 100
        assert row["top1_se"] == pytest.approx((row["top1"] * (100 - row["top1"]) / 21) ** 0.5)
        assert (row["top1_batch_statistics"] is None) == (row["network"] == SALUNET)
    assert report["verdict"]["batch_size"] == 2
    assert [report["data"][use]["images"] for use in ("train", "held_out", "evaluation")] == [16, 8, 21]


def test_each_cell_takes_the_rate_with_the_lowest_held_out_loss(finished):
    for cell in finished[1]["cells"]:
        assert [tried["lr"] for tried in cell["lr_tried"]] == rates(cell["batch_size"])
        assert cell["lr"] == min(cell["lr_tried"], key=lambda tried: tried["loss"])["lr"]
        assert cell["log"][-1]["step"] == cell["steps"]


def test_both_networks_of_a_cell_differ_in_norm_gate_and_start_only(finished):
    folder, report = finished
    rates = {cell["name"]: cell["lr"] for cell in report["cells"]}
    both = [f"{norm}_b8_seed0" for norm in ("salu", "batchnorm")]
    ours, theirs = (json.loads((folder / name / "result.json").read_text())["recipe"] for name in both)
    assert [recipe["optimizer"].pop("lr") for recipe in (ours, theirs)] == [rates[name] for name in both]
    assert (ours["model"].pop("norm"), theirs["model"].pop("norm")) == ("salu", "batchnorm")
    assert ours.pop("model") != theirs.pop("model")
    assert ours == theirs


def test_nothing_of_this_machine_is_in_the_report(finished, tiny_data):
    text = json.dumps(finished[1])
    assert str(tiny_data) not in text
    assert str(finished[0]) not in text


def test_a_killed_experiment_goes_on_to_the_same_numbers(finished, tiny_data, tmp_path, monkeypatch):
    from zoo.training.images.loop import Trainer

    step, steps = Trainer._step, 0

    def killed(trainer, parts):
        nonlocal steps
        steps += 1
        if steps == 25:
            raise KeyboardInterrupt
        return step(trainer, parts)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_step", killed)
        with pytest.raises(KeyboardInterrupt):
            run(tiny_data, tmp_path / "runs", "runtime.checkpoint_steps=1")
    assert list((tmp_path / "runs").rglob("checkpoint.safetensors"))
    again = run(tiny_data, tmp_path / "runs", "runtime.checkpoint_steps=1")
    timeless = [{k: v for k, v in row.items() if k != "seconds"} for row in again["table"]]
    assert timeless == [{k: v for k, v in row.items() if k != "seconds"} for row in finished[1]["table"]]
    with pytest.raises(RecipeError, match="by another recipe"):
        run(tiny_data, tmp_path / "runs", "optimizer.momentum=0.8")


def test_a_diverged_cell_is_reported_not_hidden(tiny_data, tmp_path, monkeypatch):
    monkeypatch.setattr(script, "rates", lambda batch: (1e30, 2e30) if batch == 2 else (0.01,))
    report = run(tiny_data, tmp_path / "runs")
    rows = {(row["network"], row["batch_size"]): row for row in report["table"]}
    lost = rows[SALUNET, 2]
    assert (lost["diverged"], lost["runs"], lost["top1"]) == (1, 1, None)
    assert rows[SALUNET, 8]["diverged"] == 0
    cell = next(c for c in report["cells"] if c["diverged"])
    assert cell["lr"] == 1e30, "of rates that all diverged the lowest is taken"
    assert all(tried["diverged"] for tried in cell["lr_tried"])
    assert str(tmp_path) not in json.dumps(report)
    assert 2 in report["verdict"]["fails"][SALUNET]
    script.draw(report, tmp_path / "lost.png")


@pytest.mark.parametrize(("samples", "message"), [(20, "a multiple of 8"), (0, "a multiple of 8"), (48, "need more")])
def test_wrong_inputs(tiny_data, tmp_path, samples, message):
    with pytest.raises(ConfigurationError, match=message):
        run(tiny_data, tmp_path / "runs", samples=samples)
    assert not (tmp_path / "runs").exists()


def test_means_over_seeds_leave_diverged_ones_out():
    def cell(seed, top1, diverged=None):
        figures = {"top1": top1, "loss": 1.0, "train_loss": 2.0, "seconds": 3.0, "diverged": diverged}
        return {"network": SALUNET, "batch_size": 4, "seed": seed, "steps": 9, "lr": 0.1, **figures}

    cells = [cell(0, 40.0), cell(1, 50.0), cell(2, None, "not finite"), {**cell(0, 30.0), "network": BASELINE}]
    rows = table(cells, 100)
    assert rows[0]["top1"] == 45
    assert rows[0]["top1_std"] == pytest.approx(50**0.5)
    assert rows[0]["top1_se"] == pytest.approx((45 * 55 / 100) ** 0.5)
    assert (rows[0]["runs"], rows[0]["diverged"]) == (3, 1)
