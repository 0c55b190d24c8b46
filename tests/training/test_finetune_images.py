"""Fine-tuning on one's own images: from any name of a model to a run's folder that is a name itself."""

import json
import shlex
import shutil
from pathlib import Path

import pytest
import timm
import torch
import typer
from PIL import Image
from safetensors.torch import save_file
from typer.testing import CliRunner

import zoo
from export import commands as export
from zoo.commands import evaluate, finetune, predict
from zoo.errors import ConfigurationError, DataNotFoundError, OutputError, RecipeError
from zoo.names import open_model
from zoo.training.finetuning import choose_recipe
from zoo.training.groups import parameter_groups
from zoo.training.images.loop import train_mode
from zoo.training.images.start_network import start_network
from zoo.training.recipe import ModelRecipe

COLOURS = {"blue": (30, 40, 220), "green": (20, 200, 40), "red": (220, 30, 30)}
FIELDS = {"epochs": 2, "img_size": 32, "batch_size": 8, "settings": ["runtime.workers=0"], "show_progress": False}


def command(*words):
    app = typer.Typer()
    for module in (finetune, evaluate, predict, export):
        module.register(app)
    return CliRunner().invoke(app, [str(word) for word in words])


def same(one, other):
    pairs = zip(one.state_dict().items(), other.state_dict().items(), strict=True)
    return all(a == b and torch.equal(x, y) for (a, x), (b, y) in pairs)


def draw(folder: Path, classes, count, size=32):
    for name in classes:
        (folder / name).mkdir(parents=True)
        for number in range(count):
            shade = tuple(min(255, part + 3 * number) for part in COLOURS[name])
            Image.new("RGB", (size + number, size), shade).save(folder / name / f"{number}.png")
    return folder


@pytest.fixture(scope="session")
def network(tmp_path_factory):
    """A small network as timm saves it, with weights and classes of its own."""
    folder = tmp_path_factory.mktemp("timm") / "net"
    folder.mkdir()
    torch.manual_seed(0)
    model = timm.create_model("test_resnet", num_classes=5)
    save_file(model.state_dict(), folder / "model.safetensors")
    cfg = {"mean": [0.5] * 3, "std": [0.5] * 3, "input_size": [3, 32, 32], "interpolation": "bilinear"}
    config = {"architecture": "test_resnet", "num_classes": 5, "pretrained_cfg": cfg, "label_names": list("abcde")}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


@pytest.fixture(scope="session")
def photos(tmp_path_factory):
    return draw(tmp_path_factory.mktemp("photos") / "photos", COLOURS, 6)


@pytest.fixture(scope="session")
def run(network, photos, tmp_path_factory):
    return zoo.finetune(network, photos, output=tmp_path_factory.mktemp("runs") / "run", lr=0.01, **FIELDS)


def test_the_folder_is_a_name_of_the_model(run, photos):
    assert run.summary["data"]["labels"] == ["blue", "green", "red"]
    assert (run.summary["data"]["train_images"], run.summary["data"]["eval_images"]) == (15, 3)
    named = open_model(run.output)
    assert (named.kind, zoo.labels_of(named.model)) == ("run", ("blue", "green", "red"))
    assert same(named.model, run.model)
    assert zoo.evaluate(run.output, "imagefolder", data=photos).n == 18
    assert not (run.output / "best.safetensors").exists()


def test_a_frozen_backbone_keeps_its_weights_and_statistics(network, photos, tmp_path):
    folder = tmp_path / "run"
    words = ["finetune", network, "--data", photos, "--output", folder, "--epochs", 1, "--img-size", 32, "--json"]
    done = command(*words, "--set", "runtime.workers=0", "--freeze", "backbone")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["output"] == str(folder)
    before, after = open_model(network).model.state_dict(), open_model(folder).model.state_dict()
    assert {name for name in after if not torch.equal(after[name], before[name])} == {"fc.weight", "fc.bias"}


