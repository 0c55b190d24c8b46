"""One's own texts: a file with labels becomes a model of its classes, which is evaluated, asked, opened by name."""

import csv
import json

import pytest

import zoo
from zoo.data.own_texts import open_own_texts
from zoo.errors import ConfigurationError, DataNotFoundError, RecipeError
from zoo.evaluation import evaluate_text
from zoo.names import open_model
from zoo.training.finetuning import choose_recipe

TEXTS = [(f"the film is {how} {word} .", word) for word in ("good", "bad") for how in ("", "very", "a", "the")] * 6


def write(file, rows, header=("text", "label")):
    with file.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([header, *rows])
    return file


@pytest.fixture
def reviews(tmp_path):
    return write(tmp_path / "reviews.csv", TEXTS)


@pytest.fixture
def run(start, tiny_row, reviews, tmp_path):
    settings = ["runtime.precision=float32", "optimizer.lr=3e-3", "data.max_length=32"]
    return zoo.finetune(
        start, reviews, output=tmp_path / "run", epochs=10, act="gelu", settings=settings, show_progress=False
    )


def test_the_folder_is_a_name_of_the_model(run, reviews, tmp_path, run_zoo):
    assert run.summary["texts"] == {"train": 38, "evaluation": 10}
    assert run.summary["results"]["accuracy"] == 1
    named = open_model(run.output)
    assert (named.kind, zoo.labels_of(named.model)) == ("transformers", ("bad", "good"))
    later = write(
        tmp_path / "later.csv", [("the film is good .", "good"), ("bad plot", "bad"), ("a dull film", "good")]
    )
    result = evaluate_text(run.output, "own", data=later)
    assert (result.n, result.dataset, result.source["file"]) == (3, "own", "later.csv")
    assert result.correct >= 2
    code, out, _ = run_zoo("predict", "the film is very good .", "--model", run.output, "--json")
    assert (code, json.loads(out)["texts"][0]["guesses"][0]["label"]) == (0, "good")


def test_a_run_is_taken_further(run, reviews, tmp_path):
    settings = ["runtime.precision=float32", "data.max_length=32"]
    more = zoo.finetune(run.output, reviews, output=tmp_path / "more", epochs=1, settings=settings, show_progress=False)
    assert more.summary["recipe"]["model"]["act"] == "gelu"
    assert more.summary["results"]["accuracy"] == 1, "the encoder has learned it already"


def test_labels_that_are_not_the_models(run, tmp_path):
    odd = write(tmp_path / "odd.csv", [("good", "fine"), ("bad", "bad")])
    with pytest.raises(DataNotFoundError, match=r"'fine'.*none of the classes 'bad', 'good'"):
        evaluate_text(run.output, "own", data=odd)
    with pytest.raises(ConfigurationError, match="as a whole"):
        evaluate_text(run.output, "own", data=odd, split="test")
    with pytest.raises(DataNotFoundError, match="on one file"):
        evaluate_text(run.output, "own", data=tmp_path)


def test_a_folder_with_a_file_for_each_use_and_pairs(tmp_path):
    pairs = [("good", "fine", "same"), ("good", "bad", "other")] * 3
    for name, rows in (("train", pairs), ("val", pairs[:3])):
        lines = [json.dumps(dict(zip(("text", "text_pair", "label"), row, strict=True))) for row in rows]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(lines), "utf-8")
    task, learned, measured = open_own_texts(tmp_path, 0.2, 0)
    assert (task.columns, task.labels) == (("text", "text_pair"), ("other", "same"))
    assert (len(learned), len(measured), measured.split) == (6, 3, "val")
    assert measured.texts[0] == ("good", "fine")
    assert list(measured.labels) == [1, 0, 1]


def test_every_class_is_held_back_in_part_and_the_seed_decides(reviews):
    _, learned, held = open_own_texts(reviews, 0.25, 0)
    assert sorted(held.labels) == [0] * 6 + [1] * 6
    assert len(learned) + len(held) == len(TEXTS)
    again, other = (open_own_texts(reviews, 0.25, seed)[2].texts for seed in (0, 1))
    assert again == held.texts != other


def test_bad_files(tmp_path):
    def refused(match, data=tmp_path / "x.csv"):
        with pytest.raises(DataNotFoundError, match=match):
            open_own_texts(data, 0.2, 0)

    refused("from disk only", None)
    refused("Cannot read the texts")
    write(tmp_path / "x.csv", [("good",), ("bad",)], ("text",))
    refused("no column 'label'")
    write(tmp_path / "x.csv", [("good", "a"), ("bad", "a")])
    refused("have 1 class")
    write(tmp_path / "x.csv", [("good", "a"), ("bad", "a"), ("fine", "b")])
    refused("'b' has a single text")
    write(tmp_path / "x.csv", [("good", "a"), ("", "b")])
    refused("row 2: no 'text'")
    refused("has no file train", tmp_path)


def test_what_no_text_recipe_starts_from(tmp_path, start):
    (tmp_path / "config.json").write_text('{"model_type": "gpt2"}')
    with pytest.raises(RecipeError, match="gpt2"):
        choose_recipe(tmp_path)
    with pytest.raises(RecipeError, match="size of none"):
        choose_recipe(start)  # tiny sizes, and no such text model registered
    with pytest.raises(RecipeError, match="no weights of that name"):
        choose_recipe("fles_minilm_l6")


def test_a_card_with_fles_brings_its_gate():
    recipe = choose_recipe("fles_minilm_l6.sst2")
    assert (recipe.model.name, recipe.model.act, recipe.data.task) == ("fles_minilm_l6", "fles", "own")
