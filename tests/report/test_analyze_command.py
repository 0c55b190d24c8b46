"""`zoo analyze` as people call it."""

import json

from typer.testing import CliRunner

from zoo.cli import build_app


def call(*arguments, width="80"):
    return CliRunner(env={"COLUMNS": width}).invoke(build_app(), ["analyze", *map(str, arguments)])


def test_tables_and_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = call("fresh:fles_poolformer_cifar,act=swalu", "--no-bound", "--no-html")
    assert found.exit_code == 0, found.output
    for words in ("S and W by stage", "SWALU", "S3", "Slopes by stage", "weights alone", "curves.png"):
        assert words in found.output
    assert "stages.0.blocks.0" not in found.output  # every layer only with --layers
    assert max(map(len, found.output.splitlines()[:-1])) <= 80
    assert {file.name for file in (tmp_path / "analysis" / "fresh-fles_poolformer_cifar-act=swalu").iterdir()} == {
        "analysis.json", "geometry.png", "curves.png", "bounds.png"
    }  # fmt: skip


def test_captions_in_brackets_are_no_markup(compared, capsys, monkeypatch):
    from zoo.commands.analyze import _print
    from zoo.console import output

    monkeypatch.setattr(output, "console_out", output.Screen(width=100))
    _print(compared, layers=True)
    printed = capsys.readouterr().out
    assert "E[x²] in front of the layers" in printed
    assert "blocks.0.norm1" in printed
    assert "fresh,norm=layernorm,act=gelu" in printed


def test_json_alone_on_stdout_and_no_file_unasked(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = call("fresh:salunet_t_cifar", "--no-bound", "--json")
    assert found.exit_code == 0
    values = json.loads(found.stdout)
    assert values["subject"]["model"] == "salunet_t_cifar"
    assert len(values["findings"]["geometry"]) == 29
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_refused_before_the_work(tmp_path):
    (tmp_path / "file").touch()
    found = call("fresh:salunet_t_cifar", "--output", tmp_path / "file")
    assert found.exit_code == 1
    assert "Cannot write" in str(found.exception)
