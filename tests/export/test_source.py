"""What is read from a model before an export: above all its preprocessing at another size."""

import json

import onnx_ir as ir
import pytest
import torch
from tiny_model import tiny
from transformers import BertConfig, BertModel

import export.pipeline.steps
from export import InputSpec
from export.inputs.source import read_source
from export.pipeline.job import Job
from export.targets import get_target
from zoo.data.preprocess import Preprocess
from zoo.errors import ConfigurationError, ShapeError
from zoo.evaluation.evaluated_model import EvaluationSetting, open_subject
from zoo.evaluation.image_evaluation import IMAGES
from zoo.models import build_model

# As SaluNet-C-50's, in small: another crop share at the size the paper tests at.
CFG = {
    "architecture": "tiny",
    "input_size": (3, 8, 8),
    "test_input_size": (3, 12, 12),
    "crop_pct": 0.875,
    "test_crop_pct": 1.0,
    "crop_mode": "center",
    "interpolation": "bicubic",
    "mean": (0.5, 0.4, 0.3),
    "std": (0.2, 0.25, 0.3),
}


def described(**changes):
    model = tiny()
    model.pretrained_cfg = CFG | changes
    return model


@pytest.mark.parametrize(("size", "crop_pct"), [(None, 0.875), (8, 0.875), (12, 1.0), (16, 0.875)])
def test_stamped_preprocessing_is_the_one_of_an_evaluation(exported, tmp_path, size, crop_pct):
    source = read_source(described(), img_size=size)
    job = Job(source=source, target=get_target("portable"), path=tmp_path / "x.onnx", graph=ir.load(exported.path))
    export.pipeline.steps.stamp(job)
    stamped = json.loads(job.graph.metadata_props["salu_zoo.preprocess"])
    with open_subject(described(), EvaluationSetting(torch.device("cpu"), img_size=size), IMAGES) as subject:
        assert stamped == subject.preprocess.to_dict()
    assert stamped["crop_pct"] == crop_pct


def test_module_of_one_size_is_refused_at_another():
    with pytest.raises(ShapeError, match=r"takes \(8, 8\) only"):
        read_source(described(fixed_input_size=True), img_size=12)


def test_a_compiled_model_is_the_one_it_was_made_from():
    model = described()
    source, plain = read_source(torch.compile(model)), read_source(model)
    assert (source.name, source.weights_sha256) == (plain.name, plain.weights_sha256) == ("tiny", plain.weights_sha256)
    assert source.model.state_dict().keys() == model.state_dict().keys()


def test_gradient_checkpointing_is_switched_off_in_the_copy():
    model = build_model("fles_vit_tiny_patch16", img_size=32)
    model.set_grad_checkpointing()
    assert read_source(model).model.grad_checkpointing is False
    assert model.grad_checkpointing is True
    text = BertModel(BertConfig(hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8))
    # transformers 5.4 has only the older name, and later ones warn of it.
    (getattr(text, "activation_checkpointing_enable", None) or text.gradient_checkpointing_enable)()
    switches = [module for module in text.modules() if hasattr(module, "gradient_checkpointing")]
    assert switches
    assert all(module.gradient_checkpointing for module in switches)
    copied = read_source(text, input_spec=InputSpec(3, 8, 8)).model
    assert not any(getattr(module, "gradient_checkpointing", False) for module in copied.modules())
    assert all(module.gradient_checkpointing for module in switches)


def test_labels_and_preprocessing_given_stand_in_place_of_the_models_own():
    made = Preprocess((3, 8, 8), "bilinear", 1.0, "squash", (0.0,) * 3, (1.0,) * 3)
    named = ("w", "x", "y", "z")
    for model, spec in ((tiny(), None), (described(), None), (tiny(), InputSpec(3, 8, 8, labels=tuple("abcd")))):
        found = read_source(model, input_spec=spec, labels=named, preprocess=made).input
        assert (found.labels, found.record()) == (named, made.to_dict())
    assert read_source(described(), labels=named).input.record() == InputSpec.of(described()).record()
    kept = read_source(tiny(), input_spec=InputSpec(3, 8, 8, labels=tuple("abcd")), preprocess=made).input
    assert kept.labels == tuple("abcd")


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"img_size": 12}, "img_size is given beside"),
        ({"input_spec": InputSpec(3, 12, 12)}, r"InputSpec says \(3, 12, 12\)"),
    ],
)
def test_a_size_that_is_said_twice_is_refused(given, reason):
    made = Preprocess((3, 8, 8), "bilinear", 1.0, "squash", (0.0,) * 3, (1.0,) * 3)
    with pytest.raises(ConfigurationError, match=reason):
        read_source(tiny(), preprocess=made, **given)
