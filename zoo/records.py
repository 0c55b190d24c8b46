"""Records: data that goes into a file or comes from one. pydantic reads it strictly; one place says what is wrong.

A record is a frozen dataclass. Code of this project makes one like any other; what comes from outside is checked field
by field, with no conversion: "1" is no number, 1.0 no whole number, and every wrong field is named.
"""

import json
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from functools import cache, reduce
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

from pydantic import (
    BeforeValidator,
    GetCoreSchemaHandler,
    PlainSerializer,
    StringConstraints,
    TypeAdapter,
    ValidationError,
)
from pydantic_core import ErrorDetails, PydanticSerializationError, core_schema, to_json

from zoo.documents import json_in
from zoo.errors import ConfigurationError, ZooError
from zoo.files import write_atomic

_adapter: Callable[[type], TypeAdapter[Any]] = cache(TypeAdapter)
_NOT_FINITE = {text: float(text) for text in ("inf", "-inf", "nan")}
# So many problems are told; the others are counted.
_MOST = 12
_WORDS = {"Input should be": "not", "greater than or equal to": "at least", "less than or equal to": "at most"}
UNKNOWN = ("extra_forbidden", "unexpected_keyword_argument")
"""Kinds of error of a field that the type does not have."""


def figure(value: Any) -> Any:
    """A number, ready for JSON, which knows no infinity and no NaN: such a one becomes text, "inf"."""
    return str(value) if str(value) in _NOT_FINITE else value


LONGEST = 1000
"""Characters of a class name from outside, and of what else a card tells in a line."""
ClassName = Annotated[str, StringConstraints(max_length=LONGEST)]
Figure = Annotated[
    float,
    BeforeValidator(lambda value: _NOT_FINITE.get(value, value) if isinstance(value, str) else value),
    PlainSerializer(figure, when_used="json"),
]
"""A number of a record that may be infinite or NaN; see `figure`."""


class ByDict:
    """Marks, in `Annotated`, a class that has a `from_dict` and a `to_dict` of its own."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        """Read an object with the one, and write with the other."""
        return core_schema.no_info_after_validator_function(
            source.from_dict,
            core_schema.dict_schema(),
            serialization=core_schema.plain_serializer_function_ser_schema(source.to_dict),
        )


class Record:
    """Base of a frozen dataclass whose values go into a file or come from one.

    A subclass names its `subject` and the `error` to raise, with a `remedy`, in which {path} is the file. `derived` are
    properties that are written for readers of the file, and checked when it is read back. With `whole` a file has every
    field; otherwise those with a default, which are younger than the first files, may be missing. Plain dataclasses in
    its fields are read as strictly.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = {"strict": True, "extra": "forbid"}
    subject: ClassVar[str] = "record"
    error: ClassVar[type[ZooError]] = ConfigurationError
    remedy: ClassVar[str] = ""
    derived: ClassVar[tuple[str, ...]] = ()
    whole: ClassVar[bool] = False

    def to_dict(self) -> dict[str, Any]:
        """All fields and the derived ones, ready for JSON."""
        values: dict[str, Any] = _adapter(type(self)).dump_python(self, mode="json")
        return values | {name: getattr(self, name) for name in self.derived}

    def to_json(self) -> str:
        """`to_dict` as text, in the form of a saved file."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False) + "\n"

    def save(self, path: str | Path) -> Path:
        """Write the record as JSON, atomically.

        Raises:
            OutputError: the file cannot be written.
        """
        return write_atomic(path, lambda file: file.write_text(self.to_json(), encoding="utf-8"))

    @classmethod
    def from_dict(cls, values: Any) -> Self:
        """The inverse of `to_dict`.

        Raises:
            ZooError: that of the class, where fields are missing, unknown or wrong; each is named.
        """
        try:
            return cls.checked(values)
        except ConfigurationError as error:
            raise cls.error(f"This is no {cls.subject}: {error}. {cls.remedy.format(path='FILE')}".strip()) from error

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a saved record.

        Raises:
            ZooError: that of the class, where the file is missing or damaged.
        """
        try:
            return cls.checked(json_in(path))
        except (OSError, ValueError) as error:
            remedy = cls.remedy.format(path=shlex.quote(str(path)))
            said = f"There is no readable {cls.subject} at {path} ({error}). {remedy}"
            raise cls.error(said.strip()) from error

    @classmethod
    def checked(cls, values: Any) -> Self:
        """Make the record that these values give.

        Raises:
            ConfigurationError: what is wrong, in words for a sentence to hold.
        """
        if not isinstance(values, Mapping):
            raise ConfigurationError(f"it is {_short(values)}, not an object")
        absent = {*cls.derived, *(field.name for field in fields(cls) if cls.whole)} - set(values)  # type: ignore[arg-type]
        given = {key: item for key, item in values.items() if key not in cls.derived}
        record: Self = check(cls, given, absent)
        wrong = [name for name in cls.derived if getattr(record, name) != values[name]]
        if wrong:
            raise ConfigurationError(f"{', '.join(wrong)} do not follow from the other fields; the file was edited")
        return record


