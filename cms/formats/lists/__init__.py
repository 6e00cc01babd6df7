"""A Markdown list of questions, as people keep them in public repositories (read-only).

Questions are headings, summaries, bold paragraphs, items of lists, or topics
under which something is asked; CommonMark decides what is which. The answer is
the source text of its lines. Sections become tags; signs and words of a level
become the difficulty; options that are lettered become options.

The way of a file: `blocks` parses it, `titles` says what a title means and what is
navigation, `segment` finds the questions, `questions` makes each an Item.

This file is the format's door: `reading`, and what that stands on, is imported with the
first file that is looked at.
"""

from __future__ import annotations

from cms.formats.format import QUESTION_FACTS, RECORD_FACTS, Format
from cms.formats.incoming import Reading, Upload

# What a list never says.
DROPS = (
    QUESTION_FACTS
    | RECORD_FACTS
    | {
        "answers[1:]",
        "bank",
        "decks",
        "tags.uid",
        "tags.description",
    }
)


def detect(upload: Upload) -> bool:
    """Whether a file is Markdown in which questions, or nothing but links, are listed."""
    from cms.formats.lists import reading

    return reading.detect(upload)


def read(upload: Upload) -> Reading:
    """Read a list's questions, in order; a list of links has none, and a note says so.

    :raises UnreadableFile: if the bytes are no text, or no list of questions is in it
    """
    from cms.formats.lists import reading

    return reading.read(upload)


LIST = Format(
    name="list.md",
    title="Markdown list of questions (read-only)",
    extension="list.md",
    media_type="text/markdown",
    detect=detect,
    read=read,
    drops=DROPS,
    holds="questions, answers, options, sections and difficulty of lists kept in repositories",
    checked_with="lists in the shapes of public repositories",
)
