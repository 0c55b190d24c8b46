"""Tables at every width: what stands there is a whole word or number, or ends in an ellipsis."""

import io
import re
from collections.abc import Callable, Iterable, Sequence
from types import SimpleNamespace

import pytest
from rich.console import Console

from zoo.console import output
from zoo.console.tables import Column, print_facts, print_table

WIDTHS = (40, 60, 80, 120)
LONG = "FleS-in-a-name-that-is-longer-than-any-screen-of-forty-columns"
MANY = [Column("name"), Column("p50 ms", figures=True), Column("p99 ms", figures=True, optional=True),
        Column("share of a copy", figures=True), Column("where"), Column("note", optional=True)]  # fmt: skip
ROWS = [
    ["salunet_c18_cifar.cifar10", "12.345", "113.337", "87.5 %", "checkout", "measured in turns with its twin"],
    [LONG, "1,234,567.891", "9.5", "3.1 %", "not on the Hub yet", ""],
]
FACTS = [
    ("file", "22.3 MB, /srv/models/salunet_c18_cifar.cifar10/a/folder/of/a/long/name/model.safetensors"),
    ("sha256", "f39004a19a27ec126abc5724248685843d147d7916be57722b72c097c715d290"),
    ("not proven there", "it is simulated on a CPU, which computes in float32"),
]


@pytest.fixture(params=WIDTHS)
def screen(request, monkeypatch: pytest.MonkeyPatch) -> Console:
    made = output.Screen(file=io.StringIO(), width=request.param, force_terminal=True, color_system=None)
    monkeypatch.setattr(output, "console_out", made)
    return made


def shown(screen: Console) -> str:
    return screen.file.getvalue()


def words(texts: Iterable[str]) -> set[str]:
    return {word for text in texts for word in text.split()}


def check(screen: Console, texts: Iterable[str]) -> None:
    """No line is too long, and each word on the screen is one of `texts`, a part of a path, or ends in an ellipsis."""
    known = words(texts)
    parts = {part for word in known for part in re.findall(r"[^/]*/|[^/]+$", word)}
    for line in shown(screen).splitlines():
        assert len(line.rstrip()) <= screen.width
        for word in line.split():
            joined = word in known or set(word) <= {"─"} or all(p in parts for p in re.findall(r"[^/]*/|[^/]+$", word))
            cut = word.endswith("…") and any(one.startswith(word[:-1]) for one in known | parts)
            assert joined or cut, f"{word!r} is cut at {screen.width} columns"


def texts_of(columns: Sequence[Column], rows: Iterable[Sequence[str]], *more: str) -> list[str]:
    return [*more, *(column.head for column in columns), *(cell for row in rows for cell in row)]


@pytest.mark.parametrize("number", range(1, 7))
def test_no_word_or_number_is_cut_without_an_ellipsis(screen, number):
    columns, rows = MANY[:number], [row[:number] for row in ROWS]
    print_table(columns, rows, "a title whose words are not cut either")
    check(screen, texts_of(columns, rows, "a title whose words are not cut either"))


def test_numbers_and_what_is_not_optional_are_always_there(screen):
    print_table(MANY, ROWS)
    found = words([shown(screen)])
    assert {"12.345", "1,234,567.891", "87.5", "salunet_c18_cifar.cifar10", "checkout"} <= found


def test_a_narrow_screen_shows_many_columns_as_records(screen):
    print_table(MANY, ROWS)
    first, *rest = (line.split() for line in shown(screen).splitlines())
    if screen.width < 80:
        assert first == ["salunet_c18_cifar.cifar10"]
        assert [*rest[0], *rest[1]][:3] == ["p50", "ms", "12.345"]
        assert words(cell for row in ROWS for cell in row) - {LONG} <= words([shown(screen)])
    else:
        assert ["salunet_c18_cifar.cifar10", "12.345"] in [line[:2] for line in rest]


def test_what_is_optional_goes_first_and_the_last_of_it_at_once(screen):
    columns = [Column("name"), Column("first", optional=True), Column("second", optional=True), Column("last")]
    rows = [["salunet_c18_cifar.cifar100", "one-long-word-here", "another-long-word", "checkout"]]
    print_table(columns, rows)
    heads = {40: ["name", "last"], 60: ["name", "first", "last"]}
    assert shown(screen).split("\n")[0].split() == heads.get(screen.width, ["name", "first", "second", "last"])


def test_an_empty_table_shows_its_heads(screen):
    print_table(["name", Column("ms", figures=True)], [])
    assert shown(screen).split("\n")[0].split() == ["name", "ms"]


def test_facts_break_paths_after_slashes_and_shorten_what_has_none(screen):
    print_facts(FACTS, "salunet_c18_cifar.cifar10 on cifar10")
    check(screen, [text for fact in FACTS for text in fact] + ["salunet_c18_cifar.cifar10 on cifar10"])
    assert "".join(shown(screen).split()).count("name/model.safetensors") == 1
    assert ("…" in shown(screen)) == (screen.width < 120)


