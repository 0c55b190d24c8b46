"""The parity check of texts: what it runs, what padding may not change, and the means of FleS that jump."""

import json
from itertools import takewhile
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from tiny_text_model import CUT, POSITIONS, VOCABULARY, CountsPadding, MixesTexts, Pooled, some_tokens, text_model
from torch import nn

import export.pipeline.steps
from export import ParityError, ParityReport, TextInputSpec
from export.digest import seal
from export.inputs.source import read_source
from export.parity.parity_check import check_parity
from export.parity.probes import EXTREME, TEXTS
from export.pipeline.export_plan import make_plan
from export.pipeline.job import Job
from export.runtime.session import open_session, run_session
from export.targets import get_target
from zoo.activations import FleS


@pytest.fixture(scope="module")
def report(text_exported):
    return text_exported.parity


def test_what_is_compared(report):
    assert report.samples == "40 English sentences and pairs of this package"
    assert [r.found.n for r in report.results if r.kind == TEXTS] == [1, 3, 8, 8, 8, 8, 4]
    extremes = {r.name: r for r in report.results if r.kind == EXTREME}
    assert {"one token", "160 tokens, the largest number", "one token padded to 128", "token 19 throughout"} <= set(
        extremes
    )
    assert {"an empty text", "unknown characters", "every other token masked"} <= set(extremes)
    assert extremes["companions of a text without a token"].found.n == 2
    assert report.worst("max_rel") <= 1e-5
    assert report.worst("max_rel_float64", TEXTS) <= 1e-5
    assert (report.kind, report.n_samples, report.top1_agreement, report.float64) == (TEXTS, 40, 1.0, "")


def test_padding_and_company_in_both_runtimes(report):
    found = {entry.name: entry for entry in report.invariance}
    assert list(found) == [
        *(f"padded by {more}" for more in (1, 8, 16, 32, 64, 128)),
        "padded to 160, the largest number",
        "padded with other tokens",
        "in a batch with other texts",
    ]
    shortest, longest = found["padded by 1"].lengths[0], found["padded by 64"].lengths[-1]
    assert shortest == (4, 5)
    assert longest == (CUT, CUT + 64)
    assert {width for _, width in found["padded to 160, the largest number"].lengths} == {POSITIONS}
    assert len(found["in a batch with other texts"].lengths) == 40
    assert len({width for _, width in found["in a batch with other texts"].lengths}) > 3
    assert max(report.largest_change()) <= 1e-5
    assert all(entry.allowed == 1e-5 and not entry.problems for entry in report.invariance)
    assert "padding and company change" in report.summary()


def test_report_comes_back(text_exported):
    stored = json.loads(text_exported.parity_path.read_text())
    assert (stored["n_texts"], stored["max_rel_texts"]) == (40, text_exported.parity.worst("max_rel", TEXTS))
    assert stored["max_change_onnxruntime"] == text_exported.parity.largest_change()[1]
    assert ParityReport.load(text_exported.parity_path) == text_exported.parity


def test_old_report_of_images_is_still_read(copy_of, exported):
    path = copy_of().with_name("tiny.onnx.parity.json")
    stored = json.loads(path.read_text())
    del stored["invariance"]
    for result in stored["results"]:
        del result["mean_gap"]
        result |= {"jumps": 0, "jump_rel": 0.0}
    path.write_text(json.dumps(stored))
    assert ParityReport.load(path) == exported.parity


def test_wrong_weight_is_located(text_exported):
    """The search for the first difference takes texts too."""
    model = onnx.load(text_exported.path)
    weight = next(t for t in model.graph.initializer if t.name.endswith("pooler.dense.weight"))
    values = onnx.numpy_helper.to_array(weight) * 0.5
    weight.CopyFrom(onnx.numpy_helper.from_array(values, weight.name))
    seal(model)
    target = get_target("portable")
    report = check_parity(read_source(text_model()), model.SerializeToString(), target, samples=["good"], threads=1)
    assert not report.passed
    assert "module model.bert.pooler.dense does not" in report.first_difference


def traced(model: nn.Module, spec: TextInputSpec) -> Job:
    """An export up to the parity check."""
    job = Job(source=read_source(model, input_spec=spec), target=get_target("portable"), path=Path("x.onnx"), threads=1)
    for step in takewhile(lambda step: step.name != "parity", make_plan(job).steps):
        step.run(job)
    return job


