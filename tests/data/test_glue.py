"""GLUE: the nine tasks, from a folder of the Hub's layout or the Hub's cache, and what is refused."""

import hashlib
import json

import pytest
from tiny_texts import LABELS, TEXTS, write_glue, write_sst2

from zoo.data.glue import GLUE, METRICS, load_glue
from zoo.errors import DataNotFoundError, UnknownNameError

COMMIT = "0123456789abcdef0123456789abcdef01234567"
ENTAILMENT = ("entailment", "not_entailment")
# Rows of the validation splits in ../shared, as the Hub's own metadata has them.
COUNTS = {"cola": 1043, "mrpc": 408, "qnli": 5463, "rte": 277, "sst2": 872, "stsb": 1500, "wnli": 71}


def test_the_nine_tasks():
    assert list(GLUE) == ["cola", "mnli", "mrpc", "qnli", "qqp", "rte", "sst2", "stsb", "wnli"]
    assert {name: GLUE.get(name).num_outputs for name in GLUE if GLUE.get(name).num_outputs != 2} == {
        "mnli": 3, "stsb": 1
    }  # fmt: skip
    assert {metric for name in GLUE for metric in GLUE.get(name).metrics} == set(METRICS)
    assert GLUE.get("rte").labels == GLUE.get("qnli").labels == GLUE.get("wnli").labels[::-1] == ENTAILMENT


def test_mnli_is_measured_on_matched_and_mismatched_genres():
    task = GLUE.get("mnli")
    assert list(task.splits) == [
        "train", "validation_matched", "validation_mismatched", "test_matched", "test_mismatched"
    ]  # fmt: skip
    assert task.evaluation == "validation_matched"
    assert list(GLUE.get("cola").splits) == ["train", "validation", "test"]


def test_a_folder_in_the_layout_of_the_hub(tmp_path):
    split = load_glue("sst2", data=write_sst2(tmp_path))
    assert (len(split), split.split, split.task.name) == (len(TEXTS), "validation", "sst2")
    assert split.texts == list(TEXTS)
    assert split.labels == [0, 1] * 6
    assert split["sentence"][:] == split.table["sentence"][:] == list(TEXTS)
    file = tmp_path / "sst2" / "validation-00000-of-00001.parquet"
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert split.source["files"] == [
        {"file": "sst2/validation-00000-of-00001.parquet", "size_bytes": file.stat().st_size, "sha256": digest}
    ]
    assert json.loads(json.dumps(split.source)) == split.source
    assert load_glue("sst2", "validation", tmp_path / "sst2").texts == split.texts


def test_pairs_scores_and_rows(tmp_path):
    rows = {"sentence1": ["a", "b", "c"], "sentence2": ["x", "y", "z"], "label": [0.0, 2.5, 5.0]}
    split = load_glue("stsb", data=write_glue(tmp_path, "stsb", rows, names=()))
    assert split.texts == [("a", "x"), ("b", "y"), ("c", "z")]
    assert split.labels == [0.0, 2.5, 5.0]
    some = split.select([2, 0])
    assert (some.texts, some.labels, len(some)) == ([("c", "z"), ("a", "x")], [5.0, 0.0], 2)
    assert some.source == split.source


def test_the_two_validation_splits_of_mnli_are_told_apart(tmp_path):
    for name, text in (("validation_matched", "same"), ("validation_mismatched", "other")):
        rows = {"premise": [text], "hypothesis": ["h"], "label": [1]}
        write_glue(tmp_path, "mnli", rows, name, GLUE.get("mnli").labels)
    assert load_glue("mnli", data=tmp_path).texts == [("same", "h")]
    assert load_glue("mnli", "validation_mismatched", tmp_path).texts == [("other", "h")]


