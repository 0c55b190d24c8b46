"""The zoo through timm's door."""

import json
import warnings
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import nn

import zoo
from zoo import timm as zoo_timm
from zoo.card_folders import card_folder
from zoo.errors import ConfigurationError
from zoo.models import MODELS, build_model
from zoo.models.model_spec import CIFAR_MEAN
from zoo.weights.identity import Identity
from zoo.weights.locate import list_pretrained

from .cases import images


def test_timm_lists_every_model() -> None:
    assert timm.list_models(["salunet*", "fles*"]) == MODELS.names()
    assert all(timm.is_model(name) for name in MODELS)
    assert timm.get_pretrained_cfg("salunet_c50").test_input_size == (3, 288, 288)


def test_registering_again_adds_nothing_and_warns_of_nothing() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert zoo_timm.register_all() == []


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


NAME, TAG = "fles_poolformer_cifar", "fles_poolformer_cifar.cifar10"
CARD = card_folder(TAG)


def other(classes: int = 10, **options: Any) -> nn.Module:
    """A network of that name with weights of its own."""
    torch.manual_seed(5)
    return build_model(NAME, num_classes=classes, **options).eval()


def same(one: nn.Module, two: nn.Module) -> bool:
    theirs = two.state_dict()
    return all(torch.equal(value, theirs[key]) for key, value in one.state_dict().items())


@pytest.fixture(scope="module")
def ours() -> nn.Module:
    return zoo.create_model(TAG, pretrained=True)


def test_timm_knows_the_published_weights() -> None:
    published = [name for name in list_pretrained() if name.partition(".")[0] in MODELS]
    assert timm.list_pretrained(["salunet*", "fles*"]) == published
    assert timm.list_models("salunet*", pretrained=True) == [n for n in published if n.startswith("salunet")]
    cfg = timm.get_pretrained_cfg("salunet_c18_cifar.cifar10")
    assert (cfg.tag, cfg.num_classes, cfg.label_names[0], cfg.mean) == ("cifar10", 10, "airplane", CIFAR_MEAN)
    assert Path(cfg.file) == card_folder("salunet_c18_cifar.cifar10") / "model.safetensors"
    tagged, bare = timm.get_pretrained_cfg("salunet_c50.cifar100"), timm.get_pretrained_cfg("salunet_c50")
    assert (tagged.num_classes, tagged.input_size) == (100, (3, 64, 64))
    assert (bare.num_classes, bare.input_size, bare.has_weights) == (1000, (3, 224, 224), None)


def test_a_card_on_the_hub_is_named_by_its_commit_and_a_damaged_one_is_left_out(tmp_path: Path) -> None:
    folder = tmp_path / TAG
    folder.mkdir()
    values = json.loads((CARD / "config.json").read_text())
    values["salu_zoo"] |= {"repo": "org/pool", "revision": "0" * 40}
    (folder / "config.json").write_text(json.dumps(values))
    cfg = zoo_timm._published(folder)
    assert cfg is not None
    assert (cfg.file, cfg.hf_hub_id, cfg.hf_hub_filename) == (None, f"org/pool@{'0' * 40}", "model.safetensors")
    (folder / "config.json").write_text("{")
    assert zoo_timm._published(folder) is None


@pytest.mark.parametrize(
    "asked",
    [
        {"model_name": TAG},
        {"model_name": NAME},
        {"model_name": f"local-dir:{CARD}"},
        {"model_name": NAME, "pretrained_cfg": "cifar10"},
        {"model_name": NAME, "pretrained_cfg_overlay": {"file": str(CARD / "model.safetensors")}},
        timm.models.resolve_model_input_args(TAG),
    ],
    ids=["tag", "default", "folder", "tag apart", "its file", "as timm's scripts ask"],
)
def test_published_weights_come_through_the_zoos_loader(asked: dict[str, Any], ours: nn.Module) -> None:
    model = timm.create_model(**asked, pretrained=True)
    assert zoo.identity_of(model).tag == zoo.identity_of(ours).tag is not None
    assert same(model, ours)
    assert zoo.Preprocess.of(model) == zoo.Preprocess.of(ours)
    seven = timm.create_model(**asked, pretrained=True, num_classes=7, in_chans=1)
    assert seven.get_classifier().out_features == seven.pretrained_cfg["num_classes"] == 7
    assert torch.equal(seven.stages[2].blocks[0].mlp.fc1.weight, ours.stages[2].blocks[0].mlp.fc1.weight)
    assert zoo.identity_of(seven).tag is None
    assert zoo.labels_of(seven) == ()


def named(kind: str, state: dict[str, torch.Tensor], folder: Path) -> dict[str, Any]:
    """The weights `state`, as timm's configuration names them."""
    file = folder / "model.safetensors"
    save_file(state, file)
    return {
        "file": {"file": str(file)},
        "state_dict": {"state_dict": state},
        "url": {"url": file.as_uri()},
        "before the hub": {"file": str(file), "hf_hub_id": "org/nothing"},
    }[kind]


