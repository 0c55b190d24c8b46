"""Image classifiers that transformers saved: opened, fine-tuned, converted and run by the name of their folder."""

import json

import numpy
import pytest
import torch
from PIL import Image
from torch import nn

import zoo
from zoo.conversion.base import build_base, with_classes
from zoo.data.image_processor import PROCESSOR_FILE, preprocess_of_processor
from zoo.data.preprocess import Preprocess
from zoo.errors import ConfigurationError, ShapeError, WeightsNotFoundError
from zoo.models.image_logits import ImageLogits
from zoo.names import open_model
from zoo.training.images.start_network import start_network
from zoo.training.recipe import ModelRecipe

LABELS = ("cat", "dog", "owl")
PIXELS = {"image_mean": [0.4, 0.5, 0.6], "image_std": [0.2, 0.3, 0.4], "do_center_crop": False}


@pytest.fixture(scope="module")
def vit(tmp_path_factory):
    """A tiny ViT as transformers saves it."""
    from transformers import ViTConfig, ViTForImageClassification

    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    named = {"id2label": dict(enumerate(LABELS)), "label2id": {label: i for i, label in enumerate(LABELS)}}
    folder = tmp_path_factory.mktemp("vit")
    ViTForImageClassification(ViTConfig(image_size=32, patch_size=8, **sizes, **named)).save_pretrained(folder)
    (folder / PROCESSOR_FILE).write_text(json.dumps({**PIXELS, "size": {"height": 32, "width": 32}, "resample": 3}))
    return folder


@pytest.fixture
def photo():
    pixels = numpy.random.default_rng(0).integers(0, 256, (60, 90, 3), dtype=numpy.uint8)
    return Image.fromarray(pixels).resize((180, 120), Image.Resampling.BICUBIC)


def test_a_folder_brings_pixels_classes_and_logits(vit, photo):
    from transformers import ViTForImageClassification

    named = open_model(vit)
    assert (named.kind, zoo.labels_of(named.model)) == ("transformers", LABELS)
    batch = Preprocess.of(named.model)(photo)[None]
    assert batch.shape == (1, 3, 32, 32)
    theirs = ViTForImageClassification.from_pretrained(vit).eval()
    with torch.inference_mode():
        assert torch.equal(named.model.eval()(batch), theirs(pixel_values=batch).logits)
    like = build_base(named.base)
    assert {key: value.shape for key, value in like.state_dict().items()} == {
        key: value.shape for key, value in named.model.state_dict().items()
    }


@pytest.mark.parametrize("name", ["ViTImageProcessorPil", "ConvNextImageProcessorPil", "CLIPImageProcessorPil"])
@pytest.mark.parametrize("side", [32, 400])
def test_pixels_are_those_of_transformers(name, side, photo):
    import transformers

    sizes = {
        "ViTImageProcessorPil": {"size": {"height": side, "width": side}},
        "ConvNextImageProcessorPil": {"size": {"shortest_edge": side}, "crop_pct": 0.875},
        "CLIPImageProcessorPil": {
            "size": {"shortest_edge": side + 8}, "crop_size": {"height": side, "width": side}, "do_center_crop": True
        },
    }  # fmt: skip
    theirs = getattr(transformers, name)(**{**PIXELS, **sizes[name]}, resample=3)
    ours = preprocess_of_processor(json.loads(theirs.to_json_string()))
    found, wanted = ours(photo), theirs(photo, return_tensors="pt")["pixel_values"][0]
    assert found.shape == wanted.shape
    # A pixel of the resized image may be rounded to its neighbour: 1/255, divided by the smallest deviation.
    assert (found - wanted).abs().max() <= 1.01 / 255 / 0.2


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"do_normalize": False}, "do_normalize is false"),
        ({"do_rescale": False, "do_resize": False}, "do_resize is false, do_rescale is false"),
        ({"rescale_factor": 1.0}, "rescale_factor is 1.0, not 1/255"),
        ({"rescale_factor": "1"}, "not a number"),
        ({"size": {"shortest_edge": 32}}, "none of height and width"),
        ({"size": None}, "none of height and width"),
        ({"size": {"longest_edge": 32}}, "none of height and width"),
        ({"resample": 9}, "resample is 9"),
        ({"image_mean": None}, "mean is None"),
        ({"size": {"height": "x", "width": 32}}, "input_size is"),
    ],
)
def test_a_processor_that_does_something_else_is_refused(changed, said):
    values = {**PIXELS, "size": {"height": 32, "width": 32}, **changed}
    with pytest.raises(ConfigurationError, match=said):
        preprocess_of_processor(values)


def test_a_folder_without_a_processor(vit, tmp_path):
    for file in ("config.json", "model.safetensors"):
        (tmp_path / file).symlink_to(vit / file)
    with pytest.raises(WeightsNotFoundError, match=PROCESSOR_FILE):
        open_model(tmp_path)


def test_a_new_classifier(vit):
    model, base = start_network(ModelRecipe(name=str(vit), pretrained=True), 5, ("a", "b", "c", "d", "e"))
    assert isinstance(model, ImageLogits)
    assert model.eval()(torch.zeros(2, 3, 32, 32)).shape == (2, 5)
    assert model.get_classifier().weight.abs().sum() > 0
    assert torch.equal(model.network.vit.embeddings.cls_token, open_model(vit).model.network.vit.embeddings.cls_token)
    again = build_base(base)
    again.load_state_dict(model.state_dict())
    kept, _ = start_network(ModelRecipe(name=str(vit), pretrained=True), 3, LABELS)
    assert torch.equal(kept.get_classifier().weight, open_model(vit).model.get_classifier().weight)


def test_a_classifier_behind_other_layers():
    from transformers import ResNetConfig, ResNetForImageClassification

    network = ResNetForImageClassification(ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1]))
    model = ImageLogits(network)
    model.reset_classifier(7)
    assert model(torch.zeros(1, 3, 32, 32)).shape == (1, 7)
    assert model.config.num_labels == 7
    bare = ImageLogits(nn.Identity())
    with pytest.raises(ConfigurationError, match="no linear layer"):
        bare.get_classifier()


def test_positions_are_for_one_size(vit):
    with pytest.raises(ShapeError, match=r"takes \(32, 32\) only"):
        start_network(ModelRecipe(name=str(vit), pretrained=True, img_size=48), 5)


def test_other_networks_of_transformers_keep_their_classes(tmp_path):
    with pytest.raises(ConfigurationError, match="no other number of classes"):
        with_classes({"kind": "transformers", "class": "BertModel", "config": {}}, 3)


def test_the_road(vit, tmp_path, photo, run_zoo):
    """Fine-tuned, evaluated, converted and predicted with, as a folder of photos asks."""
    for label in LABELS[:2]:
        (tmp_path / "photos" / label).mkdir(parents=True)
        for i in range(5):
            photo.rotate(i * 40).save(tmp_path / "photos" / label / f"{i}.png")
    run, data = tmp_path / "run", tmp_path / "photos"
    assert run_zoo("finetune", vit, "--data", data, "--epochs", 1, "--batch-size", 4, "--output", run)[0] == 0
    status, out, _ = run_zoo("evaluate", run, "--dataset", "imagefolder", "--data", data, "--json")
    assert status == 0
    assert json.loads(out)["n"] == 10
    status, _, err = run_zoo("convert", vit, "--to", "fles", "--output", tmp_path / "converted")
    assert status == 0, err
    status, out, err = run_zoo("predict", data / "cat" / "0.png", "--model", tmp_path / "converted", "--json")
    assert status == 0, err
    assert any(label in out for label in LABELS)