def test_markup_in_a_cell_is_text(screen):
    print_table(["name", "[bold]"], [["[red]a[/red]", "b"]])
    print_facts([("[x]", "[red]")])
    assert {"[bold]", "[red]a[/red]", "[x]", "[red]"} <= words([shown(screen)])


def test_in_a_pipe_nothing_is_left_out_or_shortened(capsys, monkeypatch):
    monkeypatch.setattr(output, "console_out", Console(width=output._PIPE))
    path = "/srv/" + "long/" * 60 + "model.onnx"
    print_table(MANY, [[*ROWS[0][:5], path], ROWS[1]])
    print_facts([("file", path)])
    out = capsys.readouterr().out
    assert "…" not in out
    assert out.count(path) == 2
    assert words(texts_of(MANY, ROWS)) - words([ROWS[0][5]]) <= words([out])


def _group(values: dict, scores: Sequence[float]):
    from zoo.evaluation.run_comparison import Group, Run

    runs = [Run(seed, {"top1": score}, 60, "2026-01-01", "cpu", {}) for seed, score in enumerate(scores)]
    return Group(values, tuple(runs))


def _compare() -> tuple[Callable[[], None], list[str]]:
    from zoo.commands.compare import _print
    from zoo.evaluation.run_comparison import Comparison

    names = ("model.name", "optimizer.activation_parameters.weight_decay", "model.act")
    groups = [
        _group(dict(zip(names, ("salunet_c18_cifar", 0.00005, act), strict=True)), scores)
        for act, scores in (("swalu", (93.384, 93.5)), ("galu_of_a_long_name", (92.25,)))
    ]
    texts = [*names, "salunet_c18_cifar", "5e-05", "swalu", "galu_of_a_long_name", "93.44 ± 0.08", "92.25"]
    texts += ["group 1 group 2 group 3 runs top1 % 1 2"]
    texts += ["Mean over the runs, ± standard deviation where there are several."]
    return lambda: _print(Comparison({}, names, tuple(groups))), texts


def _matrix() -> tuple[Callable[[], None], list[str]]:
    from export.commands.check import print_matrix
    from export.pipeline.matrix import FAILED, PASSED, SIMULATED, Cell
    from export.targets import TARGETS

    columns = [(target.name, precision) for target in map(TARGETS.get, TARGETS) for precision in target.precisions]
    states = (PASSED, SIMULATED, FAILED)
    cells = [
        Cell(model=m, target=t, precision=p, input="3x32x32", status=states[i % 3], max_rel=1.5e-6)
        for m in ("salunet_c18_cifar.cifar10", "fles_minilm_l6.sst2")
        for i, (t, p) in enumerate(columns)
    ]
    return lambda: print_matrix(cells), [
        "model",
        *(c.model for c in cells),
        *sum(columns, ()),
        "FAILED 1.5e-06 ~1.5e-06",
    ]


def _latencies() -> tuple[Callable[[], None], list[str]]:
    from export.commands.bench import _print

    times = SimpleNamespace(p50_ms=1.5, p90_ms=12.25, p99_ms=1234.5)
    rows = [
        SimpleNamespace(label=label, runtime="ONNX Runtime 1.31", latency=times, memory_bytes=2.5e9, size_bytes=44e6,
                        twin="x", ratio=0.875)
        for label in ("salunet_c18_cifar.cifar10, edge_cpu", "batchnorm + relu, portable")
    ]  # fmt: skip
    result = SimpleNamespace(tokens=None, threads=2, runs=50, cpu="x86_64 AVX512", rows=rows)
    texts = ["file runtime p50 p90 p99 ms ratio memory MB", *(row.label for row in rows), "ONNX Runtime 1.31"]
    texts += ["1.50 12.25 1234.50 0.88 2500 44", "m.t: one image, 2 threads, 50 runs each, x86_64 AVX512"]
    return lambda: _print("m.t", result), texts


@pytest.mark.parametrize("make", [_compare, _matrix, _latencies])
def test_tables_of_commands(screen, make):
    show, texts = make()
    show()
    check(screen, texts)


@pytest.mark.parametrize("what", ["weights", "recipes", "tasks", "datasets"])
def test_lists(screen, what):
    from zoo.catalogue.listing import KINDS
    from zoo.commands.list import _cell, _print_table

    rows = [KINDS[what].row(name) for name in KINDS[what].names()]
    _print_table(what, rows)
    heads = [name.replace("_", " ").removeprefix("num ").removesuffix(" bytes") for name in rows[0]]
    check(screen, [what.capitalize(), *heads, *(_cell(value, key) for row in rows for key, value in row.items())])
