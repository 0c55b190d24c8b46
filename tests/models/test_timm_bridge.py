"""The zoo through timm's door."""

import warnings
from types import SimpleNamespace

import pytest
import timm
import torch

from zoo.errors import ConfigurationError
from zoo.models import MODELS, build_model, timm_bridge

from .cases import images


def test_timm_lists_every_model() -> None:
    assert timm.list_models(["salunet*", "fles*"]) == MODELS.names()
    assert all(timm.is_model(name) for name in MODELS)
    assert timm.get_pretrained_cfg("salunet_c50").test_input_size == (3, 288, 288)


def test_registering_again_adds_nothing_and_warns_of_nothing() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert timm_bridge.register_all() == []


def test_timm_builds_what_the_zoo_builds() -> None:
    torch.manual_seed(0)
    ours = build_model("salunet_c18_cifar", act="galu", num_classes=7).eval()
    torch.manual_seed(0)
    theirs = timm.create_model("salunet_c18_cifar", act="galu", num_classes=7).eval()
    batch = images("salunet_c18_cifar")
    with torch.no_grad():
        assert torch.equal(ours(batch), theirs(batch))
    data = timm.data.resolve_model_data_config(theirs)
    assert (data["input_size"], data["crop_pct"], data["mean"]) == ((3, 32, 32), 1.0, (0.4914, 0.4822, 0.4465))


def test_timm_feature_extraction_and_metadata_overlay() -> None:
    extractor = timm.create_model("salunet_c18", features_only=True, out_indices=(2, 4), device="meta")
    assert extractor.feature_info.reduction() == [8, 32]
    model = timm.create_model("salunet_c18", device="meta", pretrained_cfg_overlay={"crop_pct": 0.95})
    assert model.pretrained_cfg["crop_pct"] == 0.95
    model = timm.create_model(
        "salunet_c18", device="meta", pretrained_cfg={"crop_pct": 0.5, "interpolation": "bilinear"}
    )
    assert model.pretrained_cfg["interpolation"] == "bilinear"
    assert model.pretrained_cfg["input_size"] == (3, 224, 224)


@pytest.fixture
def loader(monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, ...]]:
    """A stand-in for the zoo's weight loader that records what it is asked for."""
    calls: list[tuple[object, ...]] = []

    def create_model(name: str, pretrained: bool = False, **kwargs: object) -> SimpleNamespace:
        calls.append((name, pretrained, kwargs))
        return SimpleNamespace(pretrained_cfg={})

    monkeypatch.setattr("zoo.pretrained.create.create_model", create_model)
    return calls


def test_weights_come_from_the_zoos_loader(loader: list[tuple[object, ...]]) -> None:
    timm.create_model("salunet_c18_cifar", pretrained=True, num_classes=7)
    timm.create_model("salunet_c18_cifar.cifar10", pretrained=True)
    timm.create_model("salunet_c18_cifar.cifar10")
    timm.create_model("salunet_c18_cifar", pretrained=True, pretrained_cfg={"hf_hub_id": "someone/something"})
    timm.create_model("salunet_c18_cifar", pretrained=True, pretrained_cfg={"file": "weights.safetensors"})
    assert loader == [
        ("salunet_c18_cifar", True, {"num_classes": 7}),
        ("salunet_c18_cifar.cifar10", True, {}),
        ("salunet_c18_cifar.cifar10", False, {}),
        ("hf-hub:someone/something", True, {}),
        ("weights.safetensors", True, {}),
    ]


def test_weights_without_a_source_are_refused(loader: list[tuple[object, ...]]) -> None:
    with pytest.raises(ConfigurationError, match="no Hub repository and no file"):
        timm.create_model("salunet_c18_cifar", pretrained=True, pretrained_cfg={"crop_pct": 0.9})
    with pytest.raises(ConfigurationError, match="HF_HOME"):
        timm.create_model("salunet_c18_cifar", cache_dir="somewhere")
    assert loader == []
