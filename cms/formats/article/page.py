"""A file as numbered lines of text, whether it was text or a saved web page."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date

from cms.text import normalize_text


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the article; `number` is where it stands in the file, from 1."""

    number: int
    text: str


@dataclass(slots=True)
class Page:
    """An article's lines and what its file says about it.

    `markup` tells whether the lines are Markdown: of a converted web page
    always, of a text if it uses fences, headings, bold or links.
    """

    lines: list[Line]
    markup: bool
    title: str = ""
    url: str = ""
    date: str = ""
    notes: list[str] = field(default_factory=list)


_MARKDOWN = re.compile(
    r"^(?:```|~~~|#{2,6} \S)|\]\(https?://"
    r"|^[ \t]*+(?:#{1,6}[ ]|\d{1,4}[.)][ ]|[-*][ ])?\*\*[^*\n]{1,300}\*\*",
    re.MULTILINE,
)


def text_page(text: str) -> Page:
    """Return a plain or Markdown text as a page."""
    text = normalize_text(text).replace("\u00a0", " ")
    lines = [Line(number, line) for number, line in enumerate(text.split("\n"), start=1)]
    return Page(lines, markup=bool(_MARKDOWN.search(text)))


# --- dates ---------------------------------------------------------------------

_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_DATED = re.compile(
    r"[*_]{0,2}(?:last\s+)?(?:updated|modified|published|posted|reviewed)(?:\s++(?:on|at))?[*_]{0,2}\s*+[:\-–]?\s*+"
    r"[*_]{0,2}(?P<date>[\w ,./-]{6,30})",
    re.IGNORECASE,
)
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}")
_DAY_FIRST = re.compile(
    r"(?P<day>\d{1,2})(?:st|nd|rd|th)?[ -]+(?P<month>[A-Za-z]{3,9})\.?,?[ -]+(?P<year>\d{4})"
)
_MONTH_FIRST = re.compile(
    r"(?P<month>[A-Za-z]{3,9})\.? +(?P<day>\d{1,2})(?:st|nd|rd|th)?,? +(?P<year>\d{4})"
)


def dated(text: str) -> str:
    """Return the date of a line such as 'Last Updated : 3 Mar, 2025' as ISO 8601, else ''."""
    found = _DATED.match(text.strip())
    return iso_date(found["date"]) if found else ""


def iso_date(text: str) -> str:
    """Return the date that a text begins with as ISO 8601, '' if it is none (or ambiguous)."""
    if found := _ISO.match(text):
        year, month, day = map(int, found.group().split("-"))
    elif found := _DAY_FIRST.match(text) or _MONTH_FIRST.match(text):
        name = found["month"][:3].lower()
        if name not in _MONTHS:
            return ""
        year, month, day = int(found["year"]), _MONTHS.index(name) + 1, int(found["day"])
    else:
        return ""
    try:
        return date(year, month, day).isoformat()
    except ValueError:
        return ""


# --- notes ---------------------------------------------------------------------

_QUOTED = 60
_STARTS = 3


def start_of(text: str) -> str:
    """Return the beginning of a text, quoted for a note."""
    text = " ".join(text.split())
    return f"“{text}”" if len(text) <= _QUOTED else f"“{text[:_QUOTED].rstrip()}…”"


class Omissions:
    """Which of a page's lines were left out of the answers, and why."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self._lines = lines
        self._reasons: dict[int, str] = {}

    def add(self, indexes: Iterable[int], reason: str) -> None:
        """Record that the lines at `indexes` were left out; the first reason given stays."""
        for index in indexes:
            if self._lines[index].text.strip():
                self._reasons.setdefault(index, reason)

    def __contains__(self, index: int) -> bool:
        return index in self._reasons

    def notes(self) -> list[str]:
        """Return one sentence for each group of neighbors left out for one reason."""
        groups: list[tuple[str, list[Line]]] = []
        current = ""
        for index, line in enumerate(self._lines):
            if not line.text.strip():
                continue
            reason = self._reasons.get(index, "")
            if reason and reason == current:
                groups[-1][1].append(line)
            elif reason:
                groups.append((reason, [line]))
            current = reason
        return [
            f"{_place(lines)} left out ({reason}): {starts_of([line.text for line in lines])}"
            for reason, lines in groups
        ]


def _place(lines: Sequence[Line]) -> str:
    first, last = lines[0].number, lines[-1].number
    return f"Line {first} was" if first == last else f"Lines {first} to {last} were"


def starts_of(texts: Sequence[str]) -> str:
    """Return the beginnings of some texts, quoted for a note; of many the first ones."""
    starts = ", ".join(map(start_of, texts[:_STARTS]))
    more = len(texts) - _STARTS
    return f"{starts} and {more} more." if more > 0 else f"{starts}."
