"""Nobody passes on a name that is lost: results and cards of changed weights, and what others save of them."""

import json
import shutil

import pytest
import timm
import tiny_texts
import torch
from tiny_images import write_cifar10

import zoo
from zoo.cards.card import refresh_card, write_card
from zoo.cards.readme import check_card
from zoo.errors import WeightsMismatchError
from zoo.evaluation import evaluate
from zoo.models import build_model
from zoo.weights.create import create_model
from zoo.weights.identity import identity_of, weights_digest
from zoo.weights.tag import read_tag

from .cases import MODEL, NAME, TEXT_NAME, make_tag, make_text_tag, train


class TestCards:
    """A figure on a card is of the card's weights."""

    @pytest.fixture
    def results(self, cards, tmp_path, state):
        """Evaluations of a card's model as loaded, and after training."""
        data = write_cifar10(tmp_path / "cifar10", 20)
        torch.manual_seed(0)
        tag = make_tag(tag="ten", num_classes=10, labels=())
        write_card(cards / "tiny_t.ten", build_model(MODEL).state_dict(), tag, dtype="float32")
        model = create_model("tiny_t.ten")
        right = evaluate(model, "cifar10", data=data).to_dict()
        return cards / "tiny_t.ten", right, evaluate(train(model), "cifar10", data=data).to_dict()

    def test_a_result_says_whose_it_is(self, results):
        folder, right, wrong = results
        assert [right[key] for key in ("tag", "sha256", "changed_since")] == ["tiny_t.ten", read_tag(folder).sha256, ""]
        assert [wrong[key] for key in ("tag", "sha256", "changed_since")] == [None, None, "tiny_t.ten"]

    def test_changed_weights_give_a_card_no_figure(self, results, tmp_path):
        from zoo.commands._card import Additions, complete_card

        folder, right, wrong = results
        for name, result in (("right", right), ("wrong", wrong)):
            (tmp_path / f"{name}.json").write_text(json.dumps(result))
        complete_card(folder, Additions((tmp_path / "right.json",)))
        check_card(folder)
        before = {path.name: path.read_bytes() for path in folder.iterdir()}
        with pytest.raises(WeightsMismatchError, match=r"wrong\.json is of a model changed since tiny_t\.ten, not of"):
            complete_card(folder, Additions((tmp_path / "wrong.json",)))
        with pytest.raises(WeightsMismatchError, match="stored evaluation on cifar10 is of a model changed since"):
            refresh_card(folder, {"evaluations": [wrong]})
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == before

    @pytest.mark.parametrize("found", ["changed", "other", "exported from others"])
    def test_the_check_finds_figures_of_others(self, results, found):
        folder, right, wrong = results
        exported = right | {"sha256": "1" * 64, "runtime": {"kind": "onnxruntime", "source_sha256": "2" * 64}}
        row = {"changed": wrong, "other": right | {"sha256": "1" * 64}, "exported from others": exported}[found]
        file = folder / "results.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), "evaluations": [row]}))
        with pytest.raises(WeightsMismatchError, match="stored evaluation on cifar10 is of"):
            check_card(folder)

    def test_the_check_finds_other_weights(self, card, state):
        other = {name: value + 1 for name, value in state.items()}
        write_card(card.parent / "other", other, make_tag(tag="other"))
        shutil.copy(card.parent / "other" / "model.safetensors", card)
        for act in (check_card, refresh_card):
            with pytest.raises(WeightsMismatchError, match="is not the file its card pins"):
                act(card)

    def test_figures_do_not_move_to_other_weights(self, results, tmp_path):
        folder, right, _ = results
        tag, state = read_tag(folder), create_model(folder).state_dict()
        again = write_card(tmp_path / "same", state, tag, {"evaluations": [right]}, dtype="float32")
        assert again.sha256 == tag.sha256
        with pytest.raises(WeightsMismatchError, match="is of other weights"):
            write_card(tmp_path / "new", train(create_model(folder)).state_dict(), tag, {"evaluations": [right]})
        assert not (tmp_path / "new").exists()

    def test_other_weights_are_published_nowhere(self, card, state, tmp_path):
        published = make_tag(repo="org/pets", revision="0" * 40, sha256=read_tag(card).sha256)
        same = write_card(tmp_path / "same", state, published)
        assert (same.repo, same.revision) == ("org/pets", "0" * 40)
        other = write_card(tmp_path / "other", {**state, "head.bias": state["head.bias"] + 1}, published)
        assert (other.repo, other.revision) == (None, None)


class TestSaved:
    """What timm and transformers write after a change names no published weights."""

    def test_by_timm(self, card, tmp_path):
        model = create_model(NAME)
        model.reset_classifier(3)
        timm.models.save_for_hf(model, tmp_path / "saved")
        written = json.loads((tmp_path / "saved" / "config.json").read_text())
        assert "pets" not in json.dumps({**written, "pretrained_cfg": {**written["pretrained_cfg"], "label_names": []}})
        assert read_tag(card).sha256 not in json.dumps(written)

    @pytest.mark.parametrize("change", [True, False])
    def test_by_transformers(self, text_card, tmp_path, change):
        from transformers import AutoModelForSequenceClassification

        import zoo.models.bert  # noqa: F401 - makes the Auto classes know the model type

        model = AutoModelForSequenceClassification.from_pretrained(text_card)
        if change:
            with torch.no_grad():
                model.classifier.bias += 1
        model.save_pretrained(tmp_path / "saved")
        assert read_tag(text_card).sha256 not in (tmp_path / "saved" / "config.json").read_text()
        self._adopt(text_card, tmp_path / "saved", model)

    def test_by_transformers_of_a_plain_bert(self, cards, tmp_path):
        """Its configuration class is transformers' own and keeps every key, so the reader says what to do."""
        from transformers import AutoModelForSequenceClassification

        tag = make_text_tag(model_args={"act": "gelu"})
        tokenizer = tiny_texts.write_tokenizer(tmp_path / "tokenizer")
        write_card(cards / TEXT_NAME, tiny_texts.make_model(act="gelu").state_dict(), tag, tokenizer=tokenizer)
        model = AutoModelForSequenceClassification.from_pretrained(cards / TEXT_NAME)
        with torch.no_grad():
            model.classifier.bias += 1
        model.save_pretrained(tmp_path / "saved")
        shutil.copy(cards / TEXT_NAME / "tokenizer.json", tmp_path / "saved")
        with pytest.raises(WeightsMismatchError, match="saved them anew, they need a card of their own: `zoo adopt`"):
            create_model(tmp_path / "saved")
        self._adopt(cards / TEXT_NAME, tmp_path / "saved", model)

    def _adopt(self, card, saved, model):
        for name in ("tokenizer.json", "tokenizer_config.json"):
            shutil.copy(card / name, saved)
        done = zoo.adopt(saved, tiny_texts.NAME, "anew", output=saved.parent / "card", dtype="float32")
        assert done.tag.sha256 != read_tag(card).sha256
        again = create_model(done.folder)
        assert weights_digest(again) == weights_digest(model)
        assert identity_of(again).tag.name == f"{tiny_texts.NAME}.anew"
