"""JSON from outside, read as strictly as a bank needs it and explained to people.

The standard library parses, because it shows every key in the order written: a
key that stands twice is an error, a key that begins with 'x-' is ignored.
msgspec then checks the values against a Struct.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from textwrap import shorten
from typing import Any, TypeVar

import msgspec

from cms.text import normalize_line
from cms.vocabulary import CorrectionKind, CorrectionStatus, Difficulty, Status

T = TypeVar("T")

TOO_DEEP = "Lists or objects are nested too deeply for a question bank. Flatten them."
HALF_CHARACTER = (
    "Half a character, such as \\ud83d without its other half, stands in it. Remove it."
)
_MESSAGE = re.compile(r"(?P<problem>.*?)(?: - at `(?P<path>[^`]*)`)?", re.DOTALL)
_VOCABULARIES = {
    "$.difficulty": Difficulty,
    "$.status": Status,
    "$.corrections[].kind": CorrectionKind,
    "$.corrections[].status": CorrectionStatus,
    "$.decks[].filter.difficulty[]": Difficulty,
    "$[].filter.difficulty[]": Difficulty,
}


class JSONFault(Exception):
    """What is wrong in a text of JSON, and where: a path from '$', or a line and column."""

    def __init__(self, problem: str, place: str = "$") -> None:
        # It may quote a key of any length.
        self.problem = shorten(normalize_line(problem), 300, placeholder=" …")
        super().__init__(f"{place}: {self.problem}")
        self.place = place


def loads(text: str) -> Any:
    """Parse JSON; no object in it holds a key twice or a key that begins with 'x-'.

    :raises JSONFault: with line and column where the syntax is wrong.
    """
    try:
        value = json.loads(text, object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        raise JSONFault(
            f"This is not JSON: {error.msg}. Correct it here, or export the file again.",
            f"line {error.lineno}, column {error.colno}",
        ) from None
    except RecursionError:
        raise JSONFault(TOO_DEEP) from None
    except ValueError:
        # Python refuses to parse an integer of more than 4,300 digits.
        raise JSONFault("A number has thousands of digits. Correct it.") from None
    if "\\u" in text:
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise JSONFault(HALF_CHARACTER) from None
    return value


def convert(value: Any, to: type[T], *, strict: bool = True) -> T:
    """Return parsed JSON as a `to`; if not `strict`, texts become numbers where one is due.

    :raises JSONFault: with the path of the first value that does not fit.
    """
    try:
        return msgspec.convert(value, to, strict=strict)
    except msgspec.ValidationError as error:
        match = _MESSAGE.fullmatch(str(error))
        assert match is not None
        path = match["path"] or "$"
        raise JSONFault(_explained(match["problem"], path), path) from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = {key: value for key, value in pairs if not key.startswith("x-")}
    if len(result) < len(pairs):
        for key, times in Counter(key for key, _ in pairs).items():
            if times > 1 and key in result:
                raise JSONFault(f"The key '{key}' stands twice in one object. Remove one of them.")
    return result


def _explained(problem: str, path: str) -> str:
    """Return msgspec's words with what to do about them."""
    if problem.startswith("Object contains unknown field"):
        key = problem.split("`")[1]
        return f"Unknown key '{key}'. Correct or remove it; only keys such as 'x-…' are ignored."
    if problem.startswith("Object missing required field"):
        return f"The key '{problem.split('`')[1]}' is missing. Add it."
    vocabulary = _VOCABULARIES.get(re.sub(r"\[\d+\]", "[]", path))
    if vocabulary is not None and problem.startswith("Invalid enum value"):
        return f"{problem.removeprefix('Invalid enum value ')} is none of {', '.join(vocabulary)}."
    return f"{problem}."
