"""`zoo predict`: the likeliest classes of image files, in a terminal, in a pipe and as JSON."""

import csv
import io
import json
from functools import partial

import pytest
import torch
from PIL import Image
from rich.console import Console
from tiny_images import CIFAR10_NAMES, PREPROCESS, Linear, make_images
from tiny_texts import NAME, SPEC, make_model, preprocess

from zoo.console import output
from zoo.errors import ConfigurationError, WeightsMismatchError
from zoo.evaluation.predict import open_model, predict
from zoo.models.text_models import TEXT_MODELS


@pytest.fixture
def folder(tmp_path):
    for number, (image, _) in enumerate(make_images(20, 10)):
        image.save(tmp_path / f"{number:02}.png")
    return tmp_path


@pytest.fixture
def zoo(monkeypatch, run_zoo):
    """Run `zoo predict` with the tiny classifier in the place of any model."""
    import zoo.evaluation.predict as module

    def create(model, device=None, preprocess=None, labels=()):
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


def test_folders_are_searched_through_but_not_hidden_ones(zoo, folder):
    for name in ("deep/er", ".ipynb_checkpoints"):
        (folder / name).mkdir(parents=True)
    (folder / "00.png").rename(folder / "deep/er/zz.png")
    (folder / ".ipynb_checkpoints/no.png").touch()
    code, out, _ = zoo(folder, "--model", "m")
    assert (code, len(out.splitlines())) == (0, 20)
    assert "deep/er/zz.png" in out


def test_a_table_with_a_row_for_each_guess_and_problem(zoo, folder, tmp_path_factory):
    (folder / "05.png").write_text("no image")
    file = tmp_path_factory.mktemp("out") / "found.csv"
    code, _, _ = zoo(folder / "04.png", folder / "05.png", "--model", "m", "-k", 2, "--csv", file)
    rows = list(csv.DictReader(io.StringIO(file.read_text("utf-8"))))
    assert code == 1
    assert [(row["file"][-6:], row["rank"]) for row in rows] == [("04.png", "1"), ("04.png", "2"), ("05.png", "")]
    assert float(rows[0]["probability"]) >= float(rows[1]["probability"])
    assert rows[0]["label"] == CIFAR10_NAMES[int(rows[0]["class"])]
    assert "no image" in rows[2]["problem"]


def test_copies_with_the_classes_below(zoo, folder, tmp_path_factory):
    place = tmp_path_factory.mktemp("out") / "seen"
    (folder / "below").mkdir()
    (folder / "below/00.png").write_bytes((folder / "00.png").read_bytes())
    code, _, _ = zoo(folder / "00.png", folder / "below", "--model", "m", "--annotate", place)
    assert code == 0
    assert sorted(file.name for file in place.iterdir()) == ["00.png", "00_2.png"]
    sheet = Image.open(place / "00.png")
    assert sheet.width == 256
    assert len(set(sheet.crop((0, 256, 256, sheet.height)).convert("L").tobytes())) > 2, "text is written"


@pytest.fixture
def texts(monkeypatch, run_zoo):
    """Run `zoo predict` with a tiny text model."""
    import zoo.evaluation.predict as module

    monkeypatch.setitem(TEXT_MODELS._items, NAME, SPEC)
    made = make_model()
    made.text_preprocess = preprocess()
    monkeypatch.setattr(module, "open_model", lambda model, device=None, **said: open_model(made, device, **said))
    return made, partial(run_zoo, "predict")


def test_texts_pairs_and_files_of_texts(texts, tmp_path):
    model, run = texts
    (tmp_path / "texts.csv").write_text('text,label\n"good, fun",1\nbad,0\n', "utf-8")
    (tmp_path / "pairs.jsonl").write_text('{"text": "good", "text_pair": "bad"}\n', "utf-8")
    code, out, _ = run("good film", tmp_path / "texts.csv", "--model", "m", "--json")
    found = json.loads(out)["texts"]
    assert (code, [row["file"] for row in found]) == (0, ["good film", "good, fun", "bad"])
    inputs = preprocess().encode(["good film"])
    shares = model(**inputs).logits[0].detach().double().softmax(0)
    for guess in found[0]["guesses"]:
        assert guess["probability"] == pytest.approx(float(shares[guess["number"]]), rel=1e-5)
    for words in ((tmp_path / "pairs.jsonl",), ("good", "--pair", "bad")):
        code, out, _ = run(*words, "--model", "m", "--json")
        pair = json.loads(out)["texts"][0]
        shares = model(**preprocess().encode([("good", "bad")])).logits[0].detach().double().softmax(0)
        assert pair["guesses"][0]["probability"] == pytest.approx(float(shares.max()), rel=1e-5)


def test_what_is_wrong_with_texts(texts, tmp_path):
    _, run = texts
    (tmp_path / "other.csv").write_text("sentence\ngood\n", "utf-8")
    (tmp_path / "empty.txt").write_text("\n", "utf-8")
    (tmp_path / "deep.jsonl").write_text("[" * 100_000 + "\n", "utf-8")
    for words, said in (
        ((tmp_path / "other.csv",), "row 1: no 'text' (columns: sentence)"),
        ((tmp_path / "empty.txt",), "holds no texts"),
        ((tmp_path / "deep.jsonl",), "Cannot read the texts"),
        (("good", "bad", "--pair", "fun"), "2 texts and 1 second ones"),
        (("good", "--annotate", tmp_path / "x"), "takes texts"),
    ):
        code, _, err = run(*words, "--model", "m")
        assert code != 0
        assert said in " ".join(err.replace("│", " ").split()), err


def test_images_have_no_pairs(zoo, folder):
    code, _, err = zoo(folder / "00.png", "--pair", "x", "--model", "m")
    assert (code, "pairs are of texts" in " ".join(err.replace("│", " ").split())) == (2, True)
