"""Probes, figures, verdicts and reports."""

import json
import math

import numpy as np
import onnx_ir as ir
import pytest
import torch
from PIL import Image
from tiny_model import SIZE, Tiny, tiny

from export import OnnxFileError, ParityReport
from export.parity.compare import compare, failures
from export.parity.locate import first_difference
from export.parity.probes import (
    EXTREME,
    IMAGES,
    extreme_probes,
    image_probes,
    load_samples,
    seeded_images,
)
from export.parity.run import check_parity
from export.parity.tolerances import TOLERANCES
from export.source import read_source
from export.targets import TARGETS, get_target
from zoo.errors import DataNotFoundError, ShapeError

STRICT, EDGE = TOLERANCES["float32", IMAGES], TOLERANCES["float32", EXTREME]


def test_figures_of_a_known_pair():
    reference = torch.tensor([[4.0, 1.0], [0.0, -2.0]])
    found = compare(reference, torch.tensor([[4.0, 1.0], [0.5, -2.0]]), reference.double())
    assert (found.n, found.max_abs, found.max_rel) == (2, 0.5, 0.25)
    assert found.cosine == pytest.approx(2 / math.sqrt(4.25))
    assert (found.max_rel_float64, found.own_rel_float64) == (0.25, 0.0)
    assert (found.top1_changed, found.new_nans, found.undefined) == (0, 0, 0)


def test_verdicts():
    reference = torch.tensor([[1.0, 1.0 - 5e-6]])
    same = compare(reference, reference)
    assert failures(same, STRICT) == ()
    assert (same.max_rel, same.cosine) == (0.0, pytest.approx(1.0))
    flipped = compare(reference, reference.flip(1))
    assert failures(flipped, STRICT) == ("another first class on 1 of 1 images",)
    assert failures(flipped, EDGE) == ()
    assert "relative difference 2.00e-05" in failures(compare(reference, reference + 2e-5), STRICT)[0]


def test_nan_of_the_runtime_alone_always_fails():
    reference = torch.tensor([[1.0, 2.0]])
    found = compare(reference, torch.tensor([[float("nan"), 2.0]]))
    assert found.new_nans == 1
    assert len(failures(found, EDGE)) == 2
    assert found.max_rel == math.inf
    assert failures(compare(reference, torch.tensor([[math.inf, 2.0]])), EDGE)


def test_what_torch_leaves_undefined_is_not_judged():
    reference = torch.tensor([[float("nan"), math.inf, 2.0]])
    found = compare(reference, torch.tensor([[1.0, 1.0, 2.0]]))
    assert (found.undefined, found.new_nans, found.max_rel) == (2, 0, 0.0)
    assert failures(compare(reference, torch.tensor([[1.0, float("nan"), 2.0]])), EDGE)


def test_ill_conditioned_extremes_are_judged_by_torch_own_error():
    exact = torch.tensor([[1.0]], dtype=torch.float64)
    found = compare(torch.tensor([[1.0 + 1e-3]]), torch.tensor([[1.0 - 1e-3]]), exact)
    assert failures(found, EDGE) == ()
    assert failures(found, STRICT)


def test_zero_and_denormal_logits_are_comparable():
    zero = torch.zeros(1, 3)
    assert failures(compare(zero, zero), STRICT) == ()
    assert compare(zero, zero).cosine == 1.0
    assert failures(compare(zero + 1e-40, zero), STRICT) == ()


def test_every_target_has_its_tolerances_with_a_reason():
    for name in TARGETS:
        for kind in (IMAGES, EXTREME):
            assert len(TOLERANCES[get_target(name).precision, kind].reason) > 40


@pytest.mark.parametrize(("n", "sizes"), [(1, [1, 3, 8]), (12, [1, 3, 8]), (13, [1, 3, 8, 1]), (28, [1, 3, 8, 8, 8])])
def test_batches(n, sizes):
    images = torch.arange(n).view(n, 1, 1, 1).float()
    probes = image_probes(images)
    assert [len(probe.batch) for probe in probes] == sizes
    assert set(torch.cat([p.batch for p in probes]).flatten().tolist()) == set(range(n))


def test_extremes_are_finite_and_reach_the_edges(preprocess):
    probes = {probe.name: probe.batch for probe in extreme_probes(preprocess)}
    assert all(batch.shape == (1, *SIZE) and batch.isfinite().all() for batch in probes.values())
    everything = torch.cat(list(probes.values()))
    assert everything.max() == torch.finfo(torch.float32).max
    assert everything.min() == -torch.finfo(torch.float32).max
    assert 0 < probes["denormal"].max() < torch.finfo(torch.float32).tiny
    assert probes["white"][0, 0, 0, 0] == pytest.approx((1 - 0.5) / 0.2)
    assert probes["one-hot"].count_nonzero() == 1


def test_synthetic_images_repeat_and_look_like_photographs(preprocess):
    images = seeded_images(preprocess.for_size(32), 4)
    assert torch.equal(images, seeded_images(preprocess.for_size(32), 4))
    pixels = images * torch.tensor(preprocess.std).view(3, 1, 1) + torch.tensor(preprocess.mean).view(3, 1, 1)
    assert pixels.min() >= -1e-6
    assert pixels.max() <= 1 + 1e-6
    order = torch.randperm(32, generator=torch.Generator().manual_seed(0))
    steps, shuffled = (p.diff(dim=-1).abs().mean() for p in (pixels, pixels[..., order]))
    assert steps < 0.75 * shuffled


