"""reports/converted.py on tiny data: both networks go on, by batch size, and what is kept is not trained again."""

import json

import converted as script
import pytest
import torch
from training.tiny import MODEL

CHANGES = [
    *(
        f"model.name={MODEL}",
        "model.args={img_size=64}",
        "data.batch_size=8",
        "schedule.epochs=1",
        "schedule.warmup_epochs=0",
    ),
    *("runtime.eval_every=1", "optimizer.fallback=[]", "runtime.eval_batch_size=21"),
]


@pytest.fixture
def small(monkeypatch):
    """Fewer images, and sizes that they fill."""
    monkeypatch.setattr(script, "IMAGES", 16)
    monkeypatch.setattr(script, "CHOOSE", 4)
    monkeypatch.setattr(script, "MEASURE", 8)
    monkeypatch.setattr(script, "CELLS", {4: (16, 8, (1e-3, 1e-2)), 1: (4, 2, (1e-4, 1e-3))})


def test_every_network_goes_on_at_every_batch_size(small, tiny_data, tmp_path, monkeypatch, capsys):
    words = ["--data", f"{tiny_data}", "--output", f"{tmp_path / 'runs'}", "--device", "cpu"]
    words += [word for change in CHANGES for word in ("--set", change)]
    report = script.main([*words, "--report", f"{tmp_path / 'report.json'}"])
    assert json.loads((tmp_path / "report.json").read_text()) == report
    assert set(report["conversion"]["at_once"]) == {script.BATCHNORM, script.SALUNET}
    assert [(row["batch_size"], row["network"]) for row in report["rows"]] == [
        (size, name) for size in (4, 1) for name in (script.SALUNET, script.BATCHNORM, script.KEPT)
    ]
    for row in report["rows"]:
        assert row["lr"] in [tried["lr"] for tried in row["lr_tried"]]
        assert f"{row['top1']:.2f}" in report["verdict"]["sentence"]
    assert report["verdict"]["sentence"] in capsys.readouterr().out
    monkeypatch.setattr(script, "fine_tuned", lambda *given: pytest.fail("trained again"))
    assert script.main(words)["rows"] == report["rows"]


def test_kept_statistics_stay_and_the_rest_learns():
    torch.manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()
    )
    images = torch.randn(8, 3, 8, 8), torch.arange(8) % 4
    for name, moved in ((script.KEPT, False), (script.BATCHNORM, True)):
        after = script.fine_tuned(model, name, 0.1, 2, images, 8)
        assert torch.equal(after[1].running_mean, model[1].running_mean) != moved
        assert not torch.equal(after[1].weight, model[1].weight)
        assert not torch.equal(after[0].weight, model[0].weight)


def test_a_network_that_no_rate_keeps_finite_has_no_result(small):
    images = torch.full((4, 3, 8, 8), float("nan")), torch.arange(4)
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
    found = script.cell(script.BATCHNORM, model, 1, images, images, images)
    assert (found["lr"], found["top1"]) == (None, 0.0)
