"""The command line itself: quick to answer, short about errors, quiet on stdout."""

import importlib.metadata
import io
import json
import logging
import os
import re
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from rich.console import Console
from rich.text import Text
from typer.main import get_command

import zoo
from zoo import cli
from zoo.console import output
from zoo.console.interrupt import on_interrupt, run_kept
from zoo.errors import ConfigurationError, WeightsMismatchError

HEAVY = {"torch", "torchvision", "timm", "numpy", "onnx", "onnxruntime", "onnxscript", "datasets", "transformers"}
HEAVY |= {"accelerate", "torchmetrics", "matplotlib", "safetensors", "huggingface_hub", "pyarrow", "PIL"}
BUILD = f"import sys, zoo.cli; zoo.cli.build_app(); print(sorted({HEAVY!r} & set(sys.modules)))"


def python(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess:
    """Run this Python on `arguments` from the checkout."""
    env = {**os.environ, **environment}
    return subprocess.run([sys.executable, *arguments], cwd=cwd, env=env, capture_output=True, text=True, timeout=120)


def commands() -> list[str]:
    return sorted(get_command(cli.build_app()).commands)


@pytest.fixture
def fails(monkeypatch: pytest.MonkeyPatch):
    """A `zoo` with one command, `fail`, that raises what it is given."""

    def build(error: BaseException) -> None:
        def fail() -> None:
            raise error

        app = typer.Typer(cls=cli.ZooGroup, pretty_exceptions_enable=False)
        app.callback()(cli._options)
        app.command()(fail)
        app.command("other")(lambda: None)
        monkeypatch.setattr(cli, "build_app", lambda: app)

    return build


def status(*arguments: str) -> int:
    with pytest.raises(SystemExit) as stop:
        cli.main(arguments)
    return stop.value.code


def test_help_and_completion_import_nothing_heavy(repository: Path) -> None:
    answer = python("-c", BUILD, cwd=repository)
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.strip() == "[]"


def test_completion_answers_with_commands(repository: Path) -> None:
    words = {"_ZOO_COMPLETE": "complete_bash", "COMP_WORDS": "zoo eva", "COMP_CWORD": "1"}
    answer = python("-m", "zoo", cwd=repository, **words)
    assert answer.stdout.split() == ["evaluate"], answer.stderr


THEIRS = ("export", "zoo", "timm", "datasets")


@pytest.mark.parametrize(
    ("mine", "arguments", "says"),
    [
        ({"export", "timm", "datasets"}, ("-m", "zoo", "list", "models", "salunet_c18"), "salunet_c18"),
        ({"export"}, ("-m", "zoo", "export", "--help"), "--target"),
        ({"zoo", "datasets"}, ("-m", "export.runtime", "--help"), "--threads"),
        ({"zoo", "timm"}, ("-m", "export.native", "--help"), "instructions"),
        ({*THEIRS}, ("-P", "-m", "zoo", "export", "--help"), "--target"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_the_working_directory_may_hold_modules_of_our_names(mine, arguments, says, tmp_path, repository) -> None:
    """A file and a package of each name, none of which is ever run."""
    for name in mine:
        (tmp_path / name).mkdir()
        for file in (tmp_path / f"{name}.py", tmp_path / name / "__init__.py"):
            file.write_text("raise SystemExit('the user's file was run')\n", "utf-8")
    done = python(*arguments, cwd=tmp_path, PYTHONPATH=str(repository))
    assert done.returncode == 0, done.stderr
    assert says in done.stdout


def test_the_promised_commands_exist() -> None:
    promised = {"list", "info", "predict", "card", "adopt", "evaluate", "train", "export", "validate"}
    assert promised <= set(commands())


@pytest.mark.parametrize("name", commands())
def test_every_command_explains_itself_and_speaks_json(name: str) -> None:
    command = get_command(cli.build_app()).commands[name]
    assert command.help, f"zoo {name} has no help text"
    for own in getattr(command, "commands", {name: command}).values():  # `zoo bench` has subcommands
        assert own.help, f"zoo {name}: {own.name} has no help text"
        assert any("--json" in parameter.opts for parameter in own.params), f"zoo {name}: {own.name} has no --json"
        unexplained = [p.name for p in own.params if p.name != "help" and not getattr(p, "help", None)]
        assert not unexplained, f"zoo {name}: {own.name}: no help for {unexplained}"


def test_help_texts_lose_nothing_to_markup() -> None:
    """Square brackets are markup to rich: `[default: x]` in a help text is not shown."""

    def walk(name: str, command: Any) -> Iterator[tuple[str, str]]:
        yield name, command.help or ""
        for parameter in command.params:
            yield f"{name} {parameter.name}", getattr(parameter, "help", None) or ""
        for child, found in getattr(command, "commands", {}).items():
            yield from walk(f"{name} {child}", found)

    for where, text in walk("zoo", get_command(cli.build_app())):
        shown = Text.from_markup(text).plain
        known = re.sub(r"\[/?(bold|italic|dim|cyan)\]", "", text).replace("\\[", "[")
        assert shown == known, where


def test_version_is_that_of_the_distribution(capsys: pytest.CaptureFixture[str]) -> None:
    assert status("--version") == 0
    assert capsys.readouterr().out.strip() == f"salu-zoo {zoo.__version__}"


def test_unknown_command_is_wrong_usage_and_offers_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert status("evaluat") == 2
    assert "evaluate" in capsys.readouterr().err


def test_our_error_is_its_message_alone_on_stderr(fails, capsys: pytest.CaptureFixture[str]) -> None:
    fails(WeightsMismatchError("`stem.weight`: file has [3], model needs [4]."))
    assert status("fail") == 1
    shown = capsys.readouterr()
    assert shown.err == "Error: `stem.weight`: file has [3], model needs [4].\n"
    assert shown.out == ""


def test_in_a_terminal_an_error_is_a_panel_that_fits(fails, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Console(file=io.StringIO(), force_terminal=True, width=60, height=20, color_system=None)
    monkeypatch.setattr(cli, "console_err", screen)
    fails(WeightsMismatchError("\n".join(f"key [{i}] " + "x" * 80 for i in range(300))))
    assert status("fail") == 1
    lines = screen.file.getvalue().splitlines()
    assert len(lines) <= 20
    assert max(map(len, lines)) <= 60
    assert "Error" in lines[0]
    assert "key [0]" in lines[1]
    assert "more lines" in screen.file.getvalue()


def test_an_unforeseen_error_is_named_without_a_traceback(fails, capsys: pytest.CaptureFixture[str]) -> None:
    fails(RuntimeError("first\n  second"))
    assert status("fail") == 1
    shown = capsys.readouterr().err
    assert shown.startswith("Error: RuntimeError: first second\n")
    assert "--debug" in shown
    assert "Traceback" not in shown


@pytest.mark.parametrize("error", [WeightsMismatchError("no"), RuntimeError("no")])
def test_debug_lets_the_traceback_through(
    fails, error: Exception, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "excepthook", sys.__excepthook__)
    fails(error)
    with pytest.raises(type(error)):
        cli.main(["--debug", "fail"])
    sys.excepthook(type(error), type(error)("\x1b[2J"), None)  # what Python does with it
    assert capsys.readouterr().err.endswith(f"{type(error).__name__}: \\u001b[2J\n")


def test_interrupt_is_one_line_and_130(fails, capsys: pytest.CaptureFixture[str]) -> None:
    fails(KeyboardInterrupt())
    assert status("fail") == 130
    assert capsys.readouterr().err.strip() == "Interrupted."


KEPT = "The same command goes on."


def test_an_interrupt_says_what_is_kept(fails, capsys: pytest.CaptureFixture[str]) -> None:
    class StoppedError(RuntimeError):
        pass

    with pytest.raises(typer.Exit) as left, on_interrupt(lambda: KEPT):
        raise KeyboardInterrupt
    assert left.value.exit_code == 130
    assert capsys.readouterr().err.splitlines() == [f"Interrupted. {KEPT}"]
    with pytest.raises(StoppedError), on_interrupt(lambda: KEPT):
        raise StoppedError
    assert capsys.readouterr().err == ""


def test_what_is_kept_of_a_run(tmp_path: Path) -> None:
    file = tmp_path / "checkpoint"
    file.touch()
    assert run_kept(tmp_path / "none", None) == "Nothing was written yet: give the same command again."
    assert "--resume starts at the first step" in run_kept(tmp_path, None)
    assert re.search(r"checkpoint of \d s ago is in .* --resume to go on", run_kept(tmp_path, file))


STOPPED = {
    "train c18_cifar10 --output OUT": ("zoo.training.images.train_images.train", "Nothing was written yet"),
    "finetune glue --task sst2 --output OUT": ("zoo.training.finetuning.finetune", "Nothing was written yet"),
    "evaluate m --dataset cifar10": ("zoo.evaluation.evaluator.evaluate", "--limit N"),
    "export m --output OUT/m.onnx": ("export.pipeline.export_model.export", "m.onnx is as it was"),
    "export m --check": ("export.pipeline.matrix.check_matrix", "Nothing is kept; with --output FILE"),
}


@pytest.mark.parametrize("line", STOPPED)
def test_ctrl_c_in_long_commands(line, monkeypatch, capsys, tmp_path) -> None:
    place, says = STOPPED[line]

    def stop(*args: Any, **kwargs: Any) -> Iterator[None]:
        raise KeyboardInterrupt
        yield

    def stop_at_once(*args: Any, **kwargs: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(place, stop if "matrix" in place else stop_at_once)
    assert status(*line.replace("OUT", str(tmp_path / "out")).split()) == 130
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith("Interrupted. ")
    assert says in said


def test_zoo_alone_shows_the_road(capsys: pytest.CaptureFixture[str]) -> None:
    assert status() == 0
    shown = capsys.readouterr().out.splitlines()
    assert max(map(len, shown)) <= 80
    examples = [line.split() for line in shown if line.startswith("  zoo ")]
    assert [words[1] for words in examples] == ["finetune", "evaluate", "predict", "export", "info"]
    assert shown[-1] == "All commands: zoo --help"
    for words in examples:
        known = {name for option in get_command(cli.build_app()).commands[words[1]].params for name in option.opts}
        assert {word for word in words if word.startswith("--")} <= known


@pytest.mark.parametrize("width", [60, 80])
@pytest.mark.parametrize("name", ["", *commands(), "bench kernels", "bench train", "bench files"])
def test_help_fits_and_breaks_no_word(name: str, width: int, monkeypatch, capsys) -> None:
    def words_at(columns: int) -> list[list[str]]:
        monkeypatch.setenv("COLUMNS", str(columns))
        assert status(*name.split(), "--help") == 0
        lines = capsys.readouterr().out.splitlines()
        assert max(map(len, lines)) <= columns
        return [line.split() for line in lines]

    whole = {word for words in words_at(80) for word in words}
    lines = words_at(width)
    assert {word for words in lines for word in words} == whole
    assert not any(words[-1].endswith("-") for words in lines if words)


@pytest.mark.parametrize("text", ["No CUDA runtime is found, using CUDA_HOME='/usr'", "something that matters"])
def test_noise_of_libraries_is_left_out(text: str, caplog: pytest.LogCaptureFixture) -> None:
    with cli._quiet():
        logging.getLogger("torch.utils.cpp_extension").warning(text)
        warnings.warn("This DataLoader will create 9 worker processes", stacklevel=1)
    assert [record.getMessage() for record in caplog.records] == [text] * text.startswith("something")


def test_a_closed_pipe_is_no_traceback(repository: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "zoo", "--help"]
    done = subprocess.run(command, cwd=repository, stdout=write, stderr=subprocess.PIPE, text=True, timeout=120)
    os.close(write)
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr


def test_a_plug_in_that_does_not_load_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = importlib.metadata.EntryPoint("extra", "no_such_package:register", cli.PLUGIN_GROUP)
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: [broken])
    with pytest.raises(ConfigurationError, match=r"'extra'.*no_such_package"):
        cli.build_app()


def test_print_json_puts_json_and_nothing_else_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    value = {"name": "é", "path": "[red]", "figures": [1.5, None]}
    output.print_json(value)
    shown = capsys.readouterr()
    assert json.loads(shown.out) == value
    assert shown.err == ""


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_is_drawn_in_a_terminal_only(monkeypatch: pytest.MonkeyPatch, terminal: bool) -> None:
    screen = Console(file=io.StringIO(), force_terminal=terminal, width=100, color_system=None)
    monkeypatch.setattr(output, "console_err", screen)
    with output.progress("evaluating", total=4) as advance:
        for _ in range(4):
            advance(1)
    assert ("evaluating" in screen.file.getvalue()) == terminal
    assert ("4/4" in screen.file.getvalue()) == terminal


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_a_stream_that_lacks_a_character_ends_no_command(encoding):
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    command = [sys.executable, "-m", "zoo", "info", "galu"]
    plain = subprocess.run(command, env=environment, capture_output=True, check=False)
    assert (plain.returncode, plain.stderr) == (0, b"")
    assert rb"\u03c0" in plain.stdout
    found = subprocess.run([*command, "--json"], env=environment, capture_output=True, check=True).stdout
    assert "π" in json.loads(found.decode("ascii"))["formula"]
