import pytest
import torch
from PIL import Image
from tiny_images import CIFAR10_NAMES, PREPROCESS, Linear, make_images, write_cifar10, write_folders
from torch import nn

from zoo.errors import ConfigurationError, DataNotFoundError, ShapeError, UnknownNameError, WeightsMismatchError
from zoo.evaluation import EvalResult, evaluate
from zoo.weights.create import create_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_cifar10(tmp_path_factory.mktemp("data"), 45)


class Poisoned(Linear):
    """Gives one bad score from the batch with this number on."""

    def __init__(self, number, value=float("nan")):
        super().__init__()
        self.number, self.value, self.seen = number, value, -1

    def forward(self, x):
        self.seen += 1
        scores = super().forward(x)
        if self.seen >= self.number:
            scores[2, 3] = self.value
        return scores


def test_figures_equal_a_plain_loop(folder):
    model = Linear().eval()
    rows = make_images(45, 10)
    with torch.no_grad():
        scores = torch.cat([model(PREPROCESS(image)[None]) for image, _ in rows]).double()
    targets = torch.tensor([label for _, label in rows])
    result = evaluate(model, "cifar10", data=folder, batch_size=16)
    assert result.n == 45
    assert result.correct1 == int((scores.argmax(1) == targets).sum())
    assert result.correct5 == int((scores.topk(5).indices == targets[:, None]).sum())
    assert result.loss == pytest.approx(float(nn.functional.cross_entropy(scores, targets)), rel=1e-6)
    assert (result.top1, result.top5) == (100 * result.correct1 / 45, 100 * result.correct5 / 45)


def test_defaults_of_pytorch_change_no_figure(folder, set_defaults):
    model = Linear()
    expected = evaluate(model, "cifar10", data=folder)
    set_defaults()
    found = evaluate(model, "cifar10", data=folder)
    assert (found.loss, found.correct1, found.correct5) == (expected.loss, expected.correct1, expected.correct5)


def test_a_compiled_model_has_the_figures_and_the_identity_of_its_original(shared_dir):
    model = create_model("salunet_t_cifar.cifar10")
    own, compiled = (
        evaluate(one, "cifar10", data=shared_dir / "data" / "cifar10", limit=8)
        for one in (model, torch.compile(model, backend="eager"))
    )
    assert (compiled.loss, compiled.tag, compiled.sha256) == (own.loss, "salunet_t_cifar.cifar10", own.sha256)


@pytest.mark.parametrize("batch_size", [1, 7, 45, 100])
def test_counts_do_not_depend_on_the_batch_size(folder, batch_size):
    one, other = (evaluate(Linear(), "cifar10", data=folder, batch_size=size) for size in (16, batch_size))
    assert (one.n, one.correct1, one.correct5) == (other.n, other.correct1, other.correct5)
    assert one.loss == pytest.approx(other.loss, rel=1e-6)


def test_result_holds_what_is_needed_to_repeat_it(folder):
    result = evaluate(Linear(), "cifar10", data=folder, batch_size=16, limit=20)
    assert (result.model, result.tag, result.sha256, result.runtime) == ("Linear", None, None, {"kind": "torch"})
    assert (result.dataset, result.split, result.limit, result.n) == ("cifar10", "test", 20, 20)
    assert (result.precision, result.device, result.batch_size) == ("float32", "cpu", 16)
    assert (result.preprocess, result.images_per_process, result.command) == (PREPROCESS, (20,), None)
    assert len(result.source["files"][0]["sha256"]) == 64
    assert {"python", "torch", "timm", "pillow"} <= set(result.versions)
    assert result.seconds > 0
    assert EvalResult.from_dict(result.to_dict()) == result


def test_limit_is_spread_over_the_split(tmp_path):
    write_folders(tmp_path, CIFAR10_NAMES, per_class=3)
    seen = []

    def predict(batch):
        seen.append(batch)
        return torch.eye(10)

    result = evaluate(predict, "imagefolder", data=tmp_path, limit=10, preprocess=PREPROCESS)
    assert (result.correct1, result.split) == (10, None)
    assert seen[0].shape == (10, 3, 8, 8)


def test_training_flags_return(folder):
    model = Linear().train()
    model.head.eval()
    evaluate(model, "cifar10", data=folder, limit=4)
    assert (model.training, model.head.training) == (True, False)
    with pytest.raises(WeightsMismatchError):
        evaluate(Poisoned(0).train(), "cifar10", data=folder)
    assert model.training


def test_autocast_is_asked_for_and_recorded(folder):
    exact, rounded = (evaluate(Linear(), "cifar10", data=folder, precision=p) for p in ("float32", "bfloat16"))
    assert rounded.precision == "bfloat16"
    assert exact.loss != rounded.loss
    assert exact.loss == pytest.approx(rounded.loss, rel=0.05)


