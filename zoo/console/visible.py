"""Text from files and from the Hub as a terminal may show it: no character in it does anything."""

import json
import re

# C0 but tab and newline, DEL, C1, line separators, marks that turn the direction of writing, halves of surrogate pairs.
_ACTING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_BREAKING = re.compile("[\t\n]")


def visible(text: str) -> str:
    """The text with each character that acts on a terminal written out, such as `\\u001b`, as JSON writes it."""
    return _ACTING.sub(_written, text)


def one_line(text: str) -> str:
    """The same with tabs and newlines written out, so that no text of a file passes for another line of ours."""
    return _BREAKING.sub(_written, visible(text))


def quoted(text: object) -> str:
    """The text as Python and JSON take it, in double quotes: for code that we print."""
    return visible(json.dumps(str(text), ensure_ascii=False))


def _written(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"
