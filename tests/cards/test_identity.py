"""Whose weights a model holds: what changes them, what does not, and that nobody passes on a name that is lost."""

import copy
import pickle

import pytest
import timm
import tiny_texts
import torch
from timm.utils import ModelEmaV3
from torch import nn

import zoo
from zoo.cards.card import write_card
from zoo.data.labels import labels_of
from zoo.errors import WeightsMismatchError
from zoo.models import build_model
from zoo.weights.create import create_model
from zoo.weights.identity import Identity, identity_of, state_digest
from zoo.weights.tag import read_tag

from .cases import LABELS, MODEL, NAME, TEXT_NAME, make_tag, train


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
    "converted": lambda model: zoo.convert(model, to="fles", of=["galu"], steepness=1.0)[0],
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

    @pytest.mark.parametrize(("classes", "left"), [(2, ()), (1000, ("a", "b"))])
    def test_of_timm(self, classes, left):
        """Two names for two classes go with them; two names for a thousand are a mistake to be told at export."""
        said = {"label_names": ["a", "b"], "num_classes": classes}
        theirs = timm.create_model("resnet10t", num_classes=2, pretrained_cfg_overlay=said)
        assert labels_of(theirs) == ("a", "b")
        theirs.reset_classifier(3)
        assert labels_of(theirs) == left
