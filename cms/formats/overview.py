"""The table of docs/formats.md, made of what the formats declare.

`python -m cms.formats.overview docs/formats.md` makes it anew.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from cms.formats import FORMATS
from cms.formats.format import Format

BEGIN = "<!-- Made by: python -m cms.formats.overview docs/formats.md -->"
END = "<!-- The end of the table. -->"

# What several drops mean together, the longest first.
_TOGETHER: tuple[tuple[frozenset[str], str], ...] = (
    (
        frozenset({"release", "published_at", "updated_at", "status", "revision", "content_hash"}),
        "what the bank knows of its revisions",
    ),
    (
        frozenset({"release", "published_at", "updated_at", "status", "content_hash"}),
        "what the bank knows of its revisions but their number",
    ),
    (frozenset({"tags.uid", "tags.name", "tags.description"}), "names and descriptions of tags"),
    (frozenset({"tags.uid", "tags.description"}), "descriptions of tags"),
    (frozenset({"uid", "slug"}), "uids and slugs"),
    (frozenset({"bank"}), "the bank's head"),
    (frozenset({"assets.alt"}), "descriptions of images that no text has"),
    (frozenset({"assets"}), "images"),
    (frozenset({"answers[1:]"}), "further answers"),
    (frozenset({"answers[1:].sources"}), "sources of further answers"),
    (
        frozenset({"answers.sources.title", "answers.sources.accessed_on"}),
        "titles and dates of sources",
    ),
)


def table_of(formats: Iterable[Format]) -> str:
    """Return the formats as a table of Markdown: what each reads, writes, holds and drops."""
    head = "| name | file | reads | writes | holds | drops | checked with |\n"
    rows = [
        f"| `{each.name}` | `.{each.extension}` | {_yes(each.read)} | {_yes(each.write)} "
        f"| {each.holds} | {drops_in_words(each)} | {each.checked_with} |\n"
        for each in formats
    ]
    return head + "|" + "---|" * 7 + "\n" + "".join(rows)


def drops_in_words(format: Format) -> str:
    """Return what a file of a format cannot hold, or does not say."""
    left = set(format.drops)
    words: list[str] = []
    for together, meaning in _TOGETHER:
        if together <= left:
            left -= together
            words.append(meaning)
    return ", ".join([*(f"`{name}`" for name in sorted(left)), *words]) or "nothing"


def with_table(document: str, formats: Iterable[Format]) -> str:
    """Return a document with the table between its two comments made anew.

    :raises ValueError: if it has no such comments
    """
    before, begin, rest = document.partition(f"{BEGIN}\n")
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"there is no {BEGIN} with {END} after it")
    return f"{before}{BEGIN}\n\n{table_of(formats)}\n{END}{after}"


def _yes(way: object) -> str:
    return "yes" if way else "no"


if __name__ == "__main__":
    for path in map(Path, sys.argv[1:]):
        path.write_text(with_table(path.read_text(), FORMATS.values()))
