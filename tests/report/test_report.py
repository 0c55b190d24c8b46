"""The report as a whole: what is in it, what is not, and how it is written."""

import json
import re
from dataclasses import replace

import pytest

from tests.report.conftest import FLES
from zoo.errors import ConfigurationError, OutputError, UnknownNameError, WeightsNotFoundError
from zoo.report import analyze, write_report
from zoo.report.analysed_model import open_subject
from zoo.report.cells import NONE, Table, groups, number
from zoo.report.facts import facts
from zoo.report.sections import sections, texts


def keys(analysis):
    return [section.key for section in sections(analysis)]


def test_a_network_and_its_baseline_are_looked_into_with_the_same_images(compared):
    found, other = compared.findings, compared.baseline_findings
    assert keys(compared) == ["geometry", "curves", "representation", "bounds", "variance-map", "depth"]
    assert (compared.subject.norm, compared.baseline.norm, compared.baseline.act) == ("salu", "layernorm", "gelu")
    assert [r.stage for r in found.representation] == [r.stage for r in other.representation]
    assert [r.samples for r in found.representation] == [r.samples for r in other.representation]
    assert found.input_moment == other.input_moment
    assert found.representation[-1].effective_rank != other.representation[-1].effective_rank
    assert not other.geometry
    assert any("no SALU" in note for note in compared.notes)
    assert all(bound.holds and bound.peak is not None for bound in found.bounds)
    assert (compared.images.count, compared.images.available) == (2, 500)


def test_weights_alone_say_what_they_can_and_the_rest_is_left_out(weights_only):
    assert keys(weights_only) == ["geometry", "curves", "bounds", "variance-map"]
    found = weights_only.findings
    assert (found.signals, found.representation, found.network_gains, found.input_moment) == ((), (), (), None)
    assert any("weights alone" in note for note in weights_only.notes)
    assert weights_only.subject.num_classes == 7
    bounds = next(section for section in sections(weights_only) if section.key == "bounds")
    # What was not measured has no column of dashes.
    assert "measured" not in " ".join(bounds.tables[0].head)
    assert dict(facts(weights_only))["Images"].startswith("none")


def test_the_seed_of_fresh_weights_counts_and_leaves_torchs_own_alone():
    import torch

    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    first, again, other = (
        open_subject(f"fresh:fles_poolformer_cifar,seed={seed}")[0].state_dict()["stem.conv.weight"].tolist()
        for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other
    assert torch.equal(torch.rand(1), expected)


def test_published_weights_with_fles_show_their_coefficients(coefficients):
    assert keys(coefficients) == ["curves", "coefficients", "representation", "bounds"]
    assert coefficients.images.dataset == "cifar10"  # what the card says they were trained on
    assert len(coefficients.subject.sha256) == 64
    rows = next(section for section in sections(coefficients) if section.key == "coefficients").tables[0].rows
    assert len(rows) == 2 * len(coefficients.findings.coefficients) == 12


def test_everything_is_json_and_complete(compared, coefficients, weights_only):
    for analysis in (compared, coefficients, weights_only):
        values = json.loads(json.dumps(analysis.to_dict(), allow_nan=False))
        assert values["format"] == 1
        assert values["about"]["command"].startswith("zoo analyze ")
        assert (values["baseline"] is None) == (analysis.baseline is None)
        assert len(values["findings"]["geometry"]) == len(analysis.findings.geometry)
    assert compared.to_dict()["baseline"]["findings"]["representation"][0]["effective_rank"] > 0


def test_the_page_needs_nothing_but_itself(coefficients, tmp_path):
    written = write_report(coefficients, tmp_path / "out")
    names = {file.name for file in written}
    assert names == {"analysis.json", "curves.png", "coefficients.png", "representation.png", "report.html"}
    assert {file.name for file in (tmp_path / "out").iterdir()} == names
    page = (tmp_path / "out" / "report.html").read_text("utf-8")
    assert page.count("<svg") == 3
    # No address is fetched: only SVG's own names of its languages look like one.
    linked = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert linked
    assert all(link.startswith("#") for link in linked)
    assert not re.search(r"@import|url\((?!#)|<script|<link", page)
    identifiers = re.findall(r'\bid="([^"]+)"', page)
    assert len(identifiers) == len(set(identifiers))
    targets = [link[1:] for link in linked]
    assert set(targets) <= set(identifiers)
    assert "prefers-color-scheme: dark" in page
    assert coefficients.about["command"] in page


def test_names_cannot_put_anything_into_the_page(weights_only):
    from zoo.report.html_page import render_page

    odd = replace(weights_only, subject=replace(weights_only.subject, name="<script>alert(1)</script>"))
    page = render_page(odd, [], {})
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_files_are_written_together_or_not_at_all(coefficients, tmp_path):
    few = replace(coefficients, findings=replace(coefficients.findings, representation=()))
    (tmp_path / "coefficients.png").mkdir()
    with pytest.raises(OutputError, match=r"coefficients\.png"):
        write_report(few, tmp_path, page=False)
    assert [file.name for file in tmp_path.iterdir()] == ["coefficients.png"]


@pytest.mark.parametrize(
    ("model", "options", "error", "message"),
    [
        ("fles_minilm_l6.sst2", {}, ConfigurationError, "takes texts"),
        ("fresh", {}, ConfigurationError, "does not say which"),
        ("fresh:salunet_t_cifar,width=3", {}, ConfigurationError, "width"),
        ("fresh:salunet_t_cifar,seed=x", {}, ConfigurationError, "whole numbers"),
        ("fresh:fles_minilm_l6", {}, ConfigurationError, "takes texts"),
        ("fresh:salunet_t_cifra", {}, UnknownNameError, "salunet_t_cifar"),
        ("salunet_c101.imagenet", {}, WeightsNotFoundError, "No pretrained weights"),
        ("fresh:salunet_t_cifar", {"data": "x"}, ConfigurationError, "--dataset"),
        ("fresh:salunet_t_cifar", {"batch_size": 0}, ConfigurationError, "batch_size=0"),
        (FLES, {"images": 1, "dataset": "cifar10"}, ConfigurationError, "images=1"),
        (FLES, {"baseline": "fresh:salunet_t_tiny"}, ConfigurationError, "same input size"),
    ],
)
def test_what_cannot_be_done_is_said(model, options, error, message):
    from zoo.errors import ShapeError

    with pytest.raises((error, ShapeError), match=message):
        analyze(model, **options)


def test_cells():
    assert [number(v) for v in (None, 0.0, 1.0, 0.0123456, 1234.5, 12.34, 1.5e-7, 2e17, -0.5)] == [
        NONE, "0.00", "1.00", "0.0123", "1234", "12.3", "1.50e-07", "2.00e+17", "-0.500"
    ]  # fmt: skip
    table = Table("c", ("a", "b"), (("1", NONE), ("2", NONE))).trimmed()
    assert (table.head, table.rows) == (("a",), (("1",), ("2",)))
    order = [("SWALU", "Downsampling"), ("SWALU", "L1"), ("SALU", "L1"), ("SWALU", "L1")]
    assert groups(order) == [("SWALU", "L1"), ("SWALU", "Downsampling"), ("SALU", "L1")]


def test_every_section_has_its_words():
    words = texts()
    assert set(words) == {
        "geometry", "curves", "coefficients", "representation", "bounds", "variance-map", "depth", "glossary"
    }  # fmt: skip
    assert all({"title", "text", "picture"} <= set(part) for name, part in words.items() if name != "glossary")
