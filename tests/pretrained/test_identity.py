"""Whose weights a model holds: what changes them, what does not, and that nobody passes on a name that is lost."""

import copy
import json
import pickle
import shutil

import pytest
import timm
import tiny_texts
import torch
from timm.utils import ModelEmaV3
from tiny_images import write_cifar10
from torch import nn

import zoo
from zoo.data.labels import labels_of
from zoo.errors import WeightsMismatchError
from zoo.evaluation import evaluate
from zoo.models import build_model
from zoo.pretrained import check_card, create_model, read_tag, refresh_card, write_card
from zoo.pretrained.identity import Identity, identity_of, state_digest, weights_digest

from .cases import LABELS, MODEL, NAME, TEXT_NAME, make_tag, make_text_tag


def train(model):
    batch = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    model(batch).square().mean().backward()
    optimizer.step()
    return model


def averaged(model):
    average = ModelEmaV3(model, decay=0.5)
    average.update(train(model))
    return average.module


def with_modules(model, old, new):
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, old):
                setattr(parent, name, new())
    return model


def with_head(model, width):
    model.head = nn.Linear(8, width)
    return model


def with_classes(model, width):
    model.reset_classifier(width)
    return model


def rounded(model):
    """With values that a 16-bit type does not hold."""
    with torch.no_grad():
        model.head.bias += 2**-20
    return model


def nested(model):
    model.blocks[0] = torch.compile(model.blocks[0])
    return model


KEPT = {
    "copied": copy.deepcopy,
    "pickled": lambda model: pickle.loads(pickle.dumps(model)),  # noqa: S301 our own
    "evaluated": lambda model: model.eval(),
    "channels last": lambda model: model.to(memory_format=torch.channels_last),
    "float64": lambda model: model.double(),
    "compiled": torch.compile,
    "a part compiled": nested,
    "frozen": lambda model: model.requires_grad_(False),
    "its own state": lambda model: model.load_state_dict(copy.deepcopy(model.state_dict())) and model,
}
CHANGED = {
    "trained": train,
    "averaged": averaged,
    "another state": lambda m: m.load_state_dict(build_model(MODEL, num_classes=3).state_dict()) and m,
    "one value": rounded,
    "another head": lambda model: with_head(model, 3),
    "other classes": lambda model: with_classes(model, 7),
    "no head": lambda model: with_classes(model, 0),
    "other activations": lambda model: with_modules(model, zoo.activations.GALU, nn.ReLU),
    "converted": lambda model: zoo.convert(model, to="fles", of=["galu"], beta=1.0)[0],
    "meta": lambda model: model.to("meta"),
    "emptied": lambda model: model.to("meta").to_empty(device="cpu").requires_grad_(False),
}


@pytest.mark.parametrize("change", KEPT.values(), ids=KEPT)
def test_what_keeps_the_weights(card, change):
    changed = change(create_model(NAME))
    assert identity_of(changed) == Identity(read_tag(card))
    assert (identity_of(changed).tag.name, identity_of(changed).changed_since) == (NAME, "")
    assert labels_of(changed) == LABELS


@pytest.mark.parametrize("change", CHANGED.values(), ids=CHANGED)
def test_what_changes_the_weights(card, change):
    found = identity_of(change(create_model(NAME)))
    assert (found.tag, found.origin.name, found.changed_since) == (None, NAME, NAME)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_number_type_changes_the_weights_where_it_rounds(cards, state, dtype):
    """float16 holds every value of this card; one that it does not hold is lost, and does not return."""
    write_card(cards / NAME, state, make_tag(), dtype="float32")
    exact = all(torch.equal(value.to(dtype).to(value.dtype), value) for value in state.values())
    assert exact == (dtype == torch.float16)
    for model in (create_model(NAME).to(dtype), create_model(NAME).to(dtype).float()):
        assert identity_of(model).changed == (not exact)
    state["head.bias"] += 2**-20
    write_card(cards / NAME, state, make_tag(), dtype="float32", force=True)
    assert not identity_of(create_model(NAME)).changed
    assert identity_of(create_model(NAME).to(dtype).float()).changed


FORMS = [{"num_classes": 5}, {"in_chans": 1}, {"img_size": 48}, {"act": "relu"},
         {"features_only": True, "out_indices": (0,)}]  # fmt: skip


