"""ONNX classifiers from elsewhere, measured with class names and preprocessing from JSON files."""

import json
import pickle
import re

import onnx
import pytest
import torch
from onnx import TensorProto, helper
from PIL import Image

import zoo
from export import OnnxFileError, load_predictor
from export.errors import InputError
from zoo.errors import ConfigurationError

COLOURS = ("red", "green", "blue")
PLAIN = zoo.Preprocess((3, 8, 8), "bilinear", 1.0, "center", (0.0,) * 3, (1.0,) * 3)


def write(path, taken=("n", 3, 8, 8), softmax=False, outputs=1):
    """A file whose class is the brightest channel; logits are ten times the channels' means."""
    nodes = [
        helper.make_node("GlobalAveragePool", ["pixels"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["flat"]),
        helper.make_node("Mul", ["flat", "ten"], ["logits"]),
        *([helper.make_node("Softmax", ["logits"], ["probabilities"])] if softmax else []),
    ]
    last = "probabilities" if softmax else "logits"
    given = helper.make_tensor_value_info("pixels", TensorProto.FLOAT, taken)
    made = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in (last, "flat")[:outputs]]
    for value in made:
        value.type.tensor_type.shape.dim.add().dim_param = "n"
        value.type.tensor_type.shape.dim.add().dim_value = 3
    graph = helper.make_graph(nodes, "g", [given], made, [helper.make_tensor("ten", TensorProto.FLOAT, (), [10.0])])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


@pytest.fixture
def described(tmp_path):
    """The two JSON files, as arguments of a command."""
    (tmp_path / "labels.json").write_text(json.dumps(COLOURS))
    (tmp_path / "preprocess.json").write_text(json.dumps(PLAIN.to_dict()))
    return ["--labels", f"{tmp_path / 'labels.json'}", "--preprocess", f"{tmp_path / 'preprocess.json'}"]


@pytest.fixture
def photos(tmp_path):
    for number, name in enumerate(COLOURS):
        for shade in range(3):
            pixel = [40 * shade] * 3
            pixel[number] = 250
            (tmp_path / "photos" / name).mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (12, 9), tuple(pixel)).save(tmp_path / "photos" / name / f"{shade}.png")
    return tmp_path / "photos"


@pytest.mark.parametrize("taken", [("n", 3, 8, 8), (1, 3, 8, 8), (2, 3, 8, 8), ("n", "c", "h", "w")])
def test_any_batch_size_of_the_file_gives_each_images_logits(taken, tmp_path):
    predictor = load_predictor(write(tmp_path / "m.onnx", taken), preprocess=PLAIN, labels=COLOURS, threads=1)
    batch = torch.rand(5, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(predictor(batch), 10 * batch.mean((2, 3)))
    again = pickle.loads(pickle.dumps(predictor))  # noqa: S301 our own
    assert torch.equal(again(batch), predictor(batch))
    assert (again.labels, again.preprocess) == (COLOURS, PLAIN)
    with pytest.raises(InputError, match="one image at least"):
        predictor(batch[:0])


def test_probabilities_become_logits_of_the_same_probabilities(tmp_path):
    predictor = load_predictor(write(tmp_path / "m.onnx", softmax=True), preprocess=PLAIN)
    batch = torch.rand(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(predictor(batch).softmax(1), (10 * batch.mean((2, 3))).softmax(1))


def test_the_command_line_predicts_and_evaluates(run_zoo, described, photos, tmp_path):
    file = write(tmp_path / "m.onnx", (1, 3, 8, 8))
    code, out, err = run_zoo("predict", photos / "green/1.png", "--model", file, *described, "--json")
    assert code == 0, err
    assert json.loads(out)["images"][0]["guesses"][0]["label"] == "green"
    code, out, err = run_zoo("evaluate", file, "--dataset", "imagefolder", "--data", photos, *described, "--json")
    assert code == 0, err
    found = json.loads(out)
    assert (found["n"], found["correct1"]) == (9, 9)  # folders are in another order than the classes of the file


def test_labels_serve_a_module_that_has_none(photos):
    class Brightest(torch.nn.Module):
        def forward(self, x):
            return x.mean((2, 3))

    found = zoo.evaluate(Brightest(), "imagefolder", data=photos, preprocess=PLAIN, labels=COLOURS, device="cpu")
    assert found.correct1 == 9


@pytest.mark.parametrize(
    ("made", "given", "error", "reason"),
    [
        ({}, {}, OnnxFileError, "not written by `zoo export`.*--preprocess"),
        ({}, {"labels": COLOURS}, OnnxFileError, "not written by `zoo export`.*--preprocess"),
        ({}, {"preprocess": PLAIN, "labels": ("a", "b")}, ConfigurationError, "3 classes; found 2 labels"),
        ({"taken": ("n", 8, 8, 3)}, {"preprocess": PLAIN}, ConfigurationError, r"\(8, 8, 3\).*NHWC"),
        ({"outputs": 2}, {"preprocess": PLAIN}, OnnxFileError, "gives one table"),
    ],
)
def test_what_does_not_fit_is_refused(made, given, error, reason, tmp_path):
    with pytest.raises(error, match=reason):
        load_predictor(write(tmp_path / "m.onnx", **made), **given)


def test_a_file_of_ours_has_its_own_labels(exported):
    with pytest.raises(ConfigurationError, match="holds its own labels"):
        load_predictor(exported.path, labels=("a", "b"))
    other = zoo.Preprocess((3, 8, 8), "bicubic", 0.5, "center", (0.5,) * 3, (0.5,) * 3)
    assert load_predictor(exported.path, preprocess=other).preprocess == other


@pytest.mark.parametrize(
    ("option", "text", "reason"),
    [
        ("--labels", '{"0": "cat"}', "is no list of class names"),
        ("--labels", "[", "is no list of class names"),
        ("--preprocess", '{"mean": [0]}', "is no preprocessing.*missing fields"),
        ("--preprocess", "[1]", "is no preprocessing"),
    ],
)
def test_a_file_of_another_form_is_named(option, text, reason, run_zoo, photos, tmp_path):
    (tmp_path / "odd.json").write_text(text)
    model = write(tmp_path / "m.onnx")
    code, _, err = run_zoo("predict", photos / "red/0.png", "--model", model, option, tmp_path / "odd.json")
    assert code == 1
    assert "odd.json" in err
    assert re.search(reason, " ".join(err.split()))