@pytest.mark.parametrize("kind", ["file", "state_dict", "url", "before the hub"])
@pytest.mark.parametrize("how", ["pretrained_cfg", "pretrained_cfg_overlay"])
def test_weights_named_in_the_configuration_are_those_loaded(kind: str, how: str, tmp_path: Path) -> None:
    wanted = other()
    source = named(kind, wanted.state_dict(), tmp_path)
    model = timm.create_model(NAME, pretrained=True, cache_dir=tmp_path / "cache", **{how: source})
    assert same(model, wanted)
    assert zoo.identity_of(model) == Identity()
    assert "state_dict" not in model.pretrained_cfg


def test_an_overlay_goes_before_the_tag_and_the_folder(tmp_path: Path) -> None:
    wanted = other()
    overlay = named("file", wanted.state_dict(), tmp_path)
    for asked in (TAG, f"local-dir:{CARD}"):
        model = timm.create_model(asked, pretrained=True, pretrained_cfg_overlay=overlay)
        assert same(model, wanted)
        assert zoo.identity_of(model) == Identity()


def test_a_fresh_classifier_on_other_weights(tmp_path: Path) -> None:
    """As timm's train.py asks with --pretrained-path, and what it means for a feature extractor."""
    wanted = other(classes=5)
    overlay = named("file", wanted.state_dict(), tmp_path)
    model = timm.create_model(
        NAME, pretrained=True, num_classes=5, pretrained_cfg_overlay={**overlay, "num_classes": -1}
    )
    assert model.pretrained_cfg["num_classes"] == 5
    assert not torch.equal(model.head.fc.weight, wanted.head.fc.weight)
    assert torch.equal(model.stem.conv.weight, wanted.stem.conv.weight)
    kept = timm.create_model(NAME, pretrained=True, pretrained_cfg_overlay={**overlay, "num_classes": 5})
    assert same(kept, wanted)
    features = timm.create_model(NAME, pretrained=True, features_only=True, pretrained_cfg_overlay=overlay)
    assert torch.equal(features.state_dict()["stem.conv.weight"], wanted.stem.conv.weight)


def test_weights_that_do_not_fit_are_not_half_loaded(tmp_path: Path) -> None:
    state = other().state_dict()
    del state["stem.conv.weight"]
    with pytest.raises(RuntimeError, match=r"stem\.conv\.weight"):
        timm.create_model(NAME, pretrained=True, pretrained_cfg_overlay=named("file", state, tmp_path))


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"cache_dir": "somewhere"}, "HF_HOME"),
        ({"pretrained_cfg_overlay": {"num_classes": -1}}, "num_classes=-1 where it is 10"),
        ({"pretrained_cfg_overlay": {"num_classes": 7}}, "num_classes=7 where it is 10"),
        ({"pretrained_cfg_overlay": {"input_size": (1, 32, 32)}}, r"input_size=\(1,\) where it is \(3,\)"),
        ({"pretrained_cfg_overlay": {"label_offset": 1}}, "label_offset=1"),
        ({"model_name": "salunet_c18_cifar", "pretrained_cfg_overlay": {"file": str(CARD)}}, "architecture="),
    ],
)
def test_what_the_published_weights_contradict_is_refused(asked: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        timm.create_model(**{"model_name": NAME, "pretrained": True, **asked})


def test_timms_loader_says_where_there_is_nothing(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="No pretrained weights exist"):
        timm.create_model(NAME, pretrained=True, pretrained_cfg_overlay={"custom_load": True})
    with pytest.raises(FileNotFoundError):
        timm.create_model(NAME, pretrained=True, pretrained_cfg_overlay={"file": str(tmp_path / "none.safetensors")})
    with pytest.raises(TypeError, match="weights"):
        timm.create_model(NAME, pretrained=True, pretrained_cfg_overlay={"weights": "x"})


def test_without_weights_the_configuration_shapes_the_model() -> None:
    cfg = {"num_classes": 7, "input_size": (1, 64, 64), "file": str(CARD / "none.safetensors")}
    model = timm.create_model("salunet_t_cifar", pretrained_cfg=cfg, cache_dir="unused")
    assert (model.num_classes, model.patch_embed.img_size, model.patch_embed.proj.in_channels) == (7, (64, 64), 1)
    assert model.pretrained_cfg["input_size"] == (1, 64, 64)
    assert timm.create_model("salunet_c50.cifar100", device="meta").num_classes == 100


def test_feature_extraction_as_timm_configures_it() -> None:
    model = timm.create_model("salunet_c18_cifar", features_only=True, feature_cfg={"out_indices": (2,)}, device="meta")
    assert model.feature_info.channels() == [128]
    graph = timm.create_model("salunet_c18_cifar", features_only=True, feature_cfg={"feature_cls": "fx"})
    with torch.no_grad():
        assert [m.shape[1] for m in graph(images("salunet_c18_cifar"))] == graph.feature_info.channels()


def test_a_swin_that_is_not_strict_takes_other_sizes() -> None:
    model = timm.create_model("fles_swin_cifar", strict_img_size=False).eval()
    assert model.pretrained_cfg["fixed_input_size"] is False
    with torch.no_grad():
        assert model(torch.zeros(1, 3, 48, 48)).shape == (1, 10)
    with pytest.raises(ConfigurationError, match="no argument 'strict_img_size'"):
        timm.create_model("salunet_c18_cifar", strict_img_size=False)
