"""Records: read strictly, and every wrong field is named."""

import importlib
import json
import math
import re
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import TypeAdapter

from zoo.data.preprocess import Preprocess
from zoo.errors import ConfigurationError, OutputError, WeightsMismatchError
from zoo.records import ByDict, Figure, Record

PIXELS = Preprocess((3, 8, 8), "bicubic", 1.0, "center", (0.5,) * 3, (0.2,) * 3)


@dataclass(frozen=True)
class Lap:
    number: int
    seconds: Figure
    gates: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Race(Record):
    subject = "race"
    error = WeightsMismatchError
    remedy = "Run {path} again."
    derived = ("best",)

    name: str
    laps: tuple[Lap, ...]
    won: bool
    pixels: Annotated[Preprocess, ByDict()] = PIXELS
    notes: dict[str, Any] = field(default_factory=dict)

    @property
    def best(self) -> float:
        return min(lap.seconds for lap in self.laps)


@dataclass(frozen=True)
class Entry(Record):
    whole = True

    name: str
    age: int | None = None


RACE = Race(name="Ä", laps=(Lap(1, 2.5, ((0, 1),)), Lap(2, math.inf)), won=True, notes={"a": [1, None]})


def test_a_record_comes_back_and_its_file_is_plain_json(tmp_path):
    path = RACE.save(tmp_path / "race.json")
    stored = json.loads(path.read_text("utf-8"), parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert stored["laps"][1] == {"number": 2, "seconds": "inf", "gates": []}
    assert (stored["best"], stored["pixels"]) == (2.5, PIXELS.to_dict())
    assert Race.load(path) == Race.from_dict(stored) == RACE
    assert Race.from_dict(RACE.to_dict()).to_json() == path.read_text("utf-8")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"won": 1}, "won is 1, not a valid boolean"),
        ({"name": None, "won": "yes"}, "name is None, not a valid string; won is 'yes', not a valid boolean"),
        ({"laps": [{"number": "1", "seconds": 2}]}, "laps[0].number is '1', not a valid integer"),
        ({"laps": [{"number": 1.0, "seconds": 2}]}, "laps[0].number is 1.0, not a valid integer"),
        ({"laps": [{"number": 1, "seconds": "2"}]}, "laps[0].seconds is '2', not a valid number"),
        ({"laps": [{"number": 1, "seconds": 1, "gates": [[1]]}]}, "missing fields: laps[0].gates[0][1]"),
        ({"laps": [{"seconds": 1, "x": 0}]}, "missing fields: laps[0].number; unknown fields: laps[0].x"),
        ({"laps": 3}, "laps is 3, not a valid array"),
        ({"b": 1, "a": 2}, "unknown fields: a, b"),
        ({"pixels": []}, "pixels is [], not an object"),
        ({"pixels": PIXELS.to_dict() | {"crop_pct": 2}}, "pixels: Preprocessing: crop_pct is 2; give a number above 0"),
        ({"best": 1.0}, "best do not follow from the other fields; the file was edited"),
        ({"name": 100 * [1]}, "name is [1, 1, 1,"),
    ],
)
def test_what_is_wrong_is_named(change, said):
    with pytest.raises(WeightsMismatchError) as error:
        Race.from_dict(RACE.to_dict() | change)
    assert str(error.value).startswith(f"This is no race: {said}")
    assert str(error.value).endswith(". Run FILE again.")
    assert len(str(error.value)) < 250


def test_many_wrong_fields_do_not_make_a_page():
    with pytest.raises(
        WeightsMismatchError, match=r"laps\[11\] is 3, not an object; and 988 more\. Run FILE again"
    ) as error:
        Race.from_dict(RACE.to_dict() | {"laps": 1000 * [3]})
    assert len(str(error.value)) < 500


def test_what_a_file_must_have():
    values = RACE.to_dict()
    del values["best"], values["name"], values["notes"]
    with pytest.raises(WeightsMismatchError, match=r"missing fields: best, name\. "):
        Race.from_dict(values)
    with pytest.raises(ConfigurationError, match=r"This is no record: missing fields: age\.$"):
        Entry.from_dict({"name": "x"})
    assert Entry.from_dict({"name": "x", "age": None}) == Entry("x")


@pytest.mark.parametrize("values", [None, [], "text", 3])
def test_a_record_is_an_object(values):
    with pytest.raises(WeightsMismatchError, match="not an object"):
        Race.from_dict(values)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[1]", b"{}", b"[" * 100_000, b'{"name": NaN}'])
def test_a_damaged_file_is_told_with_its_place(content, tmp_path):
    (tmp_path / "r.json").write_bytes(content)
    with pytest.raises(
        WeightsMismatchError, match=r"no readable race at .*r\.json \(.*\)\. Run .*r\.json again"
    ) as error:
        Race.load(tmp_path / "r.json")
    assert len(str(error.value)) < 400 + 2 * len(str(tmp_path))


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(WeightsMismatchError, match=r"no readable race at .*No such file"):
        Race.load(tmp_path / "none.json")
    with pytest.raises(OutputError, match="it is a folder"):
        RACE.save(tmp_path)


def test_values_nested_too_deep_are_refused():
    deep: list[Any] = []
    for _ in range(500):
        deep = [deep]
    with pytest.raises(WeightsMismatchError, match="it is no JSON"):
        Race.from_dict(RACE.to_dict() | {"notes": {"a": deep}})


def records() -> list[tuple[str, str]]:
    root = Path(__file__).resolve().parent.parent
    paths = [path for package in ("zoo", "export") for path in sorted((root / package).rglob("*.py"))]
    return [
        (".".join(path.relative_to(root).with_suffix("").parts), name)
        for path in paths
        for name in re.findall(r"^class (\w+)\((?:Record|Evaluation)\):", path.read_text("utf-8"), re.MULTILINE)
    ]


@pytest.mark.parametrize(("module", "name"), records())
def test_pydantic_knows_the_type_of_every_field(module, name):
    kind = getattr(importlib.import_module(module), name)
    assert set(TypeAdapter(kind).json_schema(mode="serialization")["properties"]) == {f.name for f in fields(kind)}
