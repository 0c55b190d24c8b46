"""zoo evaluate on GLUE: from a module, a card and a file, with equal figures, and what is refused."""

from types import SimpleNamespace

import pytest
import torch
from tiny_images import Linear
from tiny_texts import LABELS, LENGTH, NAME, SPEC, make_model, preprocess, write_glue, write_sst2, write_tokenizer

import zoo.evaluation.runtime as runtime_module
from zoo.cards.card import write_card
from zoo.data.glue import GLUE, load_glue
from zoo.errors import ConfigurationError, DataNotFoundError, ShapeError, UnknownNameError, WeightsMismatchError
from zoo.evaluation import TextResult, evaluate, evaluate_text
from zoo.models.text_models import TEXT_MODELS
from zoo.weights.tag import PretrainedTag

COUNT = 45


@pytest.fixture(autouse=True)
def tiny_text_model(monkeypatch):
    monkeypatch.setitem(TEXT_MODELS._items, NAME, SPEC)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_sst2(tmp_path_factory.mktemp("glue"), COUNT)


@pytest.fixture
def model():
    made = make_model()
    made.text_preprocess = preprocess()
    return made


@pytest.fixture
def card(tmp_path, model):
    tag = PretrainedTag(NAME, "sst2", 2, preprocess().pinned, labels=LABELS, dataset="sst2")
    tokenizer = write_tokenizer(tmp_path / "tokenizer")
    return write_card(tmp_path / "card", model.state_dict(), tag, tokenizer=tokenizer), tmp_path / "card"


class FileModel:
    """What an entry point of `zoo.predictors` returns for a text model."""

    preprocess, labels = preprocess(), LABELS

    def __init__(self, path, *, device, threads):
        self.model = make_model()

    def __call__(self, batch):
        with torch.no_grad():
            return self.model(**batch).logits

    def describe(self):
        return {"tag": f"{NAME}.sst2", "file_sha256": "f" * 64}


@pytest.fixture
def file(tmp_path, monkeypatch):
    entry = SimpleNamespace(name="onnx", load=lambda: FileModel)
    monkeypatch.setattr(runtime_module, "entry_points", lambda group: [entry])
    (tmp_path / "tiny.onnx").write_bytes(b"weights")
    return tmp_path / "tiny.onnx"


def test_figures_equal_a_plain_loop(folder, model):
    split = load_glue("sst2", data=folder)
    with torch.no_grad():
        rows = [model(**preprocess().encode([text])).logits[0] for text in split.texts]
    logits, labels = torch.stack(rows).double(), torch.tensor(split.labels)
    result = evaluate_text(model, "sst2", data=folder, batch_size=16)
    assert (result.n, result.correct) == (COUNT, int((logits.argmax(1) == labels).sum()))
    assert result.metrics == {"accuracy": pytest.approx(result.correct / COUNT, abs=1e-7)}
    assert result.loss == pytest.approx(float(torch.nn.functional.cross_entropy(logits, labels)), abs=1e-6)


@pytest.mark.parametrize("batch_size", [1, 7, 100])
def test_figures_do_not_depend_on_the_batch_size(folder, model, batch_size):
    one, other = (evaluate_text(model, "sst2", data=folder, batch_size=size) for size in (16, batch_size))
    assert (one.n, one.correct, one.metrics) == (other.n, other.correct, other.metrics)
    assert one.loss == pytest.approx(other.loss, abs=1e-6)


def test_module_card_and_file_agree(folder, model, card, file):
    results = [evaluate_text(given, "sst2", data=folder, device="cpu") for given in (model, card[1], file)]
    assert len({(r.correct, r.loss, r.metrics["accuracy"]) for r in results}) == 1
    assert [r.runtime["kind"] for r in results] == ["torch", "torch", "onnx"]
    assert [r.tag for r in results] == [None, f"{NAME}.sst2", f"{NAME}.sst2"]
    assert [r.sha256 for r in results] == [None, card[0].sha256, "f" * 64]
    options = f"--task sst2 --data {folder} --split validation --batch-size 128 --device cpu --precision float32"
    assert [r.command for r in results] == [None, *(f"zoo evaluate {given} {options}" for given in (card[1], file))]


def test_result_holds_what_is_needed_to_repeat_it(folder, model):
    result = evaluate_text(model, "sst2", data=folder, batch_size=16, limit=20)
    assert (result.dataset, result.split, result.limit, result.n) == ("sst2", "validation", 20, 20)
    assert (result.precision, result.device, result.texts_per_process) == ("float32", "cpu", (20,))
    assert result.preprocess == preprocess().pinned
    assert len(result.source["files"][0]["sha256"]) == 64
    assert {"torch", "transformers", "tokenizers", "torchmetrics"} <= set(result.versions)
    values = result.to_dict()
    assert len(str(values["preprocess"])) < 200
    assert TextResult.from_dict(values) == result
    with pytest.raises(ConfigurationError, match="texts_per_second do not follow"):
        TextResult.from_dict(values | {"n": 19})
    with pytest.raises(ConfigurationError, match="unknown fields: top1"):
        TextResult.from_dict(values | {"top1": 1.0})


