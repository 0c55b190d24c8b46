"""Models by targets: what each cell says, and that a wrong file shows."""

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
import typer
from rich.console import Console
from tiny_model import LABELS
from torch import nn
from typer.testing import CliRunner

import export.pipeline.matrix as matrix
import export.pipeline.steps
from export import ParityError, TargetError, list_targets
from export.commands import register
from export.commands.check import print_matrix
from export.pipeline.matrix import FAILED, NOT_MADE, PASSED, SIMULATED, Cell, all_models, check_matrix
from zoo.activations import SALU, SWALU
from zoo.console import output
from zoo.errors import ConfigurationError
from zoo.models import list_models
from zoo.models.text_models import TEXT_MODELS
from zoo.weights.locate import list_pretrained


@pytest.fixture
def model(preprocess):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = nn.Sequential(nn.Conv2d(3, 8, 3), SALU(), SWALU(), nn.Flatten(), nn.Linear(8 * 36, len(LABELS))).eval()
    made.pretrained_cfg = {"architecture": "tiny", "label_names": LABELS} | preprocess.to_dict()
    return made


@pytest.fixture
def run(monkeypatch, model):
    monkeypatch.setattr("zoo.weights.create.create_model", lambda *_args, **_options: model)
    monkeypatch.setattr("zoo.names.open_model", lambda *_args, **_options: SimpleNamespace(model=model))
    app = typer.Typer()
    register(app)
    return lambda *arguments: CliRunner().invoke(app, ["export", *map(str, arguments)])


def test_a_cell_for_each_target_and_precision(model, monkeypatch):
    traced = []
    lower = export.pipeline.steps.lower
    monkeypatch.setattr(export.pipeline.steps, "lower", lambda *given: traced.append(1) or lower(*given))
    cells = list(check_matrix([model], ["portable", "gpu_cuda"], threads=1))
    assert [cell.column for cell in cells] == [
        "portable float32", *(f"gpu_cuda {name}" for name in ("float32", "tf32", "float16", "bfloat16"))
    ]  # fmt: skip
    assert len(traced) == 1  # once for all
    for cell in cells:
        assert cell.status != FAILED, cell.note
        assert (cell.model, cell.input, cell.samples, cell.agreement) == ("tiny", "3x8x8", 20, 1.0)
        if cell.target == "portable":
            assert (cell.status, cell.note) == (PASSED, "")
            assert 0 < cell.max_rel <= 1e-5
        elif cell.status == SIMULATED:
            assert "not run on CUDA" in cell.note
    assert cells[0].max_rel == cells[1].max_rel or cells[1].status == PASSED


def test_a_wrong_file_is_a_failed_cell(model, monkeypatch):
    write_out = export.pipeline.steps.write_out

    def wrong(job):
        write_out(job)
        next(node for node in job.graph.graph if node.op_type == "Div").op_type = "Mul"

    monkeypatch.setattr(export.pipeline.steps, "write_out", wrong)
    (cell,) = check_matrix([model], ["portable"], threads=1)
    assert (cell.status, cell.max_rel) == (FAILED, None)
    assert "does not compute what PyTorch computes" in cell.note


def test_one_precision_and_what_no_target_has(model):
    assert next(c.column for c in check_matrix([model], precision="tf32", threads=1)) == "gpu_cuda tf32"
    with pytest.raises(TargetError, match="'float61'"):
        list(check_matrix([model], ["portable"], precision="float61"))
    with pytest.raises(TargetError, match=r"'portabel'.*Nearest: portable"):
        list(check_matrix([model], ["portabel"]))


def test_all_models_are_all_of_them():
    bare = {name.partition(".")[0] for name in all_models()}
    assert bare == {*list_models(), *TEXT_MODELS.names()}
    assert set(list_pretrained()) <= set(all_models())


def test_the_command_prints_a_table_and_keeps_every_cell(run, tmp_path):
    done = run("tiny", "--check", "--target", "portable", "--target", "web", "--output", tmp_path / "m.json")
    assert done.exit_code == 0, done.output
    stored = json.loads((tmp_path / "m.json").read_text())
    assert [cell["target"] for cell in stored] == ["portable", "web"]
    assert f"{stored[0]['max_rel']:.1e}" in done.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.json"]


def test_the_command_fails_with_the_reasons(run, monkeypatch):
    monkeypatch.setattr(export.pipeline.steps, "write_out", lambda job: None)
    done = run("tiny", "--check", "--target", "web", "--json")
    assert isinstance(done.exception, ParityError)
    assert "1 of 1 files failed" in str(done.exception)
    assert json.loads(done.stdout)[0]["status"] == FAILED


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--all"], "add --check"),
        (["--check"], "neither a model nor --all"),
        (["--check", "--all", "tiny"], "--all and tiny"),
        (["--check", "tiny", "--budget", "1"], "writes nothing"),
        (["tiny", "other"], "2 are given: tiny, other"),
        ([], "none is given"),
        (["tiny", "--target", "web", "--target", "portable"], "One file is for one --target, and 2 are given"),
    ],
)
def test_what_does_not_go_together(run, arguments, reason):
    done = run(*arguments)
    assert isinstance(done.exception, ConfigurationError)
    assert reason in str(done.exception)


def test_the_table_tells_simulated_failed_and_not_made_apart(monkeypatch):
    cell = Cell(model="m", target="a", precision="p", input="i", status=PASSED, max_rel=1.24e-6)
    others = [
        replace(cell, target="b", status=SIMULATED),
        replace(cell, target="c", status=FAILED, max_rel=None),
        replace(cell, target="d", status=NOT_MADE, max_rel=None),
    ]
    console = Console(width=120)
    monkeypatch.setattr(output, "console_out", console)
    with console.capture() as captured:
        print_matrix([cell, *others])
    rows = [line for line in captured.get().splitlines() if line.strip()]
    assert rows[-1].split() == ["m", "1.2e-06", "~1.2e-06", "FAILED", "-"]


def test_untrained_networks_are_the_same_each_time_and_stirred():
    first, second = (matrix._untrained("fles_poolformer_cifar", None) for _ in range(2))
    weights = dict(second.named_parameters())
    assert all(bool((value == weights[name]).all()) for name, value in first.named_parameters())
    assert any(bool(value.any()) for name, value in weights.items() if name.endswith("vertical_weight"))


def test_every_target_is_in_the_matrix():
    assert {target.name for target, _ in matrix._columns(None, None)} == set(list_targets())


def test_an_untrained_network_tells_images_apart():
    """With the bias of its classifier the logits of a deep one are the same for all images to four digits."""
    network = matrix._untrained("salunet_c34_cifar", None).eval()
    images = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        logits = network(images)
    assert logits.std(0).max().item() > 0.05 * logits.abs().max().item()
