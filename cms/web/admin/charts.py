"""The charts of the dashboard: what is drawn where, and where each number leads.

Lengths across are in percent of the chart's width and those down in pixels, so
that a chart fits every window while its letters keep their size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flask import url_for

from cms.services.figures import (
    DIFFICULTIES,
    NO_DIFFICULTY,
    BankFigures,
    Counted,
    Tally,
    WeekFigures,
    week_span,
)
from cms.services.statuses import STATUSES
from cms.web.pages import count_of, day

ROW = 44
"""Height of a row with its bar, in pixels: it is a target of a finger, too."""
COLUMN = 80
"""Height of the longest column of a chart of weeks."""
# Above and below the columns: a row of words, and the numbers at the columns' ends.
_HEAD = 20
_NUMBERS = 16
# The least length that can be seen, in percent.
_LEAST = 0.7
_LABEL = 34  # characters
_SHADES = 4
# Of a week's width, on both sides of its columns.
_MARGIN = 0.2
# Every so many weeks one is named.
_NAMED = 3

# How the bars of statuses are drawn.
_KINDS = {"published": "live", "changed": "warm", "retired": "gone"}


@dataclass(frozen=True, slots=True)
class Number:
    """A number that leads to the list behind it; `words` tell what it counts."""

    count: int
    url: str
    words: str


@dataclass(frozen=True, slots=True)
class Bar:
    """A row of a chart. `part` of its number is drawn over it, `length` and `part_length` wide."""

    label: str
    number: Number
    y: int
    length: float
    kind: str = ""
    part: Number | None = None
    part_length: float = 0


@dataclass(frozen=True, slots=True)
class BarChart:
    """Rows with bars, and the same numbers as a table of (heading, numbers)."""

    bars: Sequence[Bar]
    columns: Sequence[str]
    rows: Sequence[tuple[str, Sequence[Number]]]

    @property
    def height(self) -> int:
        return ROW * len(self.bars)


@dataclass(frozen=True, slots=True)
class Column:
    """A number of a week, up from the base line or down from it."""

    number: Number
    x: float
    width: float
    y: int
    height: int
    at: int
    """Where the number is written."""


@dataclass(frozen=True, slots=True)
class Week:
    """A week begins at `x`, in percent; `label` is empty where none is written."""

    name: str
    x: float
    opened: Column
    decided: Column
    middle: float
    label: str


@dataclass(frozen=True, slots=True)
class WeekChart:
    """Corrections opened above the base line, and those decided below it, on one scale."""

    weeks: Sequence[Week]
    base: int
    height: int
    width: float
    """Of a week, in percent."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A number of a table, the darker the larger: `shade` is at most 4.

    It is 0 for none, which is a gap where there should be something.
    """

    number: Number
    shade: int
    gap: bool = False


@dataclass(frozen=True, slots=True)
class Coverage:
    """What readers have of each tag, by difficulty; `gaps` is how many levels have nothing."""

    columns: Sequence[str]
    rows: Sequence[tuple[str, Sequence[Cell]]]
    gaps: int


@dataclass(frozen=True, slots=True)
class Charts:
    """Everything that the dashboard draws; `weeks` is None where nothing happened in them."""

    questions: Number
    statuses: BarChart
    tags: BarChart | None
    more_tags: int
    coverage: Coverage | None
    weeks: WeekChart | None


def charts_of(counted: Counted) -> Charts | None:
    """Return the charts of the bank's figures; None where there is no question to count."""
    figures = counted.figures
    if not figures.all.questions:
        return None
    tags = _tag_chart(figures)
    return Charts(
        questions=_number(figures.all.questions, ""),
        statuses=_status_chart(figures.all),
        tags=tags,
        more_tags=figures.more_tags,
        coverage=_coverage(figures) if tags else None,
        weeks=_week_chart(figures.weeks),
    )


def _number(count: int, about: str, noun: str = "question", **filters: Any) -> Number:
    """Return a number of questions; `about` says of which, `noun` what they are called."""
    said = f"{about}: {count_of(count, noun)}" if about else count_of(count, noun)
    return Number(count, url_for("desk_questions.index_view", **filters), said)


def _length(count: int, most: int) -> float:
    """Return how long a bar is, in percent of the longest possible one."""
    return round(max(100 * count / most, _LEAST), 2) if count else 0.0


# --- statuses and tags -----------------------------------------------------------------


