"""Real FleS models pass parity whatever their weights are: ten draws each; and the fine-tuned one on all its texts."""

import warnings
from itertools import takewhile
from pathlib import Path

import pytest
from torch import nn

import zoo
from export.inputs.random_weights import seeded, stir
from export.inputs.source import read_source
from export.layouts.arranged_file import BlockedLayoutWarning
from export.parity.parity_check import check_parity
from export.parity.probes import IMAGES, TEXTS
from export.parity.shipped import default_images
from export.pipeline.export_plan import make_plan
from export.pipeline.job import Job
from export.targets import get_target
from zoo.data.glue import load_glue

NAMES = ("fles_resnet50", "fles_swin_tiny", "fles_vit_base_patch16", "fles_poolformer_s12")
IMAGES_EACH = 4


def drawn(name: str, seed: int) -> nn.Module:
    """Weights as training leaves them, without the bias that would outweigh what the network says of an image."""
    with seeded(seed):
        network = zoo.create_model(name, pretrained=False)
    nn.init.zeros_(network.get_classifier().bias)
    return stir(network, seed)


@pytest.mark.slow
@pytest.mark.parametrize("target", ["portable", "edge_cpu"])
@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("name", NAMES)
def test_every_draw_passes(cache, name, seed, target):
    source = read_source(drawn(name, seed))
    job = Job(source=source, target=get_target(target), path=Path("x.onnx"), threads=1)
    for step in takewhile(lambda step: step.name != "parity", make_plan(job).steps):
        step.run(job)
    images = default_images(source.input.transform)[0][:IMAGES_EACH]
    with warnings.catch_warnings():
        warnings.simplefilter("error", BlockedLayoutWarning)
        report = check_parity(source, job.file, job.target, samples=images, threads=1)
    assert report.passed, report.failures()
    assert report.worst("max_rel", IMAGES) <= 1e-5
    assert {result.allowed for result in report.results if result.kind == IMAGES} == {1e-5}


@pytest.mark.slow
def test_all_texts_of_sst2(shared_dir, tmp_path):
    samples = load_glue("sst2", data=shared_dir / "data/glue")
    model = zoo.create_model("fles_minilm_l6.sst2", pretrained=True)
    job = Job(source=read_source(model), target=get_target("portable"), path=tmp_path / "x.onnx", threads=1)
    for step in takewhile(lambda step: step.name != "parity", make_plan(job).steps):
        step.run(job)
    report = check_parity(job.source, job.file, job.target, samples=samples, limit=len(samples.texts), threads=1)
    assert report.passed, report.failures()
    assert report.n_samples == len(samples.texts)
    assert report.worst("max_rel", TEXTS) <= 1e-5
