"""Notion's exports: databases with their properties and pages, trees of pages, images."""

from __future__ import annotations

import hashlib

import pytest

from cms.errors import UnreadableFile
from cms.formats import FORMATS, detect
from cms.formats.archive import packed
from cms.formats.assets import asset_item
from cms.formats.incoming import Reading, Upload
from cms.formats.item import Item
from cms.formats.notion import read
from tests.formats.pictures import DRAWING, picture_of

NOTION = FORMATS["notion"]
PNG = picture_of()
CSV = (
    "\ufeffName,Tags,Difficulty,Status,Link\r\n"
    'What is a port?,"Networks, Basics",Easy,Done,https://a.example/\r\n'
    "What is a lock?,Data,Hard,,\r\n"
    "What is a lock?,Programs,Medium,,\r\n"
    "Only a row?,,,,\r\n"
)


def id_of(number: int) -> str:
    return f"{number:032x}"


def export(files: dict[str, bytes | str]) -> Upload:
    data = {name: each.encode() if isinstance(each, str) else each for name, each in files.items()}
    return Upload("Export.zip", b"".join(packed(data.items())))


FILES: dict[str, bytes | str] = {
    f"Bank {id_of(1)}.csv": "Name\r\nWhat is a port?\r\n",
    f"Bank {id_of(1)}_all.csv": CSV,
    f"Bank/What is a port {id_of(2)}.md": (
        "# What is a port?\n\nTags: Networks, Basics\nDifficulty: Easy\nStatus: Done\n"
        "Link: https://a.example/\n\nA number.\n\nNote: it is small.\n\n"
        "![A plan](What%20is%20a%20port/plan%20(1).png)\n\n"
        f"![Far](https://far.example/x.png) and [a lock](What%20is%20a%20lock%20{id_of(3)}.md)\n\n"
        "- More\n\n    It is folded.\n"
    ),
    "Bank/What is a port/plan (1).png": PNG,
    f"Bank/What is a lock {id_of(3)}.md": (
        "# What is a lock?\n\nTags: Programs\nDifficulty: Medium\n\nTwo.\n"
    ),
    f"Bank/What is a lock {id_of(4)}.md": (
        "# What is a lock?\n\nTags: Data\nDifficulty: Hard\n\nOne.\n"
    ),
}


def items(reading: Reading) -> list[Item]:
    rows = list(reading.rows)
    assert [row.error for row in rows] == [None] * len(rows)
    return [row.item for row in rows if row.item]


def test_each_row_of_a_database_is_a_question_with_its_page() -> None:
    file = export(FILES)
    assert detect(file) is NOTION
    reading = read(file)
    port, first, second, alone = items(reading)
    assert (port.stem, port.difficulty, port.tags) == (
        "What is a port?",
        "easy",
        ["networks", "basics"],
    )
    name = f"{hashlib.sha256(PNG).hexdigest()}.png"
    assert port.answers[0].body == (
        f"A number.\n\nNote: it is small.\n\n![A plan](asset:{name})\n\n"
        "![Far](https://far.example/x.png) and a lock\n\n- More\n\n    It is folded."
    )
    assert [source.url for source in port.answers[0].sources] == ["https://a.example/"]
    assert port.provenance is not None
    assert (port.provenance.source, port.provenance.external_id) == ("Bank", id_of(2))
    # Pages of one title are told apart by their properties.
    assert [(each.tags, each.answers[0].body) for each in (first, second)] == [
        (["data"], "One."),
        (["programs"], "Two."),
    ]
    assert (alone.stem, alone.answers) == ("Only a row?", [])
    assert [(asset.name, asset.data) for asset in reading.assets] == [(name, PNG)]
    notes = "\n".join(reading.notes)
    assert "properties that no question has here: Status" in notes
    assert "Images that lie elsewhere stay links to them: https://far.example/x.png" in notes
    assert "are words now: Bank/What is a lock" in notes