def test_samples_of_every_kind(preprocess, tmp_path):
    picture = Image.fromarray(np.arange(192, dtype=np.uint8).reshape(8, 8, 3))
    (tmp_path / "deep").mkdir()
    picture.save(tmp_path / "deep" / "a.png")
    expected = preprocess(picture)
    dataset = [(picture, 3), (picture, 1)]
    for samples in (tmp_path, tmp_path / "deep" / "a.png", [picture], dataset):
        images, described = load_samples(samples, preprocess, limit=1)
        assert torch.equal(images, expected[None])
        assert described.startswith("1 images of")
    images, _ = load_samples(expected[None].repeat(3, 1, 1, 1), preprocess, limit=2)
    assert images.shape == (2, *SIZE)


def test_bad_samples(preprocess, tmp_path):
    for samples, message in ((tmp_path, "No images in"), (tmp_path / "none", "No images in"), ([], "empty")):
        with pytest.raises(DataNotFoundError, match=message):
            load_samples(samples, preprocess, limit=4)
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(DataNotFoundError, match="cannot be read as an image"):
        load_samples(tmp_path, preprocess, limit=4)
    for shape in ((2, 1, 8, 8), (3, 8, 8), (0, 3, 8, 8)):
        with pytest.raises(ShapeError, match="sample images have shape"):
            load_samples(torch.zeros(shape), preprocess, limit=4)


def test_report_says_what_was_done(exported):
    report = exported.parity
    assert (report.n_images, report.top1_agreement) == (12, 1.0)
    assert [r.found.n for r in report.results if r.kind == IMAGES] == [1, 3, 8]
    assert report.worst("max_rel", IMAGES) <= 1e-5
    assert report.worst("max_rel_float64", IMAGES) <= 1e-5
    assert "synthetic" in report.samples
    assert report.versions["torch"] == torch.__version__
    assert report.summary().startswith("passed: 12 images")


def test_report_round_trip(exported):
    stored = json.loads(exported.parity_path.read_text())
    assert stored["passed"] is True
    assert stored["file_sha256"] == exported.file_sha256
    assert ParityReport.load(exported.parity_path) == exported.parity


def test_failed_report_is_valid_json_and_comes_back(exported, spec, tmp_path):
    report = check_parity(
        read_source(tiny(seed=3), input_spec=spec), exported.path.read_bytes(), get_target("portable"), threads=1
    )
    assert not report.passed
    assert report.first_difference.startswith("node stem/Conv (Conv): no module agrees")
    found = compare(torch.ones(1, 2), torch.full((1, 2), float("nan")))
    broken = report.results[0].__class__(name="x", kind=EXTREME, found=found, problems=("NaN",))
    infinite = ParityReport(**vars(report) | {"results": (*report.results, broken)})
    path = infinite.save(tmp_path / "r.json")
    json.loads(path.read_text(), parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert ParityReport.load(path) == infinite


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"results": 3}'])
def test_damaged_report(tmp_path, text):
    (tmp_path / "r.json").write_text(text)
    with pytest.raises(OnnxFileError, match="no readable parity report"):
        ParityReport.load(tmp_path / "r.json")
    with pytest.raises(OnnxFileError, match="no readable parity report"):
        ParityReport.load(tmp_path / "none.json")


class Float32Only(Tiny):
    def forward(self, x):
        return super().forward(x.float())


def test_module_that_cannot_run_in_float64_is_still_checked(exported, spec):
    model = Float32Only()
    model.load_state_dict(tiny().state_dict())
    source = read_source(model, input_spec=spec)
    report = check_parity(source, exported.path.read_bytes(), get_target("portable"), threads=1)
    assert report.passed
    assert "does not run in float64" in report.float64
    assert report.results[0].found.own_rel_float64 is None


def test_nothing_to_locate_in_a_good_file(exported):
    batch = torch.randn(1, *SIZE, generator=torch.Generator().manual_seed(0))
    said = first_difference(tiny().eval(), exported.path.read_bytes(), batch, 1e-5)
    assert said.startswith("none")
    assert "optimiser" in said


def test_wrong_operator_inside_an_activation_is_located(exported):
    model = ir.load(exported.path)
    node = next(n for n in model.graph if n.name == "norm2/Sqrt")
    node.op_type = "Neg"
    batch = torch.randn(1, *SIZE, generator=torch.Generator().manual_seed(0))
    said = first_difference(tiny().eval(), ir.to_proto(model).SerializeToString(), batch, 1e-5)
    assert said.startswith("node norm2/")
    assert "module conv still agrees, module norm2 does not" in said
    assert "between norm2/Mul and norm2/Mul_3" in said


def test_wrong_runtime_is_told_from_a_wrong_graph(exported, monkeypatch):
    from export.parity import locate

    real = locate._run_graph

    def broken(file, batch):
        values = real(file, batch)
        name = next(n.outputs[0].name for n in locate.ir.load(exported.path).graph if n.name == "norm2/Sqrt")
        position = list(values).index(name)
        return {k: v * 1.01 if i >= position and k != "image" else v for i, (k, v) in enumerate(values.items())}

    monkeypatch.setattr(locate, "_run_graph", broken)
    batch = torch.randn(1, *SIZE, generator=torch.Generator().manual_seed(0))
    said = first_difference(tiny().eval(), exported.path.read_bytes(), batch, 1e-5)
    assert said == "node norm2/Sqrt (Sqrt): the runtime computes it differently from onnx's reference"
