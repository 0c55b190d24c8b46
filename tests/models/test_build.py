"""Arguments of `build_model`: what is refused, and with which words."""

import copy
import pickle

import pytest
import torch
from timm.models import FeatureListNet

from zoo.errors import ConfigurationError, DuplicateNameError, ShapeError, UnknownNameError
from zoo.models import MODELS, NORMS, build_model
from zoo.registry import Registry

from .cases import REPRESENTATIVES, images, small_model

BAD = [
    ({"norm": "salo"}, UnknownNameError, "Unknown norm 'salo'. Nearest: salu"),
    ({"act": "swallow"}, UnknownNameError, "Unknown gate 'swallow'. Nearest: swalu"),
    ({"act": "fles", "act_args": {"bta": 1}}, ConfigurationError, "bta"),
    ({"act": "fles", "act_args": {"channel_axis": -1}}, ConfigurationError, "fixed by the backbone"),
    ({"num_classes": -1}, ConfigurationError, "num_classes=-1"),
    ({"num_classes": "ten"}, ConfigurationError, "num_classes='ten'"),
    ({"in_chans": 0}, ShapeError, "in_chans=0"),
    ({"img_size": 0}, ShapeError, "img_size=0"),
    ({"img_size": (32, 32, 3)}, ShapeError, "no image size"),
    ({"img_size": (32, -1)}, ShapeError, "no image size"),
    ({"img_size": "32"}, ShapeError, "no image size"),
    ({"drop_part_rate": 0.1}, ConfigurationError, "Nearest: drop_path_rate"),
    ({"zzz": 1}, ConfigurationError, "Known: drop_block_rate"),
    ({"norm_layer": torch.nn.BatchNorm2d}, ConfigurationError, "choose by name, norm="),
    ({"out_indices": (1,)}, ConfigurationError, "no argument 'out_indices'"),
    ({"salu_init": (1, 1), "norm": "batchnorm"}, ConfigurationError, "no SALU to start"),
    ({"gate_init": (1, 1), "act": "relu"}, ConfigurationError, "act is 'relu'"),
    ({"salu_init": (1, 0)}, ConfigurationError, "positive and finite"),
    ({"gate_init": (float("nan"), 1)}, ConfigurationError, "positive and finite"),
    ({"gate_init": 0.5}, ConfigurationError, "Give \\(a, b\\)"),
]


@pytest.mark.parametrize(("arguments", "error", "words"), BAD, ids=[str(row[0]) for row in BAD])
def test_bad_arguments(arguments: dict[str, object], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        build_model("salunet_c18_cifar", **arguments)


def test_unknown_model_offers_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match=r"Unknown model 'salunet_c18_cifa'. Nearest: salunet_c18_cifar"):
        build_model("salunet_c18_cifa")


def test_registries_hold_what_the_documentation_names() -> None:
    assert len(MODELS) == 12 + 13
    assert NORMS.names() == sorted(["salu", "batchnorm", "groupnorm", "layernorm", "dyt", "derf"])
    assert isinstance(MODELS, Registry)
    with pytest.raises(DuplicateNameError):
        MODELS.add("salunet_c18", MODELS.get("salunet_c18"))


def test_prepare_sees_the_classifier_before_it_is_taken_apart() -> None:
    state = small_model("salunet_c18_cifar").state_dict()
    extractor = small_model(
        "salunet_c18_cifar", seed=3, features_only=True, prepare=lambda model: model.load_state_dict(state)
    )
    assert isinstance(extractor, FeatureListNet)
    assert torch.equal(extractor.state_dict()["layer4.1.conv2.weight"], state["layer4.1.conv2.weight"])


def test_dtype_reaches_every_parameter() -> None:
    for name in REPRESENTATIVES:
        model = build_model(name, dtype=torch.bfloat16, device="meta")
        assert {parameter.dtype for parameter in model.parameters()} == {torch.bfloat16}
        assert {parameter.device.type for parameter in model.parameters()} == {"meta"}


def test_a_model_can_be_copied_and_pickled() -> None:
    model = small_model("salunet_c18_cifar", norm="salu", act="galu").eval()
    batch = images("salunet_c18_cifar", batch=1)
    with torch.no_grad():
        expected = model(batch)
        assert torch.equal(copy.deepcopy(model)(batch), expected)
        assert torch.equal(pickle.loads(pickle.dumps(model))(batch), expected)  # noqa: S301 - its own bytes


@pytest.mark.slow
@pytest.mark.parametrize("name", REPRESENTATIVES)
def test_exports_with_a_free_batch(name: str) -> None:
    model = small_model(name).eval()
    batch = torch.export.Dim("batch", min=1, max=64)
    program = torch.export.export(model, (images(name),), dynamic_shapes=({0: batch},))
    wider = images(name, batch=3)
    with torch.no_grad():
        torch.testing.assert_close(program.module()(wider), model(wider), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "name",
    [
        "fles_poolformer_cifar",
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("salunet_t_cifar", "fles_swin_cifar")),
    ],
)
def test_compiles_in_one_graph(name: str) -> None:
    model = small_model(name).eval()
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    batch = images(name)
    with torch.no_grad():
        torch.testing.assert_close(compiled(batch), model(batch), rtol=1e-4, atol=1e-5)
