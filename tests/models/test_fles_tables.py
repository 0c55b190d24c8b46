"""Parameters and multiply-adds of every row of the FleS slides, to the printed digit."""

import re
from pathlib import Path

import pytest

from zoo.activations import list_gates
from zoo.activations.rivals.iieu import IIEU
from zoo.models import build_model

from .counting import multiply_adds, parameters
from .fles_tables import ABSENT, DIFFERENT, ROWS, UNPRINTED, Row
from .table_builds import build

# Millions with GELU (ReLU in ResNet-50) and with FleS, further digits: what the coefficient network was chosen to meet.
SPEC = {
    "fles_swin_min": (11.756, 13.00),
    "fles_swin_micro": (21.070, 23.52),
    "fles_swin_tiny": (28.288, 31.69),
    "fles_vit_base_patch16": (86.568, 97.37),
    "fles_poolformer_s12": (11.915, 13.84),
    "fles_resnet50": (25.557, 28.05),
}


QUICK = [pytest.param(row, id=str(row), marks=() if "fles" in row.act else pytest.mark.slow) for row in ROWS]


@pytest.mark.parametrize("row", QUICK)
def test_row_is_met(row: Row) -> None:
    model = build(row)
    found = f"{parameters(model) / 1e6:.1f}", None if row.flops is None else f"{multiply_adds(model, 224) / 1e9:.1f}"
    printed = row.parameters, row.flops
    if (row.label, row.model) in DIFFERENT:
        *known, why = DIFFERENT[row.label, row.model]
        assert found == tuple(known) != printed, why
    else:
        assert found == printed


@pytest.mark.parametrize("name", SPEC)
def test_spec_is_met(name: str) -> None:
    base, fles = SPEC[name]
    plain = build_model(name, act="relu" if name == "fles_resnet50" else "gelu", device="meta")
    assert parameters(plain) / 1e6 == pytest.approx(base, abs=5e-4)
    assert parameters(build_model(name, device="meta")) / 1e6 == pytest.approx(fles, abs=6e-3)


def test_differences_are_of_rows_that_are_there() -> None:
    assert set(DIFFERENT) <= {(row.label, row.model) for row in ROWS}


def test_what_is_left_out_is_not_in_the_zoo() -> None:
    assert not {label.lower() for label, *_ in ABSENT} & set(list_gates())
    assert {label.lower() for label, _ in UNPRINTED} <= set(list_gates())


def test_iieu_behind_every_convolution_of_a_block() -> None:
    """ResNet-50's printed 25.6 M: three numbers a channel behind every convolution, the shortcuts' too."""
    blocks = [(64, 3), (128, 4), (256, 6), (512, 3)]
    channels = sum(n * 6 * width + 4 * width for width, n in blocks)
    assert parameters(IIEU(7)) == 3 * 7
    assert f"{25.557 + 3 * channels / 1e6:.1f}" == next(row[2] for row in ABSENT if row[1] == "fles_resnet50")


def test_rows_are_those_of_the_slides(shared_dir: Path) -> None:
    """Each label and its figures stand in one line of the slides, and no figures there were overlooked."""
    slides = shared_dir / "papers/fles_slides.txt"
    if not slides.is_file():
        pytest.skip(f"needs {slides}")
    lines = slides.read_text("utf-8").splitlines()
    rows = [(row.label, row.parameters, row.flops) for row in ROWS]
    for label, millions, billions in rows + [(label, *figures) for label, _, *figures in ABSENT]:
        figures = f"{millions}M\t{billions}G" if billions else f"{millions}M\tN/A"
        assert any(label in line and figures in line for line in lines), (label, figures)
    twice = 2  # table 4 has GELU and FleS on both its sides
    assert sum(len(re.findall(r"\d\.\dM\t", line)) for line in lines) == len(ROWS) + len(ABSENT) + twice