def _status_chart(tally: Tally) -> BarChart:
    most = max(*tally.by_status.values(), 1)
    bars, rows = [], []
    for place, (name, count) in enumerate(tally.by_status.items()):
        words = STATUSES[name][0]
        label = words[:1].upper() + words[1:]
        number = _number(count, label, status=name)
        length = _length(count, most)
        bars.append(Bar(label, number, ROW * place, length, _KINDS.get(name, "")))
        rows.append((label, [number]))
    return BarChart(bars, ["Status", "Questions"], rows)


def _tag_chart(figures: BankFigures) -> BarChart | None:
    parts = [(slug, {"tag": slug}, tally) for slug, tally in figures.tags.items()]
    if not parts:
        return None
    if figures.untagged.questions:
        parts.append(("No tag", {"untagged": "yes"}, figures.untagged))
    most = max(tally.questions for *_, tally in parts)
    bars, rows = [], []
    for place, (label, filters, tally) in enumerate(parts):
        number = _number(tally.questions, label, **filters)
        by_status = {
            name: _number(count, f"{label}, {STATUSES[name][0]}", **filters, status=name)
            for name, count in tally.by_status.items()
        }
        published = tally.by_status["published"]
        live = _number(published, label, "published question", **filters, status="published")
        bars.append(
            Bar(
                _short(label),
                number,
                ROW * place,
                _length(number.count, most),
                part=live,
                part_length=_length(live.count, most),
            )
        )
        rows.append((label, [number, *by_status.values()]))
    statuses = (STATUSES[name][0] for name in figures.all.by_status)
    return BarChart(
        bars, ["Tag", "All", *(words[:1].upper() + words[1:] for words in statuses)], rows
    )


def _short(label: str) -> str:
    return label if len(label) <= _LABEL else f"{label[: _LABEL - 1]}…"


def _coverage(figures: BankFigures) -> Coverage:
    """Return what is published of the tags; those whose questions are all drafts are gaps, too."""
    most = max((max(tally.published.values()) for tally in figures.tags.values()), default=0)
    rows = []
    for slug, tally in figures.tags.items():
        cells = []
        for level in DIFFICULTIES:
            count = tally.published[level]
            said = level if level != NO_DIFFICULTY else "no difficulty given"
            number = _number(
                count, f"{slug}, {said}, published", tag=slug, difficulty=level, status="published"
            )
            gap = not count and level != NO_DIFFICULTY
            cells.append(Cell(number, -(-_SHADES * count // most) if count else 0, gap))
        total = sum(tally.published.values())
        number = _number(total, f"{slug}, published", tag=slug, status="published")
        rows.append((slug, [*cells, Cell(number, 0)]))
    gaps = sum(
        not cell.number.count for _, cells in rows for cell in cells[: len(DIFFICULTIES) - 1]
    )
    columns = ["Tag", *(level.capitalize() for level in DIFFICULTIES[:-1]), "None", "All"]
    return Coverage(columns, rows, gaps)


# --- weeks -----------------------------------------------------------------------------


def _week_chart(weeks: Sequence[WeekFigures]) -> WeekChart | None:
    most = max((max(week.opened, week.decided) for week in weeks), default=0)
    if not most:
        return None
    width = round(100 / len(weeks), 3)
    base = _HEAD + _NUMBERS + COLUMN
    return WeekChart(
        weeks=[
            _week(week, place, len(weeks), width, base, most) for place, week in enumerate(weeks)
        ],
        base=base,
        height=2 * base + _HEAD,
        width=width,
    )


def _week(week: WeekFigures, place: int, weeks: int, width: float, base: int, most: int) -> Week:
    monday = day(week_span(week.week)[0]).rpartition(" ")[0]
    last = place == weeks - 1
    x = round(place * width, 3)

    def column(count: int, verb: str, *, up: bool) -> Column:
        height = max(round(COLUMN * count / most), 1) if count else 0
        number = Number(
            count,
            f"{url_for('desk_corrections.index_view')}?{verb}={week.week}",
            f"Week of {monday}: {count_of(count, 'correction')} {verb}",
        )
        drawn = round(x + width * _MARGIN, 3), round(width * (1 - 2 * _MARGIN), 3)
        if up:
            return Column(number, *drawn, base - height, height, base - height - 4)
        return Column(number, *drawn, base, height, base + height + 12)

    return Week(
        name="This week" if last else monday,
        x=x,
        opened=column(week.opened, "opened", up=True),
        decided=column(week.decided, "decided", up=False),
        middle=round(x + width / 2, 3),
        label="this week" if last else monday if (weeks - 1 - place) % _NAMED == 0 else "",
    )
