"""Anki packages and text files: ours to the letter, those of other people by their sense."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import time
import zipfile
from contextlib import closing
from datetime import timedelta
from io import BytesIO
from pathlib import Path

import pytest

from cms.errors import UnreadableFile
from cms.formats import FORMATS, detect
from cms.formats.anki import notetype as notetypes
from cms.formats.anki.cloze import cloze_sides
from cms.formats.anki.collection import Collection, Note
from cms.formats.anki.package import zstd
from cms.formats.archive import packed
from cms.formats.assets import asset_item
from cms.formats.incoming import Reading, Row, Upload
from cms.formats.item import (
    AnswerItem,
    AssetItem,
    CorrectionItem,
    DeckItem,
    Item,
    OptionItem,
    TagItem,
)
from cms.formats.outgoing import Retirement
from cms.vocabulary import CorrectionKind
from tests.formats.pictures import photo, picture_of
from tests.formats.strategies import NOON, question, upload, written

APKG = FORMATS["apkg"]
PNG = picture_of()
PNG_NAME = f"{hashlib.sha256(PNG).hexdigest()}.png"


def collection(data: bytes) -> sqlite3.Connection:
    """Return the collection of a package that we wrote."""
    with zipfile.ZipFile(BytesIO(data)) as archive:
        database = sqlite3.connect(":memory:")
        database.deserialize(archive.read("collection.anki2"))
    return database


def fields(data: bytes, number: int = 0) -> dict[str, str]:
    rows = (
        collection(data)
        .execute("SELECT flds FROM notes JOIN cards ON nid = notes.id ORDER BY due")
        .fetchall()
    )
    return dict(zip(notetypes.FIELDS, rows[number][0].split("\x1f"), strict=True))


def read(data: bytes | Upload) -> tuple[list[Row], Reading]:
    assert APKG.read is not None
    reading = APKG.read(data if isinstance(data, Upload) else Upload("file.apkg", data))
    return list(reading.rows), reading


BASIC = {"id": 11, "name": "Basic", "type": 0, "flds": [("Front", 0), ("Back", 1), ("Extra", 2)]}
CLOZE = {"id": 12, "name": "Cloze", "type": 1, "flds": [("Text", 0), ("Back Extra", 1)]}


def legacy_database(
    notes: list[tuple[str, ...]], tags: str = "", deck: str = "Places", mid: int = 11
) -> bytes:
    """Return a collection of schema 11 as other programs make it; a note is its guid and fields."""
    database = sqlite3.connect(":memory:")
    models = {
        str(each["id"]): each | {"flds": [{"name": n, "ord": o} for n, o in each["flds"]]}  # type: ignore[attr-defined]
        for each in (BASIC, CLOZE)
    }
    database.executescript(
        "CREATE TABLE col (id, models, decks);"
        "CREATE TABLE notes (id integer primary key, guid, mid, tags, flds);"
        "CREATE TABLE cards (id integer primary key, nid, did, ord, type, due, odid);"
    )
    decks = {"1": {"name": "Default"}, "2": {"name": deck}}
    database.execute("INSERT INTO col VALUES (1, ?, ?)", (json.dumps(models), json.dumps(decks)))
    for number, (guid, *values) in enumerate(notes, start=1):
        database.execute(
            "INSERT INTO notes VALUES (?, ?, ?, ?, ?)",
            (number, guid, mid, tags, "\x1f".join(values)),
        )
        database.execute("INSERT INTO cards VALUES (?, ?, 2, 0, 0, ?, 0)", (number, number, number))
    database.commit()
    return database.serialize()


def zipped(**files: bytes) -> bytes:
    return b"".join(packed((name.replace("_", "."), data) for name, data in files.items()))


def legacy_package(
    notes: list[tuple[str, ...]], media: dict[str, bytes] | None = None, **more: object
) -> Upload:
    files = {"collection_anki2": legacy_database(notes, **more)}  # type: ignore[arg-type]
    for number, data in enumerate((media or {}).values()):
        files[str(number)] = data
    files["media"] = json.dumps(dict(enumerate(media or {}))).encode()
    return Upload("places.apkg", zipped(**files))


# --- writing ---------------------------------------------------------------------


def test_a_note_has_what_a_learner_wants_in_fields_of_their_own() -> None:
    item = question(
        stem="What does `g` hold & why?",
        context="Think of *requests*.",
        answers=[
            AnswerItem(body="```python\nx = 1\n```", applies_to="Flask >= 2.2"),
            AnswerItem(label="Short", body="A namespace."),
            AnswerItem(label="Other", body="b"),
        ],
        options=[OptionItem(text="a", correct=True), OptionItem(text="b", feedback="No.")],
        corrections=[
            CorrectionItem(kind=CorrectionKind.factual, claim="It is global.", fix="Not.")
        ],
        tags=["flask/basics"],
    )
    note = fields(written(APKG, [item]))
    assert note["Question"] == "What does <code>g</code> hold &amp; why?"
    assert note["Short answer"] == "<p>A namespace.</p>"
    assert '<span class="n">1' in note["Answer"]
    assert note["Further answers"] == '<div class="further"><h4>Other</h4><p>b</p></div>'
    assert note["Options"].startswith('<ol><li class="right"><p>a</p></li>')
    assert "<b>This answer was corrected.</b>" in note["Corrections"]
    assert note["Link"] == "https://bank.example/questions/question-1"
    (row,), _ = read(written(APKG, [item]))
    assert row.item is not None
    assert row.item.options == item.options


def test_a_note_is_known_by_its_uid_and_is_as_new_as_its_question() -> None:
    bank = [question(n, updated_at=NOON + timedelta(days=n)) for n in (1, 2)]
    database = collection(written(APKG, bank))
    notes = database.execute("SELECT guid, mod, mid, tags FROM notes ORDER BY guid").fetchall()
    day = int(timedelta(days=1).total_seconds())
    noon = int(NOON.timestamp())
    assert notes == [
        (item.uid, noon + n * day, notetypes.ID, " numbers ") for n, item in enumerate(bank, 1)
    ]
    again = collection(written(APKG, [bank[1]]))
    same = "SELECT id FROM notes WHERE guid = ?"
    assert [db.execute(same, [bank[1].uid]).fetchone() for db in (database, again)] == [
        database.execute(same, [bank[1].uid]).fetchone()
    ] * 2


def test_cards_are_in_decks_named_like_the_first_tag() -> None:
    tags = [TagItem(slug="flask", name="Flask: the web"), TagItem(slug="flask/a", name="A::a")]
    bank = [question(1, tags=["flask/a", "x"]), question(2, tags=[]), question(3, tags=["FLASK"])]
    data = written(APKG, bank, tags=tags)
    decks = json.loads(collection(data).execute("SELECT decks FROM col").fetchone()[0])
    names = {deck["name"] for deck in decks.values()}
    assert names == {
        *("Default", "A bank", "A bank::Flask: the web", "A bank::Flask: the web::A: a"),
        "A bank::FLASK",
    }
    deck = DeckItem(slug="one", title="One: deck")
    decks = json.loads(
        collection(written(APKG, bank, deck=deck)).execute("SELECT decks FROM col").fetchone()[0]
    )
    assert {each["name"] for each in decks.values()} == {"Default", "One: deck"}


def test_a_retired_question_is_a_note_with_a_banner() -> None:
    gone = Retirement(question(2).uid or "", "Old `x`?", "Wrong <b>.", NOON, "https://b.example/q")
    purged = Retirement(question(3).uid or "", "", "", NOON)
    data = written(APKG, [question(1)], retirements=[gone, purged])
    note = fields(data, 1)
    assert note["Question"] == "Old <code>x</code>?"
    assert note["Retired"] == (
        "Retired on 22 November 2026. Wrong &lt;b&gt;. "
        '<a href="https://b.example/q">This question stands for it now.</a>'
    )
    assert fields(data, 2)["Question"] == "A question that was taken out of the bank"
    tags = collection(data).execute("SELECT tags, mod FROM notes WHERE guid = ?", [gone.uid])
    assert tags.fetchone() == (" retired ", int(NOON.timestamp()))
    rows, reading = read(data)
    assert len(rows) == 1
    assert reading.notes == ["2 retired notes were left out: an import retires nothing."]


def test_images_travel_with_the_notes_that_show_them() -> None:
    asset = AssetItem(name=PNG_NAME, data=PNG)
    body = f"![a dot](asset:{PNG_NAME}) ![gone](asset:{'0' * 64}.png)"
    item = question(answers=[AnswerItem(body=body)])
    data = written(APKG, [item, question(2, context=body)], asset={PNG_NAME: asset}.get)
    with zipfile.ZipFile(BytesIO(data)) as archive:
        assert archive.read("0") == PNG
        assert json.loads(archive.read("media")) == {"0": PNG_NAME}
    assert fields(data)["Answer"] == f'<p><img src="{PNG_NAME}" alt="a dot"> gone</p>'
    rows, reading = read(data)
    assert reading.assets == [asset]
    assert rows[0].item is not None
    assert rows[0].item.answers[0].body == f"![a dot](asset:{PNG_NAME}) gone"


def test_what_anki_would_play_or_typeset_is_only_shown() -> None:
    item = question(stem="[sound:x.mp3] and [latex]?", context="`[$]x[/$]`")
    data = written(APKG, [item])
    assert "[sound:" not in fields(data)["Question"]
    (row,), _ = read(data)
    assert row.item is not None
    assert (row.item.stem, row.item.context) == (item.stem, item.context)


def test_a_changed_notetype_is_newer_than_the_last() -> None:
    """Anki keeps a notetype that says it is as old as its own: raise CHANGED with the digest."""
    state = json.dumps(notetypes.notetype() | {"mod": 0}, sort_keys=True)
    digest = hashlib.sha256(state.encode()).hexdigest()[:16]
    assert (notetypes.CHANGED, digest) == (1_795_700_000, "83aeacedd77517a9")


# --- reading other people's -----------------------------------------------------------


def items(data: Upload) -> list[Item]:
    rows, _ = read(data)
    assert [row.error for row in rows] == [None] * len(rows)
    assert all(row.through_html for row in rows)
    return [row.item for row in rows if row.item]


def test_a_basic_note_is_a_question_and_its_further_fields_say_what_they_are() -> None:
    package = legacy_package(
        [("aB#1", "Capital of <b>France</b>?", "Paris", "On the<br>Seine")],
        tags=" Geo::Western_Europe leech ",
        deck="Places::Europe",
    )
    assert detect(package) is APKG
    (item,) = items(package)
    assert item.stem == "Capital of France?"
    assert item.answers[0].body == "Paris\n\n**Extra**\n\nOn the\\\nSeine"
    assert item.tags == ["geo/western-europe", "europe"]
    assert item.uid is None
    assert item.provenance is not None
    assert (item.provenance.source, item.provenance.external_id) == ("Places", "aB#1")


def test_a_guid_that_is_a_uuid_is_the_questions_uid() -> None:
    uid = question(7).uid or ""
    (item,) = items(legacy_package([(uid.upper(), "One?", "1")], deck="Default"))
    assert item.uid == uid
    assert item.provenance is not None
    assert item.provenance.source == "places"


def test_a_front_of_several_lines_is_a_stem_with_a_context() -> None:
    front = "<div>What is printed?</div><pre><code>print(1)</code></pre>"
    (item,) = items(legacy_package([("g", front, "1")]))
    assert item.stem == "What is printed?"
    assert item.context == "What is printed?\n\n```\nprint(1)\n```"


def test_a_cloze_asks_with_gaps_and_answers_in_full() -> None:
    text = "The {{c1::sun}} is {{c2::hot::temperature}} and {{c1::{{c3::very}} far}}."
    (item,) = items(legacy_package([("g", text, "Extra")], mid=12))
    assert item.stem == "The […] is [temperature] and […]."
    assert item.answers[0].body.startswith("The **sun** is **hot** and **very far**.")
    assert "**Back Extra**\n\nExtra" in item.answers[0].body


@pytest.mark.parametrize(
    ("text", "front", "back"),
    [
        ("{{c1::a", "", "<b>a"),
        ("a}} b::c", "a}} b::c", "a}} b::c"),
        ("{{c1::a::b::c}}", "[b::c]", "<b>a</b>"),
        ("{{c1::" * 3 + "x" + "}}" * 3, "[…]", "<b>x</b>"),
    ],
)
def test_clozes_that_are_not_well_formed_lose_no_word(text: str, front: str, back: str) -> None:
    assert cloze_sides(text) == (front, back)


def test_media_are_taken_in_or_named() -> None:
    front = "<img src='a%20b.png'> which? [sound:x.mp3] <img src=gone.png> <img src=c.bmp alt=bmp>"
    package = legacy_package([("g", front, "1")], {"a b.png": PNG, "c.bmp": b"BM"})
    rows, reading = read(package)
    assert rows[0].item is not None
    assert rows[0].item.stem == "which?"
    assert rows[0].item.context == f"![](asset:{PNG_NAME}) which? bmp"
    assert [each.name for each in reading.assets] == [PNG_NAME]
    assert reading.notes == [
        "Images left out, their words kept: 'gone.png' is not in the file, "
        "'c.bmp': This is no image that the bank keeps. PNG, JPEG, GIF, WebP and SVG are.",
        "Sounds left out, which a bank cannot hold: x.mp3.",
    ]


def test_a_photo_leaves_behind_where_it_was_taken() -> None:
    rows, reading = read(legacy_package([("g", "What? <img src=a.jpg>", "1")], {"a.jpg": photo()}))
    assert rows[0].item is not None
    (kept,) = reading.assets
    assert kept == asset_item(photo())
    assert kept.data != photo()
    assert f"asset:{kept.name}" in rows[0].item.context


def test_a_card_that_is_an_image_asks_an_editor_for_words() -> None:
    rows, _ = read(legacy_package([("g", "<img src=a.png>", "1")], {"a.png": PNG}))
    assert rows[0].item is not None
    assert rows[0].item.context == f"![](asset:{PNG_NAME})"
    assert [damage.passage for damage in rows[0].damages] == [rows[0].item.stem]


# --- hostile ---------------------------------------------------------------------------

DAMAGED = "The collection in this package is damaged"


def altered(script: str) -> bytes:
    database = sqlite3.connect(":memory:")
    database.deserialize(legacy_database([("g", "One?", "1")]))
    database.executescript(script)
    return database.serialize()


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"collection_anki2": b"no database"}, "collection.anki2 is no database"),
        ({"collection_anki2": b"SQLite format 3\0" + b"\xff" * 5_000}, DAMAGED),
        ({"collection_anki2": legacy_database([])[:6_000]}, DAMAGED),
        ({"collection_anki2": altered("DROP TABLE notes")}, "it has no table 'notes'"),
        (
            {
                "collection_anki2": altered(
                    "DROP TABLE notes; CREATE VIEW notes AS WITH RECURSIVE n(id) AS "
                    "(SELECT 1 UNION ALL SELECT id + 1 FROM n) SELECT id, 1 AS guid FROM n"
                )
            },
            "it has no table 'notes'",
        ),
        ({"collection_anki2": altered("UPDATE col SET models = '['")}, "cannot be read"),
        ({"collection_anki2": altered("UPDATE col SET models = '[1]'")}, "cannot be read"),
        (
            {"collection_anki2": altered("UPDATE notes SET flds = zeroblob(6000000)")},
            "string or blob too big",
        ),
        ({"collection_anki21b": b"nothing"}, DAMAGED),
        ({"collection_anki21b": zstd.compress(b"x" * 1000)[:-9]}, DAMAGED),
        ({"collection_anki21b": zstd.compress(bytes(200_000_001))}, "more than 200,000,000 bytes"),
        (
            {"collection_anki2": legacy_database([]), "media": b"[1"},
            "its list of media cannot be read",
        ),
        (
            {"collection_anki21b": zstd.compress(b"x"), "media": zstd.compress(b"\x0a\xff\x01")},
            "its list of media cannot be read",
        ),
        ({"readme": b"x"}, "No collection of Anki is in this archive"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_package_that_is_damaged_or_hostile_is_refused(
    files: dict[str, bytes], said: str
) -> None:
    begin = time.process_time()
    with pytest.raises(UnreadableFile) as caught:
        read(zipped(**files))
    assert said in str(caught.value)
    assert time.process_time() - begin < 5


def test_what_is_no_archive_is_no_package() -> None:
    with pytest.raises(UnreadableFile, match="This is no Anki package"):
        read(b"text")


def test_a_trigger_of_a_package_never_fires(tmp_path: Path) -> None:
    data = altered("CREATE TRIGGER t AFTER UPDATE ON notes BEGIN DELETE FROM notes; END")
    rows, _ = read(zipped(collection_anki2=data))
    assert len(rows) == 1


def test_a_sample_is_known_whatever_it_is_called() -> None:
    assert detect(upload(written(APKG, [question()]))) is APKG


# --- plain text ------------------------------------------------------------------------

TEXT = FORMATS["anki.txt"]


def read_text(data: str, name: str = "places.anki.txt") -> list[Row]:
    assert TEXT.read is not None
    return list(TEXT.read(upload(data, name)).rows)


def test_a_text_is_read_by_its_headers() -> None:
    uid = question(1).uid
    rows = read_text(
        "#separator:semicolon\n#html:true\n#guid column:1\n#notetype column:2\n"
        "#deck column:3\n#tags column:6\n#columns:guid;type;deck;Front;Back;Tags\n"
        f'{uid};Basic;Places::Europe;"Capital; of <b>France</b>?";"Paris\n""city""";geo leech\n'
        "x;Cloze;Places;The {{c1::sun}} is hot.;;\n"
    )
    assert [row.error for row in rows] == [None, None]
    first, second = (row.item for row in rows)
    assert first is not None
    assert second is not None
    assert (first.uid, first.stem, first.answers[0].body) == (
        uid,
        "Capital; of France?",
        'Paris\n"city"',
    )
    assert first.tags == ["geo", "europe"]
    assert (second.stem, second.answers[0].body) == ("The […] is hot.", "The **sun** is hot.")