def test_the_hubs_cache_serves_offline_and_names_the_revision(tmp_path, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    place = tmp_path / "datasets--nyu-mll--glue"
    (place / "refs").mkdir(parents=True)
    (place / "refs" / "main").write_text(COMMIT)
    write_sst2(place / "snapshots" / COMMIT)
    split = load_glue("sst2")
    assert split.source == {"kind": "hub", "repository": "nyu-mll/glue", "config": "sst2", "revision": COMMIT}
    with pytest.raises(DataNotFoundError, match=r"Split 'train' of sst2 is neither .*nyu-mll/glue"):
        load_glue("sst2", "train")


def test_unknown_names_offer_the_nearest(tmp_path):
    with pytest.raises(UnknownNameError, match=r"Unknown GLUE task 'sst-2'.*sst2"):
        load_glue("sst-2", data=tmp_path)
    with pytest.raises(UnknownNameError, match=r"split of mnli 'validation'.*validation_matched"):
        load_glue("mnli", "validation", tmp_path)


def test_a_folder_without_the_task_or_the_split(tmp_path):
    write_sst2(tmp_path)
    with pytest.raises(DataNotFoundError, match=r"Asked for cola in .*no folder 'cola'; folders there: sst2"):
        load_glue("cola", data=tmp_path)
    with pytest.raises(DataNotFoundError, match=r"Asked for cola in .*sst2, which has no folder 'cola'"):
        load_glue("cola", data=tmp_path / "sst2")
    with pytest.raises(DataNotFoundError, match=r"split 'train' of sst2.*validation-00000"):
        load_glue("sst2", "train", tmp_path)
    with pytest.raises(DataNotFoundError, match="does not exist"):
        load_glue("sst2", data=tmp_path / "nowhere")
    (tmp_path / "rte").mkdir()
    with pytest.raises(DataNotFoundError, match="has no parquet files"):
        load_glue("rte", data=tmp_path)


@pytest.mark.parametrize(
    ("rows", "names", "said"),
    [
        ({"sentence": ["a"], "label": [-1]}, LABELS, r"GLUE hides the labels of sst2.*--split validation"),
        ({"sentence": ["a"], "label": [2]}, (), r"labels from 0 to 1; .* has 2"),
        ({"sentence": ["a", "b"], "label": [0, None]}, LABELS, r"has None"),
        ({"sentence": ["a"], "label": [0]}, ("unacceptable", "acceptable"), "Is it another task"),
        ({"sentence": ["a"], "label": [0]}, LABELS[::-1], "names them .*'positive', 'negative'"),
        ({"sentence": [None], "label": [0]}, LABELS, "needs texts in column 'sentence'.* 1 missing"),
        ({"text": ["a"], "label": [0]}, LABELS, "needs the columns 'sentence' and 'label'.*'text'"),
        ({"sentence": [], "label": []}, LABELS, "Cannot read .*no data"),
    ],
)
def test_rows_that_are_not_the_tasks(tmp_path, rows, names, said):
    with pytest.raises(DataNotFoundError, match=said):
        load_glue("sst2", data=write_glue(tmp_path, "sst2", rows, names=names))


def test_a_missing_shard_is_not_overlooked(tmp_path):
    write_sst2(tmp_path)
    file = tmp_path / "sst2" / "validation-00000-of-00001.parquet"
    file.rename(file.with_name("validation-00000-of-00002.parquet"))
    with pytest.raises(DataNotFoundError, match="has 1 of the 2 files"):
        load_glue("sst2", data=tmp_path)


@pytest.mark.parametrize("task", COUNTS)
def test_real_tasks(shared_dir, task):
    split = load_glue(task, data=shared_dir / "data" / "glue")
    assert len(split) == len(split.texts) == len(split.labels) == COUNTS[task]


@pytest.mark.parametrize("task", ["cola", "rte", "sst2", "stsb", "wnli"])
def test_real_test_splits_hide_their_labels(shared_dir, task):
    with pytest.raises(DataNotFoundError, match="GLUE hides the labels"):
        load_glue(task, "test", shared_dir / "data" / "glue")


def test_the_real_test_labels_of_mrpc_are_public(shared_dir):
    assert len(load_glue("mrpc", "test", shared_dir / "data" / "glue")) == 1725


@pytest.mark.hub
def test_rte_from_the_hub():
    split = load_glue("rte")
    assert (len(split), len(split.source["revision"])) == (277, 40)
