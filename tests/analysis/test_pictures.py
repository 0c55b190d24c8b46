"""The pictures show what was found: every layer, every stage, and what was not measured is not drawn."""

import pytest

from tests.analysis.nets import batches, tiny_resnet
from zoo.analysis.findings import look_into
from zoo.analysis.plot_curves import draw_curves, plot_curves
from zoo.analysis.plot_dynamics import (
    draw_bounds,
    draw_depth,
    draw_variance_maps,
    plot_bounds,
    plot_depth,
    plot_variance_maps,
)
from zoo.analysis.plot_representation import draw_representation, plot_representation
from zoo.errors import ConfigurationError
from zoo.plots import drawing, short_names, svg_of


@pytest.fixture(scope="module")
def found():
    return look_into(tiny_resnet(), (3, 32, 32), 4.0, lambda: batches(2), bound=False)


def visible(figure):
    return [axis for axis in figure.axes if axis.get_visible()]


def labelled(axis):
    return axis.get_legend_handles_labels()[1]


def test_curves_have_a_panel_for_each_kind_and_stage(found):
    with drawing():
        panels = visible(draw_curves(found.geometry, found.signals))
    titles = [panel.get_title(loc="left") for panel in panels]
    assert titles[:6] == [f"SALU, {stage}" for stage in ("Stem", "L1", "L2", "L3", "L4", "Downsampling")]
    assert titles[6:] == [f"SWALU, {stage}" for stage in ("Stem", "L1", "L2", "L3", "L4")]
    assert labelled(panels[1]) == ["bn1", "bn2"]
    # The start, and each curve twice: over the inputs it met, and beyond.
    assert len(panels[1].lines) == 5
    low, high = next((s.low, s.high) for s in found.signals if s.layer == "layer1.0.bn1")
    x = panels[1].lines[2].get_xdata()
    assert low <= x[0] < x[-1] <= high


def test_bounds_show_measurements_only_where_there_are_some(found):
    weights = look_into(tiny_resnet(), (3, 32, 32), 4.0, bound=False)
    with drawing():
        measured, told = (visible(draw_bounds(f.bounds))[0] for f in (found, weights))
    assert labelled(measured) == [
        "paper's bound", "largest slope possible", "largest slope measured", "gain measured"
    ]  # fmt: skip
    assert labelled(told) == ["paper's bound", "largest slope possible"]
    assert all(len(line.get_xdata()) == 22 for line in measured.lines[:4])


def test_maps_mark_their_fixed_points(found):
    maps = found.propagation.maps
    with drawing():
        panels = visible(draw_variance_maps(found.geometry, maps))
    assert [p.get_title(loc="left") for p in panels] == ["Stem", "L1", "L2", "L3", "L4", "Downsampling"]
    points = [line for panel in panels for line in panel.lines if line.get_marker() == "o"]
    inside = [m for m in maps if 1e-3 < m.fixed_point < 1e3]
    assert sorted(float(p.get_xdata()[0]) for p in points) == pytest.approx(sorted(m.fixed_point for m in inside))


def test_depth_shows_what_was_measured_and_predicted(found):
    with drawing():
        axis = visible(draw_depth(found.geometry, found.signals, found.propagation.arrivals))[0]
    assert "measured" in labelled(axis)
    assert len(axis.lines[0].get_xdata()) == 22


def test_representation_has_a_line_for_each_network(found):
    with drawing():
        panels = visible(draw_representation({"ours": found.representation, "theirs": found.representation[:-1]}))
    assert len(panels) == 6
    assert labelled(panels[0]) == ["ours", "theirs"]
    assert [t.get_text() for t in panels[0].get_xticklabels()] == ["Stem", "L1", "L2", "L3", "L4", "Features"]
    assert list(panels[0].lines[0].get_ydata()) == [r.effective_rank for r in found.representation]


def test_nothing_is_no_picture(found, tmp_path):
    file = tmp_path / "none.png"
    with pytest.raises(ConfigurationError, match="no layer"):
        plot_curves([], file)
    with pytest.raises(ConfigurationError, match="no layer"):
        plot_bounds([], file)
    with pytest.raises(ConfigurationError, match="no map"):
        plot_variance_maps(found.geometry, [], file)
    with pytest.raises(ConfigurationError, match="no signal"):
        plot_depth(found.geometry, [], [], file)
    with pytest.raises(ConfigurationError, match="no stage"):
        plot_representation({"ours": []}, file)
    assert not file.exists()


def test_a_drawing_inside_a_page_takes_its_ink_from_the_page():
    from zoo.plots import INK, new_figure

    with drawing():
        figure = new_figure(2, 2)
        figure.subplots().plot([0, 1], [1, 0])
        text = svg_of(figure, "one")
    assert text.startswith("<svg")
    assert INK not in text
    assert "currentColor" in text
    assert 'id="one-' in text


def test_names_are_as_short_as_they_stay_different():
    assert list(short_names(["layer1.0.bn1", "layer1.0.bn2", "layer1.1.bn1"]).values()) == ["0.bn1", "0.bn2", "1.bn1"]
    assert list(short_names(["layer2.0.downsample.1", "layer3.0.downsample.1"]).values()) == ["layer2", "layer3"]
    assert list(short_names(["stages.0.blocks.0.mlp.act", "stages.0.blocks.1.mlp.act"]).values()) == [
        "blocks.0", "blocks.1"
    ]  # fmt: skip
    assert short_names(["norm"]) == {"norm": "norm"}
