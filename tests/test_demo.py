"""The demo: its images are what their README says, its picture shows right and wrong, and all of it runs."""

import hashlib
import json
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny_images import write_cifar10

from demo import demo
from zoo.data import Preprocess, load_vision

PARQUET = demo.SAMPLE / "plain_text/test-00000-of-00001.parquet"


class Whitest:
    """Answers class 0 for the brighter images and class 1 for the others: some right, most wrong."""

    preprocess = Preprocess((3, 32, 32), "bicubic", 1.0, "center", (0.5,) * 3, (0.5,) * 3)

    def __call__(self, batch: torch.Tensor) -> torch.Tensor:
        bright = batch.mean(dim=(1, 2, 3)) > 0
        return torch.nn.functional.one_hot((~bright).long(), 10).float() * 5


def test_sample_is_the_file_its_readme_describes() -> None:
    readme = (demo.SAMPLE / "README.md").read_text("utf-8")
    assert hashlib.sha256(PARQUET.read_bytes()).hexdigest() in readme
    assert f"{PARQUET.stat().st_size:,} bytes" in readme


def test_sample_has_fifty_lossless_images_of_each_class() -> None:
    images = load_vision("cifar10", data=demo.SAMPLE)
    assert Counter(label for _, label in images) == dict.fromkeys(range(10), 50)
    assert {image.size for image, _ in images} == {(32, 32)}
    assert len(images.labels) == 10


def test_sample_is_the_first_fifty_of_each_class(shared_dir: Path) -> None:
    everything = load_vision("cifar10", "test", shared_dir / "data/cifar10")
    sample = load_vision("cifar10", data=demo.SAMPLE)
    rows = sorted(demo.first_of_each_class([everything[i][1] for i in range(700)], 50))
    readme = (demo.SAMPLE / "README.md").read_text("utf-8")
    assert re.search(rf"row {rows[0]} first and row {rows[-1]} last", readme)
    assert all(everything[row][0].tobytes() == image.tobytes() for row, (image, _) in zip(rows, sample, strict=True))


def test_first_of_each_class() -> None:
    assert demo.first_of_each_class([1, 0, 1, 0, 1], 2) == [1, 3, 0, 2]


def test_picture_is_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from PIL import Image

    monkeypatch.setattr(demo, "PER_CLASS", 2)
    images = load_vision("cifar10", data=demo.SAMPLE)
    path = demo.draw(Whitest(), images, tmp_path / "grid.png")
    with Image.open(path) as picture:
        crimson = sum(count for count, colour in picture.convert("RGB").getcolors(10**7) if colour == (220, 20, 60))
        assert picture.width >= 1000
    assert crimson > 5_000, "wrong answers are not marked"


def test_a_missing_model_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"The demo stopped: .*no_such_model"):
        demo.main(["--model", "no_such_model.cifar10", "--output", str(tmp_path)])
    assert not list(tmp_path.iterdir())


def write_random_card(folder: Path, model: str) -> Path:
    from zoo.cards.card import write_card
    from zoo.models import build_model
    from zoo.weights.tag import PretrainedTag

    torch.manual_seed(0)
    built = build_model(model)
    labels = load_vision("cifar10", data=demo.SAMPLE).labels
    tag = PretrainedTag(model, "random", 10, Preprocess.of(built), labels=labels)
    write_card(folder, built.state_dict(), tag)
    return folder


def check_output(result: dict, shown: str, images: int) -> None:
    assert result["pytorch"]["n"] == images
    assert result["pytorch"]["correct1"] == result["onnxruntime"]["correct1"]
    parity = result["export"]["parity"]
    assert parity["passed"]
    assert parity["samples"] == f"{min(images, 64)} images of cifar10 (test)"
    assert result["latency"]["torch"]["p50_ms"] > 0
    assert Path(result["picture"]).is_file()
    for row in ("PyTorch", "Top-1", "images right", "loss", "one image, p50", "one image, p90"):
        assert row in shown
    assert f"{min(images, 64)} of {min(images, 64)}" in next(s for s in shown.splitlines() if "same first class" in s)
    assert f"{parity['max_rel_images']:.1e}" in next(s for s in shown.splitlines() if "largest difference" in s)


def test_all_of_it_on_a_tiny_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """SaluNet-T-CIFAR with one block of width 8, on twenty made-up images."""
    from zoo.models import MODELS

    spec = MODELS.get("salunet_t_cifar")
    small = {"embed_dim": 8, "depth": 1, "num_heads": 2}
    monkeypatch.setitem(MODELS._items, "tiny_t", replace(spec, name="tiny_t", numbers={**spec.numbers, **small}))
    monkeypatch.setattr(demo, "PER_CLASS", 1)
    card, out = write_random_card(tmp_path / "card", "tiny_t"), tmp_path / "out"
    data = write_cifar10(tmp_path / "data", 20, size=32)
    demo.main(["--model", str(card), "--output", str(out), "--data", str(data)])
    check_output(json.loads((out / "result.json").read_text("utf-8")), capsys.readouterr().out, 20)
    names = ["card.portable.onnx", "card.portable.onnx.parity.json", "predictions.png", "result.json"]
    assert sorted(path.name for path in out.iterdir()) == names


@pytest.mark.slow
def test_the_whole_demo_on_random_weights(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    card = write_random_card(tmp_path / "card", "salunet_c18_cifar")
    demo.main(["--model", str(card), "--output", str(tmp_path / "out")])
    check_output(json.loads((tmp_path / "out/result.json").read_text("utf-8")), capsys.readouterr().out, 500)
