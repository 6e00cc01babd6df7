"""Anki: packages (`.apkg`), written for learners and read from anybody, and its text files.

A package that we write updates the notes of those who have it already: each note is
known by the question's uid, and is as new as the question. What is asked of a
collection for that stands in `notetype.py` and `collection.py`.
What reads notes is imported with the first file that has some.
"""

from __future__ import annotations

from cms.errors import UnreadableFile
from cms.formats.anki import text
from cms.formats.anki.notetype import DROPS
from cms.formats.anki.package import COLLECTIONS, Package
from cms.formats.anki.writing import write
from cms.formats.archive import Archive, is_archive
from cms.formats.format import Format, Purpose
from cms.formats.incoming import Reading, Upload

__all__ = ["ANKI_TEXT", "APKG"]


def detect(upload: Upload) -> bool:
    """Whether it is an archive with a collection of Anki in it."""
    if not is_archive(upload):
        return False
    try:
        names = Archive(upload).names
    except UnreadableFile:
        return False
    return any(name in names for name in COLLECTIONS)


def read(upload: Upload) -> Reading:
    """Read a package of any Anki; the collection is opened as its rows are read.

    :raises UnreadableFile: when it is damaged, too large, or no package at all
    """
    if not is_archive(upload):
        raise UnreadableFile(
            upload.name, "This is no Anki package. Export one in Anki: 'Anki Deck Package'."
        )
    from cms.formats.anki.notes import NoteReader

    package = Package(upload)
    reading = Reading(rows=())
    source = upload.name.removesuffix(".apkg") or upload.name
    reading.rows = NoteReader(source, package.media, reading).rows(package.notes())
    return reading


APKG = Format(
    name="apkg",
    title="Anki: a deck that updates what learners have",
    extension="apkg",
    media_type="application/vnd.anki",
    purpose=Purpose.learn,
    detect=detect,
    read=read,
    write=write,
    drops=DROPS,
    also=("colpkg",),
    through_html=True,
    holds="a note for each question; retired ones come as updates",
    checked_with="the official `anki` package",
)
# Where it has no header it may be any table: then its name, or a person, has to say what it is.
ANKI_TEXT = Format(
    name="anki.txt",
    title="Anki: notes in plain text",
    extension="anki.txt",
    media_type="text/plain; charset=utf-8",
    detect=text.detect,
    read=text.read,
    through_html=True,
    holds="notes of any notetype, without their images",
    checked_with="the official `anki` package",
)
