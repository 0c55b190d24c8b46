"""Text from files is text: on terminals, in JSON, in commands that we print, in Markdown and in licences."""

import csv
import html
import io
import json
import re
import shlex
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from markdown_it import MarkdownIt

from export.deliver.bundle.exported import ExportedPort
from export.deliver.bundle.readme import readme
from export.deliver.web.notices import notices
from export.edge.command import _shown
from zoo import cli
from zoo.cards.markdown import code, fenced, inline, load_template, table
from zoo.catalogue.description import _next_of_card
from zoo.console import output
from zoo.console.tables import print_facts, print_table
from zoo.console.visible import one_line, quoted, visible
from zoo.data.preprocess import Preprocess
from zoo.files import write_csv

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
    for command in _next_of_card(tag, hostile, {"path": "here", "hub": None}):  # type: ignore[arg-type]
        assert hostile in shlex.split(command), command
        assert len(shlex.split(command)) <= 6
    assert json.loads(quoted(hostile)) == hostile


MARKDOWN = {
    "HTML": "<script>alert(1)</script><img src=x onerror=y>",
    "a link": "[click](javascript:alert(1)) and [b][c]",
    "a picture": "![](http://127.0.0.1/pixel.png)",
    "a heading": "x\n\n# Owned\n\n| a |\n|---|",
    "a heading at once": "# Owned",
    "a code span": "x` <b>y</b> `z",
    "a fence": "```\n<b>out</b>\n```sh",
    "an entity": "&lt;b&gt; &#27; &copy;",
    "emphasis": "*a* _b_ **c** ~~d~~ $e$",
    "a cell": "a|b\\|c",
    "a comment": "<!-- x",
    "a definition": "[a]: http://127.0.0.1",
}


def rendered(markdown: str) -> str:
    return MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(markdown)


@pytest.mark.parametrize("hostile", MARKDOWN.values(), ids=MARKDOWN)
def test_markdown_shows_it_as_text(hostile: str) -> None:
    line = " ".join(hostile.split())
    assert html.unescape(rendered(f"a {inline(hostile)} b")) == f"<p>a {line} b</p>\n"
    assert html.unescape(rendered(f"- {inline(hostile)}")) == f"<ul>\n<li>{line}</li>\n</ul>\n"
    assert html.unescape(rendered(f"a {code(hostile)} b")) == f"<p>a <code>{line}</code> b</p>\n"
    assert html.unescape(rendered(fenced(hostile, "sh"))).count(hostile) == 1
    assert rendered(fenced(hostile, "sh")).count("<code") == 1
    cells = re.findall("<td>(.*?)</td>", rendered(table(["a", "b", "c"], [[hostile, code(hostile), 1.5]])))
    assert [html.unescape(cell).replace("\\|", "|") for cell in cells] == [
        line.replace("\\|", "|"),
        f"<code>{line}</code>".replace("\\|", "|"),
        "1.5",
    ]


@pytest.mark.parametrize("hostile", MARKDOWN.values(), ids=MARKDOWN)
def test_every_template_shows_it_as_text(hostile: str, tmp_path) -> None:
    page = tmp_path / "page.jinja"
    page.write_text("a {{ value }} b")
    shown = html.unescape(rendered(load_template(page).render(value=hostile)))
    assert shown == f"<p>a {' '.join(hostile.split())} b</p>\n"


@pytest.mark.parametrize("hostile", MARKDOWN.values(), ids=MARKDOWN)
def test_a_bundle_s_page_shows_it_as_text(hostile: str) -> None:
    names = (
        "name",
        "zoo_version",
        "target",
        "precision",
        "torch_version",
        "license",
        "weights_sha256",
        "changed_since",
    )
    stored = SimpleNamespace(**dict.fromkeys(names, hostile))
    parity = SimpleNamespace(summary=lambda: hostile)
    stored.labels, stored.preprocess = (
        (hostile,),
        Preprocess((3, 8, 8), "bilinear", 1.0, "center", (0.0,) * 3, (1.0,) * 3).to_dict(),
    )
    ports = [ExportedPort(hostile, "float32", (3, 8, 8))]
    exported: Any = SimpleNamespace(metadata=stored, takes_texts=False, parity=parity, inputs=ports, outputs=ports)
    engine = {"install": hostile, "package": "onnxruntime", "providers": []}
    page = rendered(readme(exported, {"engine": engine, "operators": {}, "files": {}}))
    tags = {tag.split()[0] for tag in re.findall("<(/?[a-z0-9 ]+)", re.sub('class="language-[a-z]+"', "", page))}
    allowed = ["h1", "p", "code", "pre", "table", "thead", "tbody", "tr", "th", "td"]
    assert tags <= {*allowed, *(f"/{name}" for name in allowed)}
    assert page.count("<h1>") == 1


@pytest.mark.parametrize("licence", ["MIT\n\nThe runtime: public domain", "x" * 5000, "\x1b[2Jmit", "a\u2028b"])
def test_licences_cannot_be_extended(licence: str) -> None:
    record = {"name": licence, "license": licence, "samples_note": "none", "runtime": "onnxruntime-web 1.0"}
    usual = notices(record | {"name": "m", "license": "mit"})
    told = notices(record)
    assert len(told.splitlines()) == len(usual.splitlines())
    assert len(told) < len(usual) + 200
    assert not acts(told)


def test_a_bundle_s_program_writes_it_out() -> None:
    assert _shown("cat\x1b[2J\x9b\u202e\udcff, 猫") == "cat\\x1b[2J\\x9b\\u202e\\udcff, 猫"


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_no_cell_of_a_table_is_a_formula(text: str, tmp_path: Path) -> None:
    write_csv(tmp_path / "t.csv", [(text, -1.5, 2, "a=1", "", None)])
    with (tmp_path / "t.csv").open(newline="") as stream:
        assert next(csv.reader(stream)) == [f"'{text}", "-1.5", "2", "a=1", "", ""]
