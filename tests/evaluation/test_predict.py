"""`zoo predict`: the likeliest classes of image files, in a terminal, in a pipe and as JSON."""

import io
import json
from functools import partial

import pytest
import torch
from PIL import Image
from rich.console import Console
from tiny_images import CIFAR10_NAMES, PREPROCESS, Linear, make_images

from zoo.console import output
from zoo.errors import ConfigurationError, WeightsMismatchError
from zoo.evaluation.predict import open_model, predict


@pytest.fixture
def folder(tmp_path):
    for number, (image, _) in enumerate(make_images(20, 10)):
        image.save(tmp_path / f"{number:02}.png")
    return tmp_path


@pytest.fixture
def zoo(monkeypatch, run_zoo):
    """Run `zoo predict` with the tiny classifier in the place of any model."""
    import zoo.evaluation.predict as module

    def create(model, device=None):
        return open_model(Linear(labels=CIFAR10_NAMES), device)

    monkeypatch.setattr(module, "open_model", create)

    return partial(run_zoo, "predict")


def test_guesses_are_the_sorted_softmax(folder):
    model = Linear(labels=CIFAR10_NAMES)
    files = sorted(folder.iterdir())
    with open_model(model, "cpu") as subject:
        found = list(predict(subject, files, 3))
    assert [prediction.file for prediction in found] == [str(file) for file in files]
    for prediction, file in zip(found, files, strict=True):
        shares = model(PREPROCESS(Image.open(file))[None])[0].double().softmax(0)
        values, numbers = shares.topk(3)
        assert [guess.number for guess in prediction.guesses] == numbers.tolist()
        assert [guess.label for guess in prediction.guesses] == [CIFAR10_NAMES[n] for n in numbers]
        assert [guess.probability for guess in prediction.guesses] == pytest.approx(values.tolist(), rel=1e-5)


def test_more_classes_than_there_are_and_fewer_than_one(folder):
    with open_model(Linear(), "cpu") as subject:
        found = next(predict(subject, [folder / "00.png"], 99))
        assert len(found.guesses) == 10
        assert sum(guess.probability for guess in found.guesses) == pytest.approx(1)
        assert {guess.label for guess in found.guesses} == {None}
        with pytest.raises(ConfigurationError, match="topk is 0"):
            list(predict(subject, [folder / "00.png"], 0))


def test_scores_that_are_not_finite(folder):
    model = Linear()
    torch.nn.init.constant_(model.head.bias, float("nan"))
    with open_model(model, "cpu") as subject, pytest.raises(WeightsMismatchError, match="NaN"):
        list(predict(subject, [folder / "00.png"]))


def test_a_pipe_gets_a_line_for_each_image(zoo, folder):
    code, out, err = zoo(folder, "--model", "m")
    assert (code, err, len(out.splitlines())) == (0, "", 20)
    assert out.startswith(f"{folder / '00.png'}: ")
    assert all(line.count(" %") == 5 for line in out.splitlines())
    assert all(character.isprintable() or character == "\n" for character in out)


def test_json_is_all_there_is_on_stdout(zoo, folder):
    code, out, _ = zoo(f"{folder}/0[12].png", folder / "03.png", "-k", 2, "--model", "m", "--json")
    found = json.loads(out)
    assert (code, found["runtime"], found["preprocess"]["input_size"]) == (0, {"kind": "torch"}, [3, 8, 8])
    assert [row["file"][-6:] for row in found["images"]] == ["01.png", "02.png", "03.png"]
    assert [len(row["guesses"]) for row in found["images"]] == [2, 2, 2]


def test_a_bad_file_is_named_and_the_others_answered(zoo, folder):
    (folder / "05.png").write_text("no image")
    code, out, err = zoo(folder, folder / "missing.png", "--model", "m")
    assert (code, len(out.splitlines())) == (1, 19)
    assert "05.png is no image" in err
    assert "missing.png" in err
    code, out, _ = zoo(folder / "05.png", "--model", "m", "--json")
    assert (code, json.loads(out)["images"][0]["guesses"]) == (1, [])


@pytest.mark.parametrize("width", [40, 80, 120])
def test_bars_fit_the_terminal(zoo, folder, monkeypatch, width):
    screen = Console(file=io.StringIO(), force_terminal=True, width=width, color_system=None)
    monkeypatch.setattr(output, "console_out", screen)
    zoo(folder / "00.png", "--model", "m")
    lines = screen.file.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    bars = [line.count("█") for line in lines[-5:]]
    assert bars == sorted(bars, reverse=True)
    assert all(line.endswith("%") for line in lines[-5:])


def test_wrong_usage_says_what_to_type(zoo, folder, tmp_path):
    code, _, err = zoo(folder / "00.png")
    assert code == 2
    assert "salunet_c18_cifar.cifar10" in " ".join(err.split())
    (tmp_path / "empty").mkdir()
    for words, said in ((tmp_path / "empty", "holds no images"), (f"{tmp_path}/*.bmp", "nothing matches")):
        code, _, err = zoo(words, "--model", "m")
        assert (code, said in " ".join(err.replace("│", " ").split())) == (2, True), err