def test_a_text_without_headers_is_columns_between_tabs_and_no_html() -> None:
    (row,) = read_text("What is 1 < 2?\tIt is <true>.\n")
    assert row.item is not None
    assert (row.item.stem, row.item.answers[0].body) == ("What is 1 < 2?", "It is \\<true>.")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("#separator:dots\na\tb", "#separator: 'dots' is no separator. Write one of tab, comma"),
        ("#tags column:x\na\tb", "#tags column: 'x' is no column's number. Count them from 1."),
        ("no columns at all", "line 1: Neither a header of Anki's nor columns between tabs"),
    ],
)
def test_a_text_that_cannot_be_read_is_refused_with_its_place(data: str, said: str) -> None:
    with pytest.raises(UnreadableFile) as caught:
        read_text(data)
    assert said in str(caught.value)


def test_notes_whose_ids_would_be_the_same_have_their_own_and_the_first_keeps_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = {"a": 5, "b": 7, "c": 5, "d": 5, "e": 6}
    monkeypatch.setattr(
        "cms.formats.anki.collection.best_id", lambda name: wanted.get(name, 1) + 10**12
    )
    path = tmp_path / "collection.anki2"
    collection = Collection(path, notetypes.notetype())
    for guid in wanted:
        collection.add(Note(guid, ["Stem?"] * 14, (), (), NOON))
    collection.close(NOON)
    with closing(sqlite3.connect(path)) as database:
        notes = database.execute("SELECT guid, id - 1000000000000 FROM notes ORDER BY guid")
        assert dict(notes.fetchall()) == {"a": 5, "b": 7, "c": 8, "d": 9, "e": 6}
        cards = database.execute("SELECT nid - 1000000000000 FROM cards ORDER BY due")
        assert cards.fetchall() == [(5,), (7,), (8,), (9,), (6,)]
