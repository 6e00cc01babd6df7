"""TSV for learning programs: a question and a short answer on each line, a tab between them.

Quizlet and its like take two columns of plain text, without header and without
quoting, so that no cell can hold a tab or a line break. Reading is `table`'s.
"""

from __future__ import annotations

from collections.abc import Iterator

from cms.formats.format import BANK_FACTS, QUESTION_FACTS, RECORD_FACTS, Format, Purpose
from cms.formats.item import AnswerItem, Item
from cms.formats.outgoing import Entry, Export, gathered
from cms.markup import plain_inline, plain_text
from cms.text import normalize_line

SHORT = 500
"""Characters after which a short answer takes no further paragraph."""

_LABELS = ("short", "brief", "in short")

DROPS = (
    QUESTION_FACTS
    | BANK_FACTS
    | RECORD_FACTS
    | {
        "context",
        "difficulty",
        "tags",
        "answers[1:]",
        "options",
        "provenance",
    }
)


def write(export: Export) -> Iterator[bytes]:
    """Write a line for each question: its stem, a tab, its short answer."""
    return gathered(map(_line, export.entries))


def _line(entry: Entry) -> bytes:
    item = entry.item
    return f"{normalize_line(plain_inline(item.stem))}\t{short_answer(item)}\n".encode()


def short_answer(item: Item) -> str:
    """Return the answer labeled 'Short', else the beginning of the canonical one, on one line.

    The beginning is the first paragraph, and those after it that fit into
    `SHORT` characters with it. It is plain text; empty without an answer.
    """
    if not item.answers:
        return ""
    labeled = [each for each in item.answers if each.label.casefold() in _LABELS]
    if labeled:
        return normalize_line(plain_text(labeled[0].body))
    return _beginning(item.answers[0])


def _beginning(answer: AnswerItem) -> str:
    taken = ""
    for line in plain_text(answer.body).splitlines():
        longer = normalize_line(f"{taken} {line}")
        if taken and len(longer) > SHORT:
            break
        taken = longer
    return taken


TSV = Format(
    name="tsv",
    title="TSV: question and short answer, for Quizlet and its like",
    extension="tsv",
    media_type="text/tab-separated-values; charset=utf-8; header=absent",
    purpose=Purpose.learn,
    detect=lambda _upload: False,
    write=write,
    drops=DROPS,
    holds="stems and short answers as plain text, for programs with two columns",
    checked_with="our own reader of tables",
)