def test_texts_of_one_length_share_a_batch_and_every_text_counts_once(folder):
    seen = []

    class Recorder:
        preprocess = preprocess()

        def __call__(self, batch):
            seen.append(batch["attention_mask"].sum(dim=1).tolist())
            return torch.zeros(len(batch["input_ids"]), 2)

    assert evaluate_text(Recorder(), "sst2", data=folder, batch_size=8).texts_per_process == (COUNT,)
    assert sum(map(len, seen)) == COUNT
    assert sum(max(batch) * len(batch) for batch in seen) < COUNT * max(map(max, seen)) * 0.75


def test_pairs_and_scores(tmp_path):
    rows = {"sentence1": ["good", "bad", "dull", "fun"], "sentence2": ["film", "a film", "the film", "films"]}
    folder = write_glue(tmp_path, "stsb", rows | {"label": [0.0, 1.0, 2.0, 5.0]}, names=())
    result = evaluate_text(make_model(num_classes=1), "stsb", data=folder, preprocess=preprocess())
    assert list(result.metrics) == ["pearson", "spearman"]
    assert (result.correct, result.n, result.to_dict()["correct"]) == (None, 4, None)


def test_training_flags_return(folder, model):
    model.train()
    evaluate_text(model, "sst2", data=folder, limit=4)
    assert model.training


def test_autocast_is_asked_for_and_recorded(folder, model):
    exact, rounded = (evaluate_text(model, "sst2", data=folder, precision=p) for p in ("float32", "bfloat16"))
    assert rounded.precision == "bfloat16"
    assert exact.loss != rounded.loss
    assert exact.loss == pytest.approx(rounded.loss, rel=0.05)


def test_a_classifier_of_another_width_is_refused(folder):
    with pytest.raises(ConfigurationError, match="has 3 outputs, task sst2 has 2 classes"):
        evaluate_text(make_model(num_classes=3), "sst2", data=folder, preprocess=preprocess())
    with pytest.raises(ConfigurationError, match="has 1 outputs, task sst2 has 2 classes"):
        evaluate_text(make_model(num_classes=1), "sst2", data=folder, preprocess=preprocess())


def test_labels_in_another_order_are_refused(folder, model):
    model.config.id2label = dict(enumerate(LABELS[::-1]))
    with pytest.raises(ConfigurationError, match="number their classes differently: 'positive' is 0"):
        evaluate_text(model, "sst2", data=folder)
    model.config.id2label = dict(enumerate(GLUE.get("cola").labels))
    with pytest.raises(ConfigurationError, match="no class name in common"):
        evaluate_text(model, "sst2", data=folder)


def test_a_tokenizer_that_does_not_belong_to_the_model(folder, model):
    model.resize_token_embeddings(5)
    with pytest.raises(ShapeError, match="Do tokenizer and model belong together"):
        evaluate_text(model, "sst2", data=folder)
    with pytest.raises(ConfigurationError, match="positions for 24 tokens, its texts are cut to 30"):
        evaluate_text(model, "sst2", data=folder, preprocess=preprocess(30))


def test_scores_that_are_not_finite_name_the_batch(folder, model):
    with torch.no_grad():
        model.classifier.bias[1] = float("nan")
    with pytest.raises(WeightsMismatchError, match=r"16 of 16 texts in batch 0 .*of sst2"):
        evaluate_text(model, "sst2", data=folder, batch_size=16)


def test_images_and_texts_are_not_mixed_up(folder, model, card, file, repository):
    for given in (model, card[1], file):
        with pytest.raises(ConfigurationError, match=r"takes texts, not images.*--task"):
            evaluate(given, "cifar10", data=repository / "demo" / "cifar10_sample", device="cpu")
    with pytest.raises(ConfigurationError, match=r"takes images, not texts.*--dataset"):
        evaluate_text(Linear(), "sst2", data=folder)
    with pytest.raises(ConfigurationError, match="no attribute text_preprocess"):
        evaluate_text(make_model(), "sst2", data=folder)
    with pytest.raises(ConfigurationError, match="has no attribute `preprocess`"):
        evaluate_text(lambda batch: batch, "sst2", data=folder)


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"task": "sst"}, UnknownNameError, "Unknown GLUE task 'sst'.*sst2"),
        ({"split": "dev"}, UnknownNameError, "split of sst2 'dev'"),
        ({"limit": COUNT + 1}, ConfigurationError, f"has {COUNT} texts"),
        ({"batch_size": 0}, ConfigurationError, "batch_size is 0"),
        ({"precision": "float64"}, ConfigurationError, "Unknown precision"),
        ({"data": "no/such/folder"}, DataNotFoundError, "does not exist"),
    ],
)
def test_bad_arguments(folder, model, options, error, said):
    with pytest.raises(error, match=said):
        evaluate_text(model, **({"task": "sst2", "data": folder} | options))


def test_a_mistyped_model_is_told_before_the_task_is_looked_for(monkeypatch):
    monkeypatch.setattr("zoo.evaluation.text_evaluation.load_glue", lambda *args: pytest.fail("the task was opened"))
    with pytest.raises(UnknownNameError, match=r"'fles_minilm_l7'.*fles_minilm_l6"):
        evaluate_text("fles_minilm_l7.sst2", "sst2", device="cpu")


def test_a_real_task(shared_dir, model):
    """Unknown words and cut texts: figures are those of a guess, of every text."""
    result = evaluate_text(model, "sst2", data=shared_dir / "data" / "glue", limit=200)
    assert (result.n, result.preprocess.max_length) == (200, LENGTH)
    assert 0.3 < result.metrics["accuracy"] < 0.7
