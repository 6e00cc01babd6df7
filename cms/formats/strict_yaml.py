"""YAML, read as strictly as a bank needs it, and written so that every reader agrees on it.

No scalar has a type by its look: the field that it is for decides. So 'no' and
'2026-11-22' are texts where a text is due, '2.10' does not become 2.1, and
people need not know when to quote. Anchors, aliases and tags are refused: a
bank has no use for them, and a few lines with them fill any memory.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

import yaml

from cms.formats.strict_json import TOO_DEEP, JSONFault

# A correction's source in a front matter is at depth 4.
_DEPTH_LIMIT = 20
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})


def loads(text: str, *, first_line: int = 1) -> Any:
    """Parse one document of YAML; its scalars are texts, and what is null is left out.

    `strict_json.convert(…, strict=False)` gives them their types. As in JSON, no
    mapping holds a key twice or a key that begins with 'x-'.

    :raises JSONFault: with the line, counted from `first_line`.
    """
    events = yaml.parse(text, Loader=yaml.CSafeLoader)
    try:
        return _Builder(events, first_line).document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise JSONFault(
            f"This is not YAML: {error.problem or error.context}. A text that begins with a sign, "
            "or holds ': ' or ' #', has to stand in quotes.",
            f"line {(mark.line if mark else 0) + first_line}",
        ) from None
    except yaml.reader.ReaderError as error:
        lines_before = text.encode()[: error.position].count(b"\n")
        raise JSONFault(
            f"The character U+{error.character:04X} may not stand in YAML. Remove it.",
            f"line {lines_before + first_line}",
        ) from None


class _Builder:
    """Makes a document from the parser's events, which come one by one however deep it is."""

    def __init__(self, events: Iterator[Any], first_line: int) -> None:
        self._events = events
        self._first_line = first_line

    def document(self) -> Any:
        next(self._events)  # The stream's start; each document has a start and an end, too.
        if isinstance(next(self._events), yaml.StreamEndEvent):
            return None
        value = self._value(next(self._events), depth=0)
        next(self._events)
        if not isinstance(event := next(self._events), yaml.StreamEndEvent):
            raise self._fault(event, "A second document begins here. Remove the line '---'.")
        return value

    def _value(self, event: Any, *, depth: int) -> Any:
        self._refuse_references(event)
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event)
        if depth == _DEPTH_LIMIT:
            raise self._fault(event, TOO_DEEP)
        if isinstance(event, yaml.SequenceStartEvent):
            values = []
            while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
                values.append(self._value(event, depth=depth + 1))
            return values
        return self._mapping(depth=depth + 1)

    def _mapping(self, *, depth: int) -> dict[str, Any]:
        values: dict[str, Any] = {}
        seen: set[str] = set()
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            self._refuse_references(event)
            if not isinstance(event, yaml.ScalarEvent):
                raise self._fault(event, "A key has to be a word. Correct it.")
            key = event.value
            if key in seen:
                raise self._fault(
                    event, f"The key '{key}' stands twice in one mapping. Remove one of them."
                )
            seen.add(key)
            value = self._value(next(self._events), depth=depth)
            if not key.startswith("x-") and value is not None:
                values[key] = value
        return values

    def _scalar(self, event: yaml.ScalarEvent) -> str | None:
        is_plain = event.implicit[0]
        return None if is_plain and event.value in _NULLS else str(event.value)

    def _refuse_references(self, event: Any) -> None:
        if getattr(event, "anchor", None) is not None:
            raise self._fault(
                event, "Anchors (&) and aliases (*) are not read. Write the text out, or quote it."
            )
        if getattr(event, "tag", None) is not None:
            raise self._fault(event, "Tags (!) are not read. Remove it, or quote the text.")

    def _fault(self, event: Any, problem: str) -> JSONFault:
        return JSONFault(problem, f"line {event.start_mark.line + self._first_line}")


# --- writing ---------------------------------------------------------------------


class _Dumper(yaml.CSafeDumper):
    def ignore_aliases(self, _data: Any) -> bool:
        return True


class _ReadableDumper(yaml.SafeDumper):
    """libyaml writes emoji as escapes; this one, in Python and eight times slower, as they are."""

    def ignore_aliases(self, _data: Any) -> bool:
        return True


def _text(dumper: Any, text: str) -> Any:
    is_block = "\n" in text and not text.endswith("\n")
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if is_block else None)


def _moment(dumper: Any, moment: date) -> Any:
    text = moment.isoformat().replace("+00:00", "Z")
    return dumper.represent_scalar("tag:yaml.org,2002:timestamp", text)


# PyYAML quotes what YAML 1.1 takes for a number; these are numbers in YAML 1.2 only.
_NUMBERS_OF_1_2 = re.compile(
    r"(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|0o[0-7]+)$"
)
for _dumper in (_Dumper, _ReadableDumper):
    _dumper.add_representer(str, _text)
    _dumper.add_representer(date, _moment)
    _dumper.add_representer(datetime, _moment)
    _dumper.add_implicit_resolver("tag:yaml.org,2002:float", _NUMBERS_OF_1_2, list("-+.0123456789"))


def dumps(value: Any) -> str:
    """Return plain data as YAML: keys in their order, long lines whole, several lines as a block.

    A text that any reader of YAML 1.1 or 1.2 would take for something else is quoted.
    """
    text = _dumped(value, _Dumper)
    return _dumped(value, _ReadableDumper) if "\\U" in text else text


def _dumped(value: Any, dumper: type[_Dumper] | type[_ReadableDumper]) -> str:
    text: str = yaml.dump(
        value,
        Dumper=dumper,
        allow_unicode=True,
        default_flow_style=False,
        sort_keys=False,
        width=2**31 - 1,
    )
    return text