def test_progress_counts_every_image(folder):
    from contextlib import contextmanager

    steps = []

    @contextmanager
    def bar(description, total):
        steps.append((description, total))
        yield steps.append

    evaluate(Linear(), "cifar10", data=folder, batch_size=16, progress=bar)
    assert steps == [("cifar10", 45), 16, 16, 13]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_scores_that_are_not_finite_name_the_batch(folder, value):
    with pytest.raises(WeightsMismatchError, match=r"1 of 16 images in batch 1 "):
        evaluate(Poisoned(1, value), "cifar10", data=folder, batch_size=16)


def test_wrong_number_of_classes(folder):
    with pytest.raises(ConfigurationError, match="Linear has 7 classes, dataset cifar10 has 10"):
        evaluate(Linear(7), "cifar10", data=folder)


def test_labels_in_another_order(folder):
    evaluate(Linear(labels=CIFAR10_NAMES), "cifar10", data=folder, limit=2)
    with pytest.raises(ConfigurationError, match="number their classes differently: 'truck' is 0"):
        evaluate(Linear(labels=CIFAR10_NAMES[::-1]), "cifar10", data=folder)


def test_wrong_image_size_and_channels(folder):
    with pytest.raises(ShapeError, match=r"does not run on a batch of shape \(45, 3, 12, 12\)"):
        evaluate(Linear(), "cifar10", data=folder, img_size=12)
    grey = nn.Sequential(nn.Conv2d(1, 10, 8), nn.Flatten())
    with pytest.raises(ShapeError, match=r"takes images of 1 channel\(s\); got 3"):
        evaluate(grey, "cifar10", data=folder, preprocess=PREPROCESS)


@pytest.mark.parametrize("name", ["OutOfMemoryError", "AcceleratorError"])
def test_a_failing_device_is_not_blamed_on_the_input(folder, name):
    kind = getattr(torch, name, None)
    if kind is None:
        pytest.skip(f"this torch has no {name}")

    def predict(batch):
        error = kind.__new__(kind, "the device is gone")  # the second kind is raised from C++ only
        raise error

    with pytest.raises(kind):
        evaluate(predict, "cifar10", data=folder, preprocess=PREPROCESS)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_damaged_image_is_one_error_without_a_traceback(tmp_path, workers):
    write_folders(tmp_path, CIFAR10_NAMES, per_class=1)
    (tmp_path / "bird" / "0.png").write_bytes(b"not an image")
    with pytest.raises(DataNotFoundError, match=r"bird/0\.png is no image") as caught:
        evaluate(Linear(), "imagefolder", data=tmp_path, workers=workers)
    assert "Traceback" not in str(caught.value)


def test_output_that_is_no_table_of_scores(folder):
    with pytest.raises(ShapeError, match=r"Identity returned \(45, 3, 8, 8\)"):
        evaluate(nn.Identity(), "cifar10", data=folder, preprocess=PREPROCESS)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"batch_size": 0}, ConfigurationError, "batch_size is 0"),
        ({"limit": 46}, ConfigurationError, "has 45 images"),
        ({"workers": -1}, ConfigurationError, "workers is -1"),
        ({"precision": "float64"}, ConfigurationError, "Unknown precision 'float64'"),
        ({"device": "npu2"}, ConfigurationError, "Unknown device 'npu2'"),
        ({"device": "meta"}, ConfigurationError, "Cannot compute on device 'meta'; choose cpu, cuda, cuda:N or mps"),
        ({"device": "cuda:99"}, ConfigurationError, "Asked for device 'cuda:99', found"),
        ({"split": "valid"}, UnknownNameError, "split of cifar10 'valid'"),
        ({"data": "no/such/folder"}, DataNotFoundError, "does not exist"),
    ],
)
def test_bad_arguments(folder, options, error, message):
    with pytest.raises(error, match=message):
        evaluate(Linear(), "cifar10", **({"data": folder} | options))


def test_a_mistyped_model_is_told_before_the_dataset_is_looked_for(monkeypatch):
    monkeypatch.setattr(
        "zoo.evaluation.image_evaluation.load_vision", lambda *args: pytest.fail("the dataset was opened")
    )
    with pytest.raises(UnknownNameError, match=r"'salunet_c81_cifar'.*salunet_c18_cifar"):
        evaluate("salunet_c81_cifar.cifar10", "cifar10", device="cpu")


def test_a_mistyped_dataset_is_told_before_the_model_is_loaded():
    with pytest.raises(UnknownNameError, match="dataset 'cifar11'"):
        evaluate("salunet_c81_cifar.cifar10", "cifar11", device="cpu")