@pytest.mark.parametrize("arguments", FORMS, ids=str)
def test_what_is_asked_for_in_another_form_is_not_the_weights(cards, arguments):
    """GELU and ReLU have no values of their own, so the names of the weights do not tell them apart."""
    torch.manual_seed(0)
    tag = make_tag(model_args={"act": "gelu"})
    write_card(cards / NAME, build_model(MODEL, num_classes=3, act="gelu").state_dict(), tag)
    assert identity_of(create_model(NAME)).tag.name == NAME
    assert identity_of(create_model(NAME, **arguments)).changed_since == NAME


def test_dropout_is_of_training_only(card):
    assert identity_of(create_model(NAME, drop_rate=0.2, drop_path_rate=0.1)).tag.name == NAME


def test_the_digest_takes_values_whatever_holds_them():
    """A scalar in shape () or (1,), a matrix in any memory format: the same values, the same digest."""
    values = {"a": torch.tensor(0.5), "w": torch.arange(6.0).reshape(2, 3)}
    other = {"w": torch.arange(6.0).reshape(3, 2).T.contiguous().T.reshape(2, 3).half(), "a": torch.full((1,), 0.5)}
    assert torch.equal(values["w"], other["w"].float())
    assert state_digest(values) == state_digest(other)
    for wrong in ({"a": values["a"]}, {**values, "w": values["w"].T}, {"b": values["a"], "w": values["w"]}):
        assert state_digest(wrong) != state_digest(values)
    assert state_digest({"a": torch.tensor(0.5 + 2**-40, dtype=torch.float64)}) != state_digest({"a": values["a"]})
    assert state_digest({"a": torch.empty(2, device="meta")}) != state_digest({"a": torch.empty(2)})


def test_a_model_without_storage_gets_no_weights(card):
    with pytest.raises(WeightsMismatchError, match="on the meta device, which holds no values"):
        create_model(NAME, device="meta")
    assert identity_of(create_model(NAME, pretrained=False, device="meta")) == Identity()


class TestLabels:
    @pytest.mark.parametrize("name", ["salunet_c18_cifar", "fles_resnet18_cifar", "fles_swin_cifar",
                                      "fles_poolformer_cifar", "fles_vit_tiny_patch16"])  # fmt: skip
    def test_in_every_family_reset_classifier_makes_another(self, name):
        model, names = build_model(name, num_classes=2, device="meta"), ("cat", "dog")
        model.pretrained_cfg["label_names"] = names
        assert labels_of(model) == names
        old = model.get_classifier()
        model.reset_classifier(2)
        assert model.get_classifier() is not old
        model.reset_classifier(7)
        assert labels_of(model) == ()

    def test_training_keeps_them(self, card):
        assert labels_of(train(create_model(NAME))) == LABELS

    @pytest.mark.parametrize(("replace", "width"), [(with_classes, 0), (with_classes, 3), (with_classes, 7),
                                                    (with_head, 3), (with_head, 7)])  # fmt: skip
    def test_a_head_put_in_its_place_has_none(self, card, replace, width):
        model = replace(create_model(NAME), width)
        assert labels_of(model) == labels_of(copy.deepcopy(model)) == ()
        assert labels_of(torch.compile(model)) == ()

    def test_new_names_are_written_down(self, card):
        model = with_classes(create_model(NAME), 3)
        model.pretrained_cfg["label_names"] = ["one", "two", "three"]
        assert labels_of(model) == ("one", "two", "three")
        model.pretrained_cfg["label_names"] = LABELS
        assert labels_of(model) == ()
        model.get_classifier().label_names = LABELS
        assert labels_of(model) == LABELS

    def test_of_texts(self, text_card):
        model = create_model(TEXT_NAME)
        assert labels_of(model) == tiny_texts.LABELS
        model.classifier = nn.Linear(16, 2)
        assert labels_of(model) == ()

    def test_of_anybody(self):
        plain = nn.Linear(2, 2)
        assert labels_of(plain) == ()
        plain.pretrained_cfg = {"label_names": ["cat", "dog"]}
        assert labels_of(plain) == ("cat", "dog")
        theirs = timm.create_model("resnet18", num_classes=2, pretrained_cfg_overlay={"label_names": ["a", "b"]})
        assert labels_of(theirs) == ("a", "b")
        theirs.reset_classifier(3)
        assert labels_of(theirs) == ()


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
        model = with_classes(create_model(NAME), 3)
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