def test_what_follows_runs_as_printed(network, photos, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    draw(tmp_path / "data/train", COLOURS, 3)
    draw(tmp_path / "data/val", COLOURS, 2)
    words = ["finetune", network, "--data", "data", "--output", "mine", "--epochs", 1, "--img-size", 32]
    done = command(*words, "--set", "runtime.workers=0")
    assert done.exit_code == 0, done.output
    steps = [shlex.split(line) for line in done.stdout.splitlines() if line.strip().startswith("zoo ")]
    assert [step[1] for step in steps] == ["evaluate", "predict", "export"]
    image = str(photos / "red/0.png")
    for step in steps:
        done = command(*(word.replace("IMAGE", image).replace("edge_cpu", "portable") for word in step[1:]))
        assert done.exit_code == 0, done.output
    assert (tmp_path / "mine.portable.onnx").exists()


def test_going_on_with_a_finished_run_keeps_its_classifier(run, photos, tmp_path):
    more = zoo.finetune(run.output, photos, output=tmp_path / "more", lr=0.0, **{**FIELDS, "epochs": 1})
    before, after = run.model.state_dict(), more.model.state_dict()
    assert torch.equal(before["fc.weight"], after["fc.weight"])


def test_resumed_runs_end_with_the_same_weights(run, network, photos, tmp_path):
    def kill(progress):
        if (progress.epoch, progress.step) == (1, 1):
            raise KeyboardInterrupt

    fields = {"epochs": 2, "img_size": 32, "batch_size": 8, "lr": 0.01}
    recipe = choose_recipe(network, FIELDS["settings"], fields)
    with pytest.raises(KeyboardInterrupt):
        zoo.train(recipe, data=photos, output=tmp_path / "run", show_progress=False, on_step=kill)
    again = zoo.finetune(recipe, photos, output=tmp_path / "run", resume=True, show_progress=False)
    assert same(again.model, run.model)


def test_folders_train_and_val_with_a_class_missing_in_val(network, tmp_path):
    draw(tmp_path / "data/train", COLOURS, 3)
    draw(tmp_path / "data/val", ("green", "red"), 2)
    done = zoo.finetune(network, tmp_path / "data", output=tmp_path / "run", **{**FIELDS, "epochs": 1})
    assert (done.summary["data"]["train_images"], done.summary["data"]["eval_images"]) == (9, 4)
    assert done.summary["data"]["labels"] == ["blue", "green", "red"]


def refused(network, data, folder, kind, match, **changes):
    with pytest.raises(kind, match=match):
        zoo.finetune(network, data, output=folder, **{**FIELDS, **changes})
    assert not folder.exists(), "a refused run leaves nothing behind"


def test_bad_data(network, photos, tmp_path):
    folder = tmp_path / "run"
    draw(tmp_path / "strange/train", ("green", "red"), 2)
    draw(tmp_path / "strange/val", ("blue", "red"), 2)
    refused(network, tmp_path / "strange", folder, DataNotFoundError, "'blue'.*'train' does not have")
    draw(tmp_path / "one", ("red",), 3)
    refused(network, tmp_path / "one", folder, DataNotFoundError, "1 class to learn")
    draw(tmp_path / "single", ("red", "blue"), 1)
    refused(network, tmp_path / "single", folder, DataNotFoundError, "a single image")
    (tmp_path / "empty").mkdir()
    refused(network, tmp_path / "empty", folder, DataNotFoundError, "Found: nothing")
    refused(network, tmp_path / "nowhere", folder, DataNotFoundError, "does not exist")


def test_bad_requests(network, photos, tmp_path):
    folder = tmp_path / "run"
    refused(network, photos, folder, RecipeError, "model.freeze", freeze="head")
    refused(network, photos, folder, RecipeError, "task: not for images", task="rte")
    refused("c18_cifar10", photos, folder, RecipeError, "starts from fresh weights", epochs=6)
    refused("fles_minilm_l6.sst2", photos, folder, RecipeError, "not for texts")
    refused(network, photos, folder, RecipeError, "schedule.epochs", epochs=-1)
    (tmp_path / "run").mkdir()
    (tmp_path / "run/log.jsonl").write_text("")
    with pytest.raises(OutputError, match="already holds a run"):
        zoo.finetune(network, photos, output=folder, **FIELDS)


def test_few_images_make_small_batches(network, photos, tmp_path):
    done = zoo.finetune(network, photos, output=tmp_path / "run", **{**FIELDS, "batch_size": 64, "epochs": 1})
    assert done.summary["results"]["step"] == 1


def test_patience_and_the_best_epoch(network, photos, tmp_path):
    done = zoo.finetune(network, photos, output=tmp_path / "run", lr=0.0, patience=1, **{**FIELDS, "epochs": 9})
    rows = [json.loads(line) for line in (done.output / "log.jsonl").read_text().splitlines()]
    assert len(rows) < 9, "nothing learns at rate 0, so nothing is gained"
    assert done.summary["best_top1"] == max(row["val_top1"] for row in rows)


def test_a_finished_run_of_another_number_of_classes(run, tmp_path):
    draw(tmp_path / "two", ("red", "blue"), 4)
    done = zoo.finetune(run.output, tmp_path / "two", output=tmp_path / "run", **{**FIELDS, "epochs": 1})
    assert zoo.labels_of(open_model(done.output).model) == ("blue", "red")


def test_a_converted_network_learns_and_opens_again(network, photos, tmp_path):
    from zoo.conversion import convert, save_converted

    named = open_model(network)
    converted, report = convert(named.model, "fles", of=["relu"])
    save_converted(tmp_path / "fles", converted, report, named.base)
    done = zoo.finetune(tmp_path / "fles", photos, output=tmp_path / "run", **{**FIELDS, "epochs": 1})
    again = open_model(done.output)
    assert {type(m).__name__ for m in again.model.modules()} >= {"FleS"}
    assert same(again.model, done.model)


def test_layers_learn_the_more_slowly_the_earlier_they_stand(network):
    model, _ = start_network(ModelRecipe(name=str(network), pretrained=True), 3)
    recipe = choose_recipe(network, ["optimizer.layer_decay=0.5"]).optimizer
    scales = {id(p): g["lr_scale"] for g in parameter_groups(model, recipe) for p in g["params"]}
    assert scales[id(model.fc.weight)] == 1
    assert scales[id(model.conv1[0].weight)] < scales[id(model.layer4[0].conv1.weight)] < 1


def test_frozen_parts_stay_in_evaluation_mode(network):
    model, _ = start_network(ModelRecipe(name=str(network), pretrained=True, freeze="backbone"), 3)
    train_mode(model)
    assert (model.fc.training, model.bn1.training, model.layer1[0].bn1.training) == (True, False, False)


def test_a_network_without_a_known_classifier_cannot_be_frozen(network, monkeypatch):
    monkeypatch.setattr("zoo.training.images.start_network.classifier_of", lambda model: None)
    with pytest.raises(ConfigurationError, match="does not say which part"):
        start_network(ModelRecipe(name=str(network), pretrained=True, freeze="backbone"), 3)


def test_events_for_tensorboard(network, photos, tmp_path):
    pytest.importorskip("tensorboard")
    zoo.finetune(network, photos, output=tmp_path / "run", tensorboard=True, **{**FIELDS, "epochs": 1})
    assert list((tmp_path / "run/tensorboard").glob("events.*"))


def test_an_unfinished_run_says_how_to_go_on(run, tmp_path):
    shutil.copytree(run.output, tmp_path / "run")
    (tmp_path / "run/summary.json").unlink()
    with pytest.raises(zoo.ZooError, match=r"not finished[\s\S]*--resume"):
        open_model(tmp_path / "run")
