"""From a run's folder to a card: record, baseline, and `zoo adopt` and `zoo card` on them."""

import json
from dataclasses import replace

import pytest

from zoo.adoption.adopt import adopt
from zoo.cards.baseline import baseline
from zoo.cards.readme import check_card
from zoo.cards.runs import training_record
from zoo.data.preprocess import Preprocess
from zoo.errors import ConfigurationError, WeightsNotFoundError
from zoo.evaluation import EvalResult
from zoo.files import write_tensors
from zoo.models import MODELS, build_model
from zoo.models.paper import Reported
from zoo.weights.tag import read_tag

from .cases import LABELS, MODEL, NAME, RESULTS

LOG = RESULTS["training"]["log"]


def write_run(folder, state=None, top1=44.0, **model):
    """What `zoo train` leaves, of the tiny model."""
    folder.mkdir()
    summary = {
        "recipe_name": "short",
        "recipe": {
            "description": "for tests",
            "data": {"dataset": "cifar10"},
            "model": {"name": MODEL, "num_classes": 0, "args": {}} | model,
            "runtime": {"precision": "bfloat16"},
        },
        "data": {
            "dataset": "cifar10",
            "train_images": 50,
            "labels": list(LABELS),
            "preprocess": Preprocess.of(build_model(MODEL)).to_dict(),
        },
        "weights": "raw",
        "wall_clock_s": 61.7,
        "environment": {"device": "cpu (x86_64 AVX512, 1 threads)", "processes": 1, "threads": 1},
    }
    (folder / "summary.json").write_text(json.dumps(summary))
    rows = [*LOG[:-1], LOG[-1] | {"val_top1": top1}]
    (folder / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    if state is not None:
        write_tensors(folder / "model.safetensors", state, {"format": "pt"})
    return folder


@pytest.fixture
def finished(tmp_path, state):
    return write_run(tmp_path / "run", state)


def evaluation(tag, **fields):
    """A result of `zoo evaluate` for the weights of a tag."""
    counts = {"images": [4, 3, 3], "correct": [4, 2, 2], "confused": [[1, 0, 1], [2, 1, 1]]}
    values = {
        "model": tag.name, "tag": tag.name, "sha256": tag.sha256, "runtime": {"kind": "torch"}, "dataset": "cifar10",
        "source": {}, "split": "test", "limit": None, "n": 10, "loss": 0.5, "batch_size": 5, "precision": "float32",
        "device": "cpu", "hardware": "a CPU", "seconds": 2.0, "versions": {}, "date": "now",
        "command": f"zoo evaluate {tag.name} --dataset cifar10", "changed_since": "",
        "correct1": 8, "correct5": 10, "preprocess": tag.preprocess.to_dict(), "images_per_process": [10],
        "classes": counts, "top1": 80.0, "top5": 100.0, "images_per_second": 5.0,
    }  # fmt: skip
    assert EvalResult.from_dict(values).to_dict() == values
    return values | fields


def test_training_record_reads_a_run(finished):
    record = training_record(finished)
    assert (record["epochs"], record["seconds"], record["threads"]) == (2, 62, 1)
    assert record["log"][-1]["val_top1"] == 44.0
    assert "labels" not in record["data"]
    (finished / "summary.json").unlink()
    with pytest.raises(WeightsNotFoundError, match=r"summary\.json is missing"):
        training_record(finished)
    with pytest.raises(WeightsNotFoundError, match="not the folder of a finished"):
        adopt(finished)


def test_a_run_says_itself_what_it_is(finished, cards):
    done = adopt(finished)
    tag = read_tag(cards / f"{MODEL}.cifar10")
    assert done.folder == cards / f"{MODEL}.cifar10"
    assert (tag.labels, tag.dataset, tag.recipe, tag.model_args) == (LABELS, "cifar10", "short", {})
    assert tag.results["training"]["seconds"] == 62
    check_card(done.folder)
    again = adopt(finished / "model.safetensors", MODEL, "pets", labels=("x", "y", "z"))
    assert (again.tag.name, again.tag.labels, again.tag.recipe) == (NAME, ("x", "y", "z"), "short")


def test_parts_of_the_network_are_recorded_and_others_refused(tmp_path):
    net = build_model(MODEL, num_classes=3, act="gelu").state_dict()
    run = write_run(tmp_path / "gelu", net, act="gelu", args={"drop_rate": 0.1})
    assert adopt(run).tag.model_args == {"act": "gelu"}
    growing = write_run(tmp_path / "growing", net, act="gelu", args={"dynamic_img_size": True})
    assert adopt(growing, tag="growing").tag.model_args == {"act": "gelu"}
    other = write_run(tmp_path / "pooled", net, args={"global_pool": "max"})
    with pytest.raises(ConfigurationError, match="global_pool, which a card cannot record"):
        adopt(other)
    with pytest.raises(ConfigurationError, match=f"trained {MODEL}, not salunet_c50"):
        adopt(run, "salunet_c50")
    with pytest.raises(ConfigurationError, match="does not say what it is"):
        adopt(tmp_path / "weights.pth")


def test_what_the_paper_reports_stands_beside_the_run(finished, monkeypatch):
    found = {"cifar10": Reported(top1=97.18, top5=None, how="300 epochs", section="5.2")}
    monkeypatch.setitem(MODELS._items, MODEL, replace(MODELS.get(MODEL), reported=found, description="SaluNet: small"))
    row = adopt(finished).tag.results["comparisons"][0]
    assert (row["label"], row["top1"], "top5" in row) == ("SaluNet of the paper", 97.18, False)
    assert row["note"] == "300 epochs as reported in arXiv 2606.02927, section 5.2; not run here"


def test_a_baseline_from_a_run(finished, tmp_path):
    other = write_run(tmp_path / "bn", top1=41.5, norm="layernorm", act="gelu")
    row = baseline(other, training_record(finished))
    assert (row["label"], row["top1"]) == ("LayerNorm + GELU, same recipe", 41.5)
    assert row["recipe_changes"] == {"model.norm": "layernorm", "model.act": "gelu"}
    assert row["note"] == "measured at the end of its run in bfloat16, where this checkpoint had 44.00"
    assert [entry["epoch"] for entry in row["log"]] == [1, 2]


def test_a_baseline_from_an_evaluated_card(finished, tmp_path, state):
    card = adopt(write_run(tmp_path / "bn", state), output=tmp_path / "card").folder
    with pytest.raises(ConfigurationError, match="no Top-1 to compare with"):
        baseline(card, training_record(finished))
    stored = json.loads((card / "results.json").read_text())
    (card / "results.json").write_text(json.dumps(stored | {"evaluations": [evaluation(read_tag(card))]}))
    row = baseline(card, training_record(finished))
    assert (row["top1"], row["top5"], row["note"]) == (80.0, 100.0, "measured by `zoo evaluate`")
    with pytest.raises(ConfigurationError, match="trained on other data"):
        baseline(card, {"recipe": {"data": {"dataset": "cifar100"}}})


def test_from_a_run_to_a_whole_card_on_the_command_line(run_zoo, finished, tmp_path, cards):
    other = write_run(tmp_path / "bn", top1=41.5, norm="layernorm", act="gelu")
    code, out, err = run_zoo("adopt", finished, "--tag", "pets", "--baseline", other, "--note", "One seed.")
    assert (code, NAME in out) == (0, True), err
    tag = read_tag(cards / NAME)
    (tmp_path / "result.json").write_text(json.dumps(evaluation(tag)))
    assert run_zoo("card", NAME, "--evaluation", tmp_path / "result.json")[0] == 0
    page = (cards / NAME / "README.md").read_text()
    for part in ("| **80.00** | **100.00** |", "| LayerNorm + GELU, same recipe | 41.50 | - |", "- One seed."):
        assert part in page
    assert {path.name for path in (cards / NAME).glob("*.png")} == {"classes.png", "curve.png", "geometry.png"}
    assert run_zoo("card", "--check")[0] == 0
    newer = evaluation(tag) | {"date": "later"}
    (tmp_path / "result.json").write_text(json.dumps(newer))
    run_zoo("card", NAME, "--evaluation", tmp_path / "result.json", "--baseline", other)
    results = read_tag(cards / NAME).results
    assert ([row["date"] for row in results["evaluations"]], len(results["comparisons"])) == (["later"], 1)


def test_results_of_other_weights_are_refused(run_zoo, finished, tmp_path, cards):
    tag = adopt(finished, tag="pets").tag
    before = (cards / NAME / "README.md").read_bytes()
    for wrong, said in (({"sha256": "0" * 64}, "other weights"), ({"top1": 90.0}, "top1 do not follow")):
        (tmp_path / "result.json").write_text(json.dumps(evaluation(tag) | wrong))
        code, _, err = run_zoo("card", NAME, "--evaluation", tmp_path / "result.json")
        assert (code, said in err) == (1, True)
    assert (cards / NAME / "README.md").read_bytes() == before
    assert run_zoo("card", "--evaluation", tmp_path / "result.json")[0] == 2


def test_places_on_this_machine_stay_here(run_zoo, finished, tmp_path, cards):
    place = tmp_path / "someone" / "data" / "cifar10"
    summary = json.loads((finished / "summary.json").read_text())
    summary["data"]["train_source"] = {"kind": "parquet", "folder": str(place)}
    (finished / "summary.json").write_text(json.dumps(summary))
    tag = adopt(finished, tag="pets").tag
    command = f"zoo evaluate {cards / NAME} --dataset cifar10 --data {place}"
    result = evaluation(tag, model=str(cards / NAME), command=command, source={"folder": str(place)})
    (tmp_path / "result.json").write_text(json.dumps(result))
    assert run_zoo("card", NAME, "--evaluation", tmp_path / "result.json")[0] == 0
    stored = (cards / NAME / "results.json").read_text()
    assert "someone" not in stored
    assert str(tmp_path) not in stored
    assert f"zoo evaluate {NAME} --dataset cifar10 --data data/cifar10" in (cards / NAME / "README.md").read_text()


def test_check_names_the_card_that_differs(run_zoo, finished, cards):
    adopt(finished, tag="pets")
    (cards / NAME / "README.md").write_text("# Better than it is\n")
    code, out, _ = run_zoo("card", "--check", "--json")
    assert code == 1
    assert "differs from the stored" in json.loads(out)[0]["problem"]
    assert run_zoo("card")[0] == run_zoo("card", NAME, "--check")[0] == 0
