"""The exchange formats: one file each, one dict, and how a file finds its own."""

from __future__ import annotations

from cms.errors import InvalidInput, UnreadableFile
from cms.formats.anki import ANKI_TEXT, APKG
from cms.formats.article import FORMAT as ARTICLE
from cms.formats.csv import CSV
from cms.formats.format import Format
from cms.formats.gift import GIFT
from cms.formats.incoming import Upload
from cms.formats.json import JSON, JSONL
from cms.formats.lists import LIST
from cms.formats.markdown import MARKDOWN
from cms.formats.moodle import MOODLE_XML
from cms.formats.notion import NOTION
from cms.formats.obsidian import OBSIDIAN
from cms.formats.qti import QTI
from cms.formats.table import TABLE
from cms.formats.tsv import TSV

__all__ = ["FORMATS", "Format", "by_extension", "by_name", "detect"]

# Detection asks them in this order: prose, which may look like anything, comes last.
FORMATS: dict[str, Format] = {
    each.name: each
    for each in (
        *(JSON, JSONL, ANKI_TEXT, CSV, NOTION, MARKDOWN, APKG, OBSIDIAN, MOODLE_XML, QTI, GIFT),
        *(TSV, TABLE, LIST, ARTICLE),
    )
}


def by_name(name: str) -> Format:
    """Return the format called `name`, the word of `--format`.

    :raises InvalidInput: if there is none; it lists the names.
    """
    try:
        return FORMATS[name]
    except KeyError:
        raise InvalidInput(
            f"There is no format '{name}'. Choose one of {', '.join(FORMATS)}.", field="format"
        ) from None


def by_extension(file_name: str) -> Format | None:
    """Return the format whose extension ends `file_name`, or None.

    The longest extension wins: 'x.moodle.xml' is not 'xml'. A format that can
    only be read is found too; a caller that writes has to look at `write`.
    """
    endings = [(ending, each) for each in FORMATS.values() for ending in each.endings]
    for ending, found in sorted(endings, key=lambda pair: -len(pair[0])):
        if file_name.lower().endswith(ending):
            return found
    return None


def detect(upload: Upload) -> Format:
    """Return the format that a file is written in, as its content shows.

    The name decides only where no format knows the content: a damaged file is
    then explained by the format that it was meant to be.

    :raises UnreadableFile: if nothing fits; it lists what can be read.
    """
    readable = [each for each in FORMATS.values() if each.read is not None]
    for found in readable:
        if found.detect(upload):
            return found
    named = by_extension(upload.name)
    if named is not None and named.read is not None:
        return named
    raise UnreadableFile(
        upload.name,
        "Its content is in none of the known formats: "
        f"{', '.join(each.name for each in readable)}. "
        "Name the format if it is one of them.",
    )
