"""The few lines that read an article in a test, and where the articles are."""

from __future__ import annotations

from pathlib import Path

from cms.formats.article import FORMAT
from cms.formats.incoming import Reading, Row, Upload
from cms.formats.item import Item

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "fixtures" / "samples"
SEEDS = sorted((ROOT.parent / "shared" / "seed").glob("*.txt"))


def upload(text: str | bytes, name: str = "article.txt") -> Upload:
    return Upload(name, text.encode() if isinstance(text, str) else text)


def read(text: str | bytes, name: str = "article.txt") -> Reading:
    assert FORMAT.read is not None
    reading = FORMAT.read(upload(text, name))
    reading.rows = list(reading.rows)
    return reading


def sample(name: str) -> Reading:
    return read((SAMPLES / name).read_bytes(), name)


def item(row: Row) -> Item:
    assert row.item is not None, row.error
    return row.item


def body(row: Row) -> str:
    answers = item(row).answers
    assert len(answers) == 1
    return answers[0].body


def outline(text: str) -> list[tuple[int | None, str, str]]:
    """Return (ordinal, stem, answer) of every question."""
    return [
        (
            found.provenance.ordinal if found.provenance else None,
            found.stem,
            found.answers[0].body if found.answers else "",
        )
        for found in map(item, read(text).rows)
    ]