def checked(model: nn.Module, spec: TextInputSpec, file: bytes) -> ParityReport:
    return check_parity(read_source(model, input_spec=spec), file, get_target("portable"), threads=1)


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        (CountsPadding, r"padded by 64: PyTorch's logits of a text of \d+ tokens change by [\d.e-]+ of their size at "
                        r"length \d+, allowed 1e-05; ONNX Runtime's logits of a text of"),
        (MixesTexts, r"in a batch with other texts: PyTorch's logits of a text of"),
    ],
)  # fmt: skip
def test_model_that_depends_on_padding_or_company_is_refused(wrong, what):
    job = traced(wrong(), TextInputSpec(POSITIONS, VOCABULARY, text_model().text_preprocess))
    with pytest.raises(ParityError, match=what) as caught:
        export.pipeline.steps.parity(job)
    assert "nothing was written" in str(caught.value)
    assert all(not result.problems for result in job.parity.results)
    bad = [entry for entry in job.parity.invariance if entry.problems]
    assert max(entry.torch for entry in bad) >= 0.1
    assert len(job.parity.failures()) == len(bad)
    assert job.parity.summary().startswith(f"{len(bad)} of ")
    with pytest.raises(export.ExportError, match="has not passed parity"):
        export.pipeline.steps.write(job)


class Gated(Pooled):
    """FleS on embeddings; token 7 has exactly 0 in channel 0, all others a positive number."""

    def __init__(self):
        super().__init__()
        with torch.random.fork_rng(), torch.no_grad():
            torch.manual_seed(0)
            self.offset, self.act = nn.Parameter(torch.zeros(8)), FleS(8)
            for parameter in self.act.parameters():
                parameter.add_(0.3 * torch.randn(parameter.shape))
            self.embedding.weight[:, 0] = 0.5
            self.embedding.weight[7, 0] = 0.0

    def forward(self, input_ids, attention_mask, token_type_ids):
        gated = self.act(self.embedding(input_ids) + self.offset, attention_mask)
        return self.head((gated * attention_mask[:, :, None]).sum(1) / attention_mask.sum(1, keepdim=True))


@pytest.fixture(scope="module")
def gated(tmp_path_factory):
    spec = TextInputSpec(64, VOCABULARY)
    return spec, export.export(Gated(), tmp_path_factory.mktemp("gated") / "g.onnx", input_spec=spec, threads=1)


def test_module_from_outside(gated):
    """Anything that takes the three inputs by name; no tokenizer, so made-up tokens."""
    _, result = gated
    assert result.parity.passed
    assert result.parity.samples == "12 seeded texts of made-up tokens (the model came without a tokenizer)"
    predictor = export.load_predictor(result.path, threads=1)
    assert predictor.preprocess is None
    assert predictor.metadata.preprocess == {"kind": "tokens"}
    assert predictor(some_tokens(2, 5)).shape == (2, 2)


def shifted(file: bytes, by: float) -> bytes:
    """The file with another offset in channel 0."""
    model = onnx.load_from_string(file)
    offset = next(t for t in model.graph.initializer if t.name.endswith("offset"))
    values = onnx.numpy_helper.to_array(offset).copy()
    values[0] = by
    offset.CopyFrom(onnx.numpy_helper.from_array(values, offset.name))
    seal(model)
    return model.SerializeToString()


def test_element_next_to_zero_is_no_difference(gated):
    """A file that sees -1e-9 where PyTorch sees 0 counts one element less; nothing else differs."""
    spec, file = gated[0], shifted(gated[1].path.read_bytes(), -1e-9)
    report = checked(Gated(), spec, file)
    assert report.passed
    assert report.worst("max_rel") <= 1e-5
    assert max(result.mean_gap for result in report.results) <= 1e-6
    feeds = {name: value.numpy() for name, value in some_tokens(8, 12).items()}
    one, other = (run_session(open_session(f, threads=1), feeds)[0] for f in (gated[1].path, file))
    assert np.abs(one - other).max() > 1e-3 * np.abs(one).max(), "the mean did not jump"


@pytest.mark.parametrize("by", [1e-3, -1e-2])
def test_element_that_is_not_next_to_zero_is_a_difference(gated, by):
    spec, file = gated[0], gated[1].path.read_bytes()
    report = checked(Gated(), spec, shifted(file, by))
    assert not report.passed
    assert any("the mean of FleS in model.act is" in failure for failure in report.failures())
