"""The accuracy budget: sensitive layers stay in float32, and without a file within it nothing is written."""

import numpy as np
import pytest
import torch
from small_net import small

import export.quantize.accuracy as accuracy
from export import export
from export.errors import BudgetError, CalibrationError
from export.quantize.accuracy import Reference, Search
from export.quantize.calibration_data import evaluation_images
from export.quantize.sensitivity import Sensitivity
from zoo.errors import ConfigurationError


def options(small_spec, pictures, **changes):
    return {
        "target": "edge_int8", "input_spec": small_spec, "calibration": pictures[:32], "threads": 1, "budget": 100.0,
    } | changes  # fmt: skip


def test_the_layer_that_integers_hurt_stays_in_float32(small_spec, pictures, tmp_path):
    model = small(wild=True)
    with torch.inference_mode():
        classes = model(pictures).argmax(1)
    given = options(small_spec, pictures, evaluation=(pictures, classes), budget=2.0)
    result = export(model, tmp_path / "wild.onnx", **given)
    report = result.accuracy
    assert report.sensitivity[0].name in ("wild/Conv", "mix/Conv")
    assert report.sensitivity[0].signal_to_noise_db < report.sensitivity[2].signal_to_noise_db - 6
    assert report.attempts[0].left_in_float32 == ()
    assert report.attempts[0].drop > 2.0 >= report.last.drop
    assert len(report.attempts) > 1
    assert report.last.left_in_float32 == tuple(e.name for e in report.sensitivity[: len(report.last.left_in_float32)])


def search(budget, rights, monkeypatch):
    """A search in which the n-th file is right on `rights[n]` of 10 images; the float32 model on 9."""
    sites = tuple(Sensitivity(name=f"s{i}", nodes=(f"s{i}",), signal_to_noise_db=i) for i in range(8))
    files = []

    def make(left):
        files.append(list(left))
        return bytes([len(files) - 1])

    images = evaluation_images((torch.zeros(10, 3, 2, 2), torch.zeros(10)), _spec())
    monkeypatch.setattr(accuracy, "open_session", lambda file, **_: file[0])
    answers = [np.where(np.arange(10) < right, 0, 1) for right in rights]
    monkeypatch.setattr(accuracy, "first_classes", lambda number, *_: (answers[number], None))
    reference = Reference(np.zeros(10, np.int64), 9, "Top-1")
    return Search(make, images, reference, budget, sites, 1, lambda *_: None), files


def _spec():
    from export import InputSpec

    return InputSpec(3, 2, 2)


def test_the_search_doubles_what_it_leaves_out(monkeypatch):
    found, files = search(10.0, [5, 6, 8, 9, 9], monkeypatch)
    _, attempts = found.run()
    assert files == [[], ["s0"], ["s0", "s1"]]
    assert [a.drop for a in attempts] == [pytest.approx(40), pytest.approx(30), pytest.approx(10)]


def test_a_missed_budget_is_one_error(monkeypatch):
    found, files = search(0.0, [5, 6, 7, 8, 8], monkeypatch)
    with pytest.raises(
        BudgetError, match=r"40\.00 with 0 sites left.*10\.00 with 4 sites.*of 8; worst site s0"
    ) as error:
        found.run()
    assert "edge_cpu" in str(error.value)
    assert len(files) == 4  # half of the sites at most


def test_a_missed_budget_writes_nothing(run_export, image_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(accuracy, "LARGEST_SHARE", 0.0)
    done = run_export(small(wild=True), tmp_path / "no.onnx", "--data", image_folder / "train" / "0", "--budget", 2)
    assert isinstance(done.exception, BudgetError)
    assert "loses more than 2 points of agreement with float32 on 4 images" in str(done.exception)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("budget", [None, -1.0, float("nan")])
def test_there_is_no_file_without_a_budget(small_spec, pictures, tmp_path, budget):
    with pytest.raises(ConfigurationError, match=r"--budget 0\.5"):
        export(small(), tmp_path / "no.onnx", **options(small_spec, pictures, budget=budget))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("calibration", "said"),
    [
        (None, "There are no calibration images"),
        (torch.zeros(4, 3, 8, 8), r"shape \(4, 3, 8, 8\)"),
        (torch.zeros(0, 3, 16, 16), "cannot be used"),
        ([], "cannot be used"),
        (["a text"], "cannot be used"),
        ("/no/such/folder", "cannot be used"),
        (torch.full((4, 3, 16, 16), float("nan")), "NaN or infinity"),
    ],
)
def test_bad_calibration_images_are_one_error(small_spec, pictures, tmp_path, calibration, said):
    with pytest.raises(CalibrationError, match=said) as error:
        export(small(), tmp_path / "no.onnx", **options(small_spec, pictures, calibration=calibration))
    assert "3x16x16" in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_calibration_for_another_precision_is_refused(small_spec, pictures, tmp_path):
    with pytest.raises(ConfigurationError, match="belong to int8; the file computes in float32"):
        export(small(), tmp_path / "no.onnx", **options(small_spec, pictures, target="portable"))


def test_a_text_model_is_refused(text_given, tmp_path):
    with pytest.raises(ConfigurationError, match="this one takes texts"):
        export(text_given, tmp_path / "no.onnx", target="edge_int8", budget=1.0)