def test_result_refuses_edited_figures(folder):
    values = evaluate(Linear(), "cifar10", data=folder, limit=5).to_dict()
    with pytest.raises(ConfigurationError, match="top1 do not follow"):
        EvalResult.from_dict(values | {"top1": 99.0})
    with pytest.raises(ConfigurationError, match="unknown fields: mood"):
        EvalResult.from_dict(values | {"mood": "good"})
    with pytest.raises(ConfigurationError, match="n is 0, not greater than 0"):
        EvalResult.from_dict(values | {"n": 0})


def test_real_cifar10(shared_dir):
    preprocess = PREPROCESS.for_size(32)
    result = evaluate(Linear(preprocess=preprocess), "cifar10", data=shared_dir / "data" / "cifar10", limit=200)
    assert result.n == 200
    assert result.correct1 < result.correct5 < 200


def test_real_pipeline_with_a_published_model(shared_dir):
    """Label order, transform and weights together: EfficientNet-Lite0 is right on most of the ImageNet sample."""
    import timm
    from safetensors.torch import load_file

    model = timm.create_model("tf_efficientnet_lite0")
    state = load_file(shared_dir / "data" / "weights" / "tf_efficientnet_lite0.safetensors")
    model.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in state.items()})
    result = evaluate(model, "imagenet-1k", data=shared_dir / "data" / "imagenet_sample", limit=16)
    assert result.correct1 >= 13
    assert result.correct5 >= 14


def test_folders_that_are_some_of_the_models_classes(tmp_path):
    names = ("dog", "bird", "ship")
    write_folders(tmp_path, names, per_class=2)
    model = Linear(labels=CIFAR10_NAMES).eval()
    result = evaluate(model, "imagefolder", data=tmp_path)
    numbers = {name: CIFAR10_NAMES.index(name) for name in names}
    assert result.source["classes"] == numbers
    right = 0
    for name, number in numbers.items():
        for file in (tmp_path / name).iterdir():
            right += int(model(PREPROCESS(Image.open(file))[None]).argmax()) == number
    assert (result.n, result.correct1) == (6, right)


def test_a_class_map_by_name_and_number(tmp_path):
    write_folders(tmp_path, ("hund", "vogel"), per_class=2)
    model = Linear(labels=CIFAR10_NAMES)
    with pytest.raises(ConfigurationError, match="'hund' of imagefolder is 'hund', which is none"):
        evaluate(model, "imagefolder", data=tmp_path)
    result = evaluate(model, "imagefolder", data=tmp_path, classes={"hund": "dog", "vogel": 2})
    assert result.source["classes"] == {"hund": CIFAR10_NAMES.index("dog"), "vogel": 2}
    for wrong, message in (({"hund": "dog"}, "does not say what 'vogel'"), ({"hund": 10, "vogel": 2}, "is 10, which")):
        with pytest.raises(ConfigurationError, match=message):
            evaluate(model, "imagefolder", data=tmp_path, classes=wrong)
    with pytest.raises(ConfigurationError, match="needs names on both sides"):
        evaluate(Linear(), "imagefolder", data=tmp_path, classes={"hund": 0, "vogel": 1})


def test_a_name_that_two_classes_share_names_neither(tmp_path):
    write_folders(tmp_path, ("crane", "dog"), per_class=1)
    model = Linear(labels=("crane", "dog", "Crane, machine", *"abcdefg"))
    assert evaluate(model, "imagefolder", data=tmp_path).source["classes"] == {"crane": 0, "dog": 1}
    model = Linear(labels=("crane, bird", "dog", "crane, machine", *"abcdefg"))
    with pytest.raises(ConfigurationError, match="'crane' of imagefolder is 'crane', which is none"):
        evaluate(model, "imagefolder", data=tmp_path)


@pytest.mark.parametrize("workers", [0, 1])
def test_unreadable_images_are_left_out_if_asked_for_and_listed(tmp_path, workers):
    write_folders(tmp_path, CIFAR10_NAMES, per_class=2)
    whole = (tmp_path / "cat/0.png").read_bytes()
    (tmp_path / "bird/0.png").write_bytes(b"not an image")
    (tmp_path / "cat/0.png").write_bytes(whole[: len(whole) // 2])
    result = evaluate(Linear(), "imagefolder", data=tmp_path, skip_unreadable=True, workers=workers)
    assert result.n == 18
    assert [reason.split()[0].split("/")[-2:] for reason in result.source["skipped"]] == [
        ["bird", "0.png"],
        ["cat", "0.png"],
    ]
    for file in tmp_path.glob("*/*.png"):
        file.write_bytes(b"")
    with pytest.raises(DataNotFoundError, match="None of the 20 images"):
        evaluate(Linear(), "imagefolder", data=tmp_path, skip_unreadable=True)