def check(kind: Any, values: Any, absent: Iterable[str] = ()) -> Any:
    """What pydantic makes of these values.

    Args:
        kind: a record, or another type that pydantic knows.
        values: as they come from JSON.
        absent: fields known to be missing, to be named with the others.

    Raises:
        ConfigurationError: what is wrong, in words for a sentence to hold.
    """
    try:
        found, errors = attempt(kind, values)
    except PydanticSerializationError as error:
        raise ConfigurationError(f"it is no JSON: {error}") from error
    if errors or absent:
        raise ConfigurationError(_in_words(errors, absent))
    return found


def attempt(kind: Any, values: Any) -> tuple[Any, list[ErrorDetails]]:
    """What pydantic makes of these values and no errors, or None and what is wrong; see `place_of` and `reason_of`."""
    try:
        return _adapter(kind).validate_json(to_json(values)), []
    except ValidationError as error:
        return None, error.errors(include_url=False)


def schema_of(kind: Any) -> dict[str, Any]:
    """JSON Schema of a type that pydantic knows."""
    return _adapter(kind).json_schema()


def place_of(error: ErrorDetails) -> str:
    """The field that is wrong, such as `data.scale[1]`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error["loc"]).lstrip(".")


def reason_of(error: ErrorDetails) -> str:
    """What was found in a field and what is wanted there."""
    said = reduce(lambda text, pair: text.replace(*pair), _WORDS.items(), error["msg"])
    return f"{place_of(error) or 'it'} is {_short(error['input'])}, {said[0].lower()}{said[1:]}"


def read(kind: Any, path: Path, what: str) -> Any:
    """A value of `kind` in a JSON file.

    Args:
        kind: a type that pydantic knows; `ByDict` in `Annotated` for a class that reads itself.
        path: the file.
        what: what it should hold, with its form, for the message.

    Raises:
        ConfigurationError: the file cannot be read, or holds something else.
    """
    try:
        return check(kind, json_in(path))
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path} is no {what}: {error}.") from error


def _in_words(errors: Sequence[ErrorDetails], absent: Iterable[str]) -> str:
    """Tell what is wrong: every field, what was found there and what is wanted."""
    missing, unknown, wrong = set(absent), [], []
    for error in errors[:_MOST]:
        place = place_of(error)
        if error["type"] == "missing":
            missing.add(place)
        elif error["type"] in UNKNOWN:
            unknown.append(place)
        elif error["type"] == "value_error":
            wrong.append(f"{place}: {error['ctx']['error']}".removeprefix(": ").removesuffix("."))
        else:
            wrong.append(reason_of(error))
    groups = {"missing fields": sorted(missing), "unknown fields": sorted(unknown)}
    wrong += [f"and {len(errors) - _MOST} more"] if len(errors) > _MOST else []
    return "; ".join([*(f"{name}: {', '.join(places)}" for name, places in groups.items() if places), *wrong])


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
