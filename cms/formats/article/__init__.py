"""A scraped or pasted question-and-answer article, in text or HTML (read-only).

Headings such as 'Q 1. …', 'Q33.…', '1) …' or 'Question 5: …', in any mixture,
start a question; 'Answer:' and its like are labels. Navigation, introductions,
conclusions and links to other articles become no content, but a line in the
report. What looks damaged carries a warning for the editor.

The way of a file: `page` or `webpage` makes numbered lines of it, `headings`,
`choosing` and `segment` find the questions, `markdown` (with `codelines`, `tables` and
`inline`) writes each answer, `damage` and `codedamage` look for what is wrong.

This file is the format's door: `reading`, and what that stands on, is imported with the
first file that is looked at.
"""

from __future__ import annotations

from cms.formats.format import QUESTION_FACTS, RECORD_FACTS, Format
from cms.formats.incoming import Reading, Upload

# An article states questions, their answers and where they come from; nothing else.
DROPS = (
    QUESTION_FACTS
    | RECORD_FACTS
    | {
        "context",
        "difficulty",
        "tags",
        "decks",
        "withdrawn",
    }
)


def detect(upload: Upload) -> bool:
    """Whether a file is an article: text or HTML with at least two questions' headings."""
    from cms.formats.article import reading

    return reading.detect(upload)


def read(upload: Upload) -> Reading:
    """Read an article's questions, in order, each with its answer and its warnings.

    :raises UnreadableFile: if the bytes are no text, or no question is in it.
    """
    from cms.formats.article import reading

    return reading.read(upload)


FORMAT = Format(
    name="article",
    title="Article (text or HTML, read-only)",
    extension="article",
    media_type="text/plain",
    detect=detect,
    read=read,
    drops=DROPS,
    holds="questions, answers and where they come from, of prose that was pasted or saved",
    checked_with="articles as they are found, scraped and saved",
)
