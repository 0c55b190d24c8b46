"""`zoo export --target edge_int8`: which images the options name, and what is printed."""

import pytest
from small_net import small

import export.pipeline.export_model
from export.errors import CalibrationError
from zoo.errors import ConfigurationError


@pytest.fixture
def asked(monkeypatch, made):
    """What the command asks `export` for; it gets `made`."""
    seen = {}

    def record(model, path, **arguments):
        seen.update(arguments)
        return made

    monkeypatch.setattr(export.pipeline.export_model, "export", record)
    return seen


def test_ranges_come_from_the_training_split_and_accuracy_from_the_other(run_export, tmp_path, asked, monkeypatch):
    for module in ("export.quantize.options", "zoo.data.vision"):
        monkeypatch.setattr(f"{module}.load_vision", lambda name, split, data: (name, split, data.name))
    done = run_export(small(), tmp_path / "x.onnx", "--dataset", "cifar10", "--data", tmp_path, "--budget", 0.5)
    assert done.exit_code == 0, done.output
    assert asked["calibration"] == ("cifar10", "train", tmp_path.name)
    assert asked["evaluation"] == asked["samples"] == ("cifar10", None, tmp_path.name)
    assert asked["budget"] == 0.5
    printed = " ".join(done.stdout.replace("│", " ").split())  # as wide as the terminal is, or narrower
    assert "Top-1 100.00 %, float32 100.00 %: drop 0.00 points of 5 allowed" in printed
    assert "left in float32" in done.stdout


def test_a_folder_of_images_has_no_classes(run_export, image_folder, tmp_path, asked):
    done = run_export(small(), tmp_path / "x.onnx", "--data", image_folder, "--budget", 1)
    assert done.exit_code == 0, done.output
    assert (asked["calibration"], asked.get("evaluation")) == (image_folder, None)


def test_calibration_images_of_ones_own(run_export, image_folder, tmp_path, asked):
    options = ("--dataset", "imagefolder", "--data", image_folder / "test", "--calibration", image_folder / "train")
    done = run_export(small(), tmp_path / "x.onnx", *options, "--budget", 1)
    assert done.exit_code == 0, done.output
    assert (asked["calibration"], len(asked["evaluation"])) == (image_folder / "train", 16)


def test_a_data_set_without_a_training_split_says_what_to_give(run_export, tmp_path):
    options = ("--dataset", "cifar10", "--data", "demo/cifar10_sample", "--budget", 1)
    done = run_export(small(), tmp_path / "x.onnx", *options)
    assert isinstance(done.exception, CalibrationError)
    assert "--calibration" in str(done.exception)
    assert list(tmp_path.iterdir()) == []


def test_without_a_budget_there_is_no_file(run_export, image_folder, tmp_path):
    done = run_export(small(), tmp_path / "x.onnx", "--data", image_folder)
    assert isinstance(done.exception, ConfigurationError)
    assert "--budget 0.5" in str(done.exception)
    assert list(tmp_path.iterdir()) == []
