"""The scripts read the committed reports again, judge them as they were judged, and draw them."""

import json
import subprocess
import sys

import batch_size
import plasticity
import pytest

from zoo.errors import ConfigurationError, OutputError

SCRIPTS = {"batch_size": batch_size, "plasticity": plasticity}


@pytest.mark.parametrize("name", SCRIPTS)
def test_show_draws_the_committed_report_again(name, repository, tmp_path, capsys):
    file, picture, copy = repository / f"reports/{name}.json", tmp_path / "again.png", tmp_path / "copy.json"
    SCRIPTS[name].main(["--show", f"{file}", "--picture", f"{picture}", "--report", f"{copy}"])
    stored = json.loads(file.read_text("utf-8"))
    assert json.loads(copy.read_text("utf-8")) == stored
    assert capsys.readouterr().out.strip() == stored["verdict"]["sentence"]
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert picture.stat().st_size > 10_000


def test_the_committed_figures_follow_from_the_committed_runs(repository):
    stored = json.loads((repository / "reports/batch_size.json").read_text("utf-8"))
    assert batch_size.table(stored["cells"], 10_000) == stored["table"]
    assert batch_size.judge(stored["table"], 10.0) == stored["verdict"]
    stored = json.loads((repository / "reports/plasticity.json").read_text("utf-8"))
    runs = stored["runs"]
    assert {s: plasticity.summary(plasticity.finished(runs, s)) for s in plasticity.STABILISERS} == stored["summary"]
    assert plasticity.judge(runs) == stored["verdict"]


def test_another_file_is_no_report(repository, tmp_path):
    with pytest.raises(ConfigurationError, match="Asked for a report of 'batch-size'"):
        batch_size.main(["--show", f"{repository / 'reports/plasticity.json'}"])
    (tmp_path / "text.json").write_text("slopes")
    for name in ("text.json", "none.json"):
        with pytest.raises(ConfigurationError, match="Cannot read the report"):
            plasticity.main(["--show", f"{tmp_path / name}"])


@pytest.mark.parametrize("option", ["--report", "--picture"])
def test_what_cannot_be_written_is_refused_before_anything_runs(option, tmp_path):
    for place in (tmp_path, tmp_path / "no/such/folder.json"):
        with pytest.raises(OutputError, match="Cannot write"):
            plasticity.main(["--output", f"{tmp_path / 'runs'}", option, f"{place}"])
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("name", SCRIPTS)
def test_each_runs_as_a_program(name, repository):
    script = repository / "reports" / f"{name}.py"
    done = subprocess.run([sys.executable, script, "--help"], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "--show REPORT" in done.stdout
    done = subprocess.run([sys.executable, script, "--show", "none.json"], capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: Cannot read the report none.json")
