"""The README and the pages it links to are true: code runs, commands exist, figures are those of code and cards.

Where a table is out of date, the failure prints the one to paste.
"""

import re
import shlex
from pathlib import Path

import pytest
from readme_tables import ROOT, STUDIES, TABLES, verdict
from typer.main import get_command

from zoo.cli import build_app

README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").glob("*.md"))]
TEXT = "\n".join(page.read_text("utf-8") for page in PAGES)
SAMPLE = ROOT / "demo/cifar10_sample"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, flags=re.MULTILINE | re.DOTALL)


def shell_lines(program: str) -> list[str]:
    return [line for block in blocks("sh") for line in block.splitlines() if line.split()[:1] == [program]]


def words(line: str) -> list[str]:
    """The words of a command, without the comment behind it."""
    return shlex.split(line, comments=True)


def table(name: str) -> list[str]:
    """The rows below the head of the table between `<!-- name -->` and `<!-- end -->`."""
    found = re.search(rf"<!-- {name} -->\n(.*?)<!-- end -->", TEXT, flags=re.DOTALL)
    assert found, f"no page has a table between <!-- {name} --> and <!-- end -->"
    return found[1].splitlines()[2:]


# Counting the multiply-adds of all models takes half a minute.
@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow if n == "models" else ()) for n in TABLES])
def test_table_is_up_to_date(name: str) -> None:
    expected = TABLES[name]()
    assert table(name) == expected, f"Table {name!r} should be:\n" + "\n".join(expected)


@pytest.mark.parametrize("name", STUDIES)
def test_verdict_is_up_to_date(name: str) -> None:
    sentence = verdict(name)
    assert sentence in " ".join(TEXT.split()), f"A page should say: {sentence}"


@pytest.mark.parametrize("code", blocks("python"), ids=lambda code: code.splitlines()[0])
def test_python_block_runs(code: str, tmp_path: Path, monkeypatch, capsys) -> None:
    from zoo.data import load_vision

    if "pretrained=True" in code and not list((ROOT / "model_cards").glob("*/model.safetensors")):
        pytest.skip("this copy of the source has no weights in model_cards/")
    images = load_vision("cifar10", data=SAMPLE)
    images[0][0].save(tmp_path / "photo.png")
    for index in range(24):  # a folder of photos, for what is fine-tuned
        image, label = images[index]
        (tmp_path / "photos" / images.labels[label % 3]).mkdir(parents=True, exist_ok=True)
        image.save(tmp_path / "photos" / images.labels[label % 3] / f"{index}.png")
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "a page", "exec"), {})
    printed = capsys.readouterr().out.strip()
    assert not printed or printed in images.labels


def test_first_example_is_five_lines() -> None:
    assert len(blocks("python")[0].split("\n\n")) == 2  # imports, then the rest
    assert len([line for line in blocks("python")[0].splitlines() if line]) == 5


@pytest.mark.parametrize("line", shell_lines("zoo"))
def test_zoo_command_parses(line: str) -> None:
    _, name, *arguments = words(line)
    command = get_command(build_app()).commands[name]
    with command.make_context(name, arguments):
        pass


def test_make_targets_exist() -> None:
    defined = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), flags=re.MULTILINE))
    named = {word for line in shell_lines("make") for word in words(line)[1:]}
    assert named
    assert named | set(re.findall(r"`make ([a-z]+)", TEXT)) <= defined


def test_every_command_is_shown() -> None:
    assert {line.split()[1] for line in shell_lines("zoo")} == set(get_command(build_app()).commands)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    local = [target for target in re.findall(r"\]\(([^)#]+)\)", page.read_text("utf-8")) if "://" not in target]
    assert [target for target in local if not (page.parent / target).exists()] == []


def test_the_readme_is_short_and_links_to_every_page() -> None:
    text = README.read_text("utf-8")
    assert text.count("\n") <= 250
    assert all(f"](docs/{page.name})" in text for page in PAGES[1:])
