"""Text from files is text: on terminals, in JSON, in commands that we print, in Markdown and in licences."""

import io
import json
import shlex
import warnings
from types import SimpleNamespace

import pytest

from zoo import cli
from zoo.catalogue.description import _next_of_card
from zoo.console import output
from zoo.console.tables import print_facts, print_table
from zoo.console.visible import one_line, quoted, visible

ACTS = {
    "colour": "\x1b[31m",
    "clear screen": "\x1b[2J\x1b[H",
    "title": "\x1b]0;owned\x07",
    "C1": "\x9b31m\x90",
    "back and over": "cat\x08\x08\x08dog\rdog",
    "delete": "\x7f",
    "right to left": "\u202etxt.exe\u2066",
    "half a pair": "\udcff",
    "line separator": "a\u2028b",
}
MARKUP = "[bold red]x[/] [/nothing] [link=http://example.com]y[/link] :warning:"


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> output.Screen:
    made = output.Screen(file=io.StringIO(), width=60, force_terminal=True, color_system=None)
    monkeypatch.setattr(output, "console_out", made)
    monkeypatch.setattr(output, "console_err", made)
    return made


ACTING = {chr(n) for n in (*range(9), *range(11, 32), *range(127, 160))} | set("\u202e\u2066\u2028\udcff")


def acts(text: str) -> set[str]:
    """Characters in it that a terminal would act on."""
    return ACTING & set(text)


@pytest.mark.parametrize("hostile", ACTS.values(), ids=ACTS)
def test_no_screen_carries_it_out(hostile: str, screen: output.Screen) -> None:
    screen.print(hostile)
    print_table(["name", hostile], [[hostile, "1"]], title=hostile)
    print_facts([(hostile, hostile)], title=hostile)
    shown = screen.file.getvalue()
    assert not acts(shown)
    assert "\\u" in shown


@pytest.mark.parametrize("hostile", ACTS.values(), ids=ACTS)
def test_no_echo_error_or_warning_carries_it_out(
    hostile: str, screen: output.Screen, capsys: pytest.CaptureFixture[str]
) -> None:
    output.say(hostile)
    cli.show_error(ValueError(hostile))
    cli._show_warning(hostile, UserWarning, "file.py", 1)
    with cli._quiet():
        assert warnings.showwarning is cli._show_warning
    told = capsys.readouterr()
    assert not acts(told.out + told.err)
    assert "\\u" in told.out


@pytest.mark.parametrize("hostile", ACTS.values(), ids=ACTS)
def test_json_keeps_the_value_and_not_the_act(hostile: str, capsys: pytest.CaptureFixture[str]) -> None:
    output.print_json({"label": hostile})
    told = capsys.readouterr().out
    assert not acts(told)
    assert json.loads(told) == {"label": hostile}


def test_markup_is_text(screen: output.Screen) -> None:
    screen.print(MARKUP)
    with output.progress(MARKUP, 1) as advance:
        advance(1)
    assert screen.file.getvalue().count("[bold red]x[/] [/nothing]") >= 1
    assert screen.file.getvalue().startswith(MARKUP[:20])


def test_the_usual_text_is_left_alone() -> None:
    text = "Žluťoučký kůň, 日本語, \u200cنمی\u200cشود, emoji 👩\u200d🔬\n\ttabs"
    assert visible(text) == text
    assert one_line("a\nb\tc") == "a\\u000ab\\u0009c"


def test_a_wrong_argument_is_shown_and_not_carried_out(run_zoo, tmp_path) -> None:
    place = tmp_path / "\x1b[2Jphotos"
    place.mkdir()
    code, out, err = run_zoo("predict", place, "--model", "nothing")
    assert code != 0
    assert not acts(out + err)


@pytest.mark.parametrize("hostile", ["cifar10; touch PWNED", "$(id)", "a`id`b", "x'y", "a\nb", "--output=/etc/x y"])
def test_commands_are_quoted(hostile: str) -> None:
    tag = SimpleNamespace(dataset=hostile, is_text=False)
    for command in _next_of_card(tag, hostile):  # type: ignore[arg-type]
        assert hostile in shlex.split(command), command
        assert len(shlex.split(command)) <= 6
    assert json.loads(quoted(hostile)) == hostile