def test_parts_that_are_zips_are_read_as_one_export() -> None:
    parts = [dict(list(FILES.items())[start::2]) for start in (0, 1)]
    file = export({f"Part-{n}.zip": export(part).data for n, part in enumerate(parts, start=1)})
    assert detect(file) is NOTION
    assert len(items(read(file))) == 4


def test_other_pages_are_questions_lists_of_them_or_the_way_to_them() -> None:
    reading = read(
        export(
            {
                f"Home {id_of(1)}.md": f"# Home\n\n[Data](Home/Data%20{id_of(2)}.md)\n",
                f"Home/Data {id_of(2)}.md": (
                    "# Data\n\n- What is a lock?\n\n    It keeps others out.\n\n"
                    "- What is a hash?\n\n    A short number.\n"
                ),
                f"Home/What is left {id_of(3)}.md": "# What is left?\n\nNothing.\n",
                f"Home/Empty {id_of(4)}.md": "# Empty\n",
            }
        )
    )
    found = [(item.stem, item.answers[0].body) for item in items(reading)]
    assert found == [
        ("What is a lock?", "It keeps others out."),
        ("What is a hash?", "A short number."),
        ("What is left?", "Nothing."),
    ]
    assert "Left out, pages that only lead to others: Home." in reading.notes
    assert "Left out, pages without text: Empty." in reading.notes


def test_images_are_known_by_their_content_and_others_are_told() -> None:
    reading = read(
        export(
            {
                f"What {id_of(1)}.md": (
                    "# What?\n\n![a](What/a.png) ![b](What/b.svg) ![c](What/c.bmp)\n"
                ),
                f"Why {id_of(2)}.md": "# Why?\n\n![again](What/b.svg)\n",
                "What/a.png": b"no image",
                "What/b.svg": DRAWING,
                "What/c.bmp": b"BM",
                "What/d.pdf": b"%PDF",
            }
        )
    )
    what, why = items(reading)
    svg = asset_item(DRAWING).name
    assert what.answers[0].body == f"a ![b](asset:{svg}) c"
    assert why.answers[0].body == f"![again](asset:{svg})"
    assert [asset.name for asset in reading.assets] == [svg]
    notes = "\n".join(reading.notes)
    assert "This is no image that the bank keeps. PNG, JPEG, GIF, WebP and SVG are" in notes
    assert "What/a.png, What/c.bmp" in notes
    assert "files of other kinds: What/d.pdf" in notes


@pytest.mark.parametrize(
    ("file", "said"),
    [
        (export({"a.md": "# What?\n"}), "No page of Notion's is in it"),
        (Upload("a.zip", b"no zip"), "This is no zip. Export from Notion"),
        (
            export({f"{n}.zip": b"PK\x05\x06" for n in range(51)}),
            "It has 51 zips in it, the limit is 50.",
        ),
        (export({"Part-1.zip": b"PK\x03\x04 damaged"}), "The archive is damaged"),
    ],
    ids=["names", "no zip", "many zips", "damaged part"],
)
def test_what_is_no_export_is_refused_with_what_to_do(file: Upload, said: str) -> None:
    assert not NOTION.detect(file)
    with pytest.raises(UnreadableFile) as caught:
        list(read(file).rows)
    assert said in str(caught.value)


def test_parts_are_bounded_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cms.formats.notion.TOTAL_LIMIT", 10_000)
    page = export({f"What {id_of(1)}.md": "# What?\n\n" + "x" * 6_000}).data
    with pytest.raises(UnreadableFile) as caught:
        read(export({"Part-1.zip": page, "Part-2.zip": page}))
    assert "its parts have more than 10,000 bytes" in str(caught.value)


def test_a_damaged_table_is_an_error_with_its_name() -> None:
    (row, *_) = read(export({f"Bank {id_of(1)}.csv": 'Name\r\n"What'})).rows
    assert row.place == f"Bank {id_of(1)}.csv"
    assert "The table is damaged" in str(row.error)
