"""The pictures of cards: drawn from stored values, stamped with them, and not empty."""

import pytest
from PIL import Image

from zoo.analysis.classes import ClassCounts
from zoo.cards.pictures import check_stamp, draw_stamped, plot_curve
from zoo.cards.pictures.class_bars import plot_classes
from zoo.errors import ConfigurationError

from .cases import LABELS, RESULTS

LOG = RESULTS["training"]["log"]


def colors(path) -> int:
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        return len(picture.convert("RGB").getcolors(10**6))


def test_curve(tmp_path):
    plot_curve(LOG, tmp_path / "curve.png")
    assert colors(tmp_path / "curve.png") > 50
    plot_curve([{"epoch": 1, "train_loss": 2.0}], tmp_path / "loss_only.png")
    with pytest.raises(ConfigurationError, match="train_loss"):
        plot_curve([{"epoch": 1}], tmp_path / "none.png")
    assert not (tmp_path / "none.png").exists()


def test_a_baseline_is_a_line_of_its_own(tmp_path, monkeypatch):
    from matplotlib.figure import Figure

    drawn = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, file, **_: drawn.append(figure))
    plot_curve(LOG, tmp_path / "both.png", baselines={"BN + ReLU": LOG[:1]}, label="SaluNet")
    left, right = drawn[0].axes
    assert [line.get_label() for line in left.lines] == ["SaluNet", "BN + ReLU"]
    assert [list(line.get_ydata()) for line in left.lines] == [[2.0, 1.5], [2.0]]
    assert [line.get_label() for line in right.lines] == [
        "SaluNet", "SaluNet, averaged weights", "BN + ReLU", "BN + ReLU, averaged weights"
    ]  # fmt: skip
    with pytest.raises(ConfigurationError, match="BN"):
        plot_curve(LOG, tmp_path / "bad.png", baselines={"BN": [{"epoch": 1}]})


def test_few_classes_are_a_matrix_and_many_are_bars(tmp_path):
    few = ClassCounts.from_dict(RESULTS["evaluations"][0]["classes"])
    plot_classes(few, LABELS, tmp_path / "few.png")
    pairs = {(n, (n + k) % 40): 20 - k * (n % 5) for n in range(40) for k in range(3)}
    plot_classes(ClassCounts.of(pairs, 40), [], tmp_path / "many.png", "a title")
    sizes = []
    for name in ("few.png", "many.png"):
        assert colors(tmp_path / name) > 50
        with Image.open(tmp_path / name) as picture:
            sizes.append(picture.width / picture.height)
    assert sizes[0] < 1.4 < sizes[1]


def test_a_stamp_is_of_its_data(tmp_path):
    file = tmp_path / "x.png"
    draw_stamped(file, {"b": [1.5, None], "a": "é"}, lambda path: Image.new("RGB", (3, 2), "red").save(path))
    assert check_stamp(file, {"a": "é", "b": [1.5, None]})
    assert not check_stamp(file, {"a": "é", "b": [1.5, 0]})
    assert not check_stamp(tmp_path / "missing.png", {})
    (tmp_path / "text.png").write_text("no picture")
    assert not check_stamp(tmp_path / "text.png", {})
    with Image.open(file) as picture:
        assert (picture.size, picture.getpixel((2, 1))) == ((3, 2), (255, 0, 0))
