"""What holds of every format. A format takes part by standing in FORMATS."""

from __future__ import annotations

import codecs
import subprocess
import sys
from itertools import cycle

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from cms.errors import InvalidInput, UnreadableFile
from cms.formats import FORMATS, Format, by_extension, by_name, detect
from cms.formats.archive import Archive, is_archive, packed
from cms.formats.assets import asset_item, names_in
from cms.formats.html import to_html
from cms.formats.incoming import Upload
from cms.formats.item import AssetItem, Item, stripped
from tests.formats.pictures import picture_of
from tests.formats.strategies import any_text, assets, banks, question, upload, written

ALL = list(FORMATS.values())
READABLE = [each for each in ALL if each.read]
WRITABLE = [each for each in ALL if each.write]
BOTH = [each for each in ALL if each.read and each.write]
# Of the others a single file may be text, too.
ARCHIVES_ALONE = frozenset({"apkg"})
TEXTS = [each for each in READABLE if each.name not in ARCHIVES_ALONE]

HOSTILE = (
    "</script><script>alert(1)</script><img src=x onerror=alert(1)> & \"quotes\" 'too' "
    "{{ 7*7 }} ${x} %s \\u0041 javascript:alert(1)"
)

# A file of every format that cannot be written, in our own words.
SAMPLES: dict[str, bytes] = {
    "anki.txt": (
        b"#separator:tab\n#html:true\n#tags column:3\n"
        b"What is a kettle?\tA vessel in which <b>water</b> is boiled.\tkitchen\n"
        b'When does water boil?\t"At 100 degrees.<br>""Roughly."""\tkitchen physics\n'
    ),
    "article": (
        b"Questions About Kettles\n\n"
        b"Q 1. What is a kettle?\n\nAnswer:\n\nA kettle is a vessel in which water is boiled.\n\n"
        b"Q 2. Why does a kettle whistle?\n\nSteam leaves it through a narrow opening.\n\n"
        b"Q 3. When does water boil?\n\nAt 100 degrees, if the pressure is that of the sea level.\n"
    ),
    "list.md": (
        b"# About Kettles\n\n## Parts\n\n### What is a spout?\n\nWater leaves by it.\n\n"
        b"### What is a lid?\n\nWhat keeps the heat in.\n"
    ),
    "notion": b"".join(
        packed(
            (f"Kettles {number:032x}.md", f"# What is part {number}?\n\nIt is one.\n".encode())
            for number in (1, 2)
        )
    ),
    "table": (
        "Frage;Antwort;Thema\n"
        "Was ist ein Kessel?;Ein Gefäß, in dem Wasser kocht.;Küche\n"
        "Warum pfeift er?;Dampf entweicht durch eine enge Öffnung.;Küche\n"
    ).encode(),
}


def named(formats: list[Format]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("format", formats, ids=[each.name for each in formats])


def sample(format: Format) -> bytes:
    return written(format, [question(1), question(2)]) if format.write else SAMPLES[format.name]


def is_accounted_for(format: Format, file: Upload) -> bool:
    """Whether a file is refused with a reason, or each of its rows is a question or an error."""
    assert format.read is not None
    try:
        rows = list(format.read(file).rows)
    except UnreadableFile as error:
        return bool(error.problem)
    return all((row.item is None) == bool(row.error) for row in rows)


def said(format: Format, item: Item | None) -> Item | None:
    """Return a question as its format can say it: where texts are HTML, as what they say."""
    if item is None or not format.through_html:
        return item
    answers = [replace(each, body=to_html(each.body)) for each in item.answers]
    options = [
        replace(each, text=to_html(each.text), feedback=to_html(each.feedback))
        for each in item.options
    ]
    return replace(item, context=to_html(item.context), answers=answers, options=options)


def recoded(data: bytes, encoding: str, mark: bytes) -> bytes:
    """Return a file, or every file of an archive, in another encoding."""
    if not is_archive(upload(data)):
        try:
            return mark + data.decode().encode(encoding)
        except UnicodeDecodeError:
            return data  # It is no text, such as a database or an image.
    archive = Archive(upload(data))
    return b"".join(
        packed((name, recoded(archive.read(name).data, encoding, mark)) for name in archive.names)
    )


def test_names_and_extensions_are_unique() -> None:
    assert list(FORMATS) == [each.name for each in ALL]
    endings = [ending for each in ALL for ending in each.endings]
    assert len(set(endings)) == len(endings)
    assert not any(ending.startswith("..") for ending in endings)


@named(ALL)
def test_every_format_goes_some_way_and_explains_its_options(format: Format) -> None:
    assert format.read or format.write
    assert format.title
    assert "/" in format.media_type
    assert all(format.options.values())


@named(BOTH)
@given(bank=banks)
def test_what_is_written_is_read_again_but_for_what_is_declared(
    format: Format, bank: list[Item]
) -> None:
    assert format.read is not None
    rows = list(format.read(upload(written(format, bank))).rows)
    assert [row.error for row in rows] == [None] * len(bank)
    assert [said(format, row.item) for row in rows] == [
        said(format, stripped(item, format.drops)) for item in bank
    ]


def illustrated(bank: list[Item], images: list[AssetItem]) -> list[Item]:
    """Return a bank whose first answers show an image each, twice as many times as there are."""
    shown = cycle(images)
    for item in bank:
        for answer in item.answers[:1]:
            # Before the text: behind it may be the inside of a block of code.
            answer.body = f"![a picture](asset:{next(shown).name})\n\n{answer.body}"
    return bank


@named(BOTH)
@given(bank=banks, images=assets.filter(bool))
def test_images_travel_with_the_questions_that_show_them(
    format: Format, bank: list[Item], images: list[AssetItem]
) -> None:
    assert format.read is not None
    bank = illustrated(bank, images)
    held = {each.name: each for each in images}
    reading = format.read(upload(written(format, bank, asset=held.get)))
    assert not [row.error for row in reading.rows if row.error]
    named_in = dict.fromkeys(name for item in bank for name in names_in(item) if name in held)
    expected = [] if "assets" in format.drops else [held[name] for name in named_in]
    if "assets.alt" in format.drops:
        expected = [replace(each, alt="") for each in expected]
    assert reading.assets == expected
    assert not reading.notes


@named(WRITABLE)
def test_an_image_that_the_bank_lacks_keeps_nothing_from_being_written(format: Format) -> None:
    bank = illustrated([question(1)], [asset_item(picture_of())])
    assert written(format, bank, asset=lambda _name: None)


_DIGESTS = """
import hashlib
from tests.formats.strategies import question, written
from cms.formats import FORMATS
bank = [question(number, tags=["b", "a"]) for number in range(1, 9)]
for each in FORMATS.values():
    if each.write:
        print(each.name, hashlib.sha256(written(each, bank)).hexdigest())
"""


def test_the_same_bank_gives_the_same_bytes_in_every_process() -> None:
    outputs = {
        subprocess.run(
            [sys.executable, "-c", _DIGESTS],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ".", "TZ": zone},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for seed, zone in (("1", "UTC"), ("2", "Asia/Kathmandu"))
    }
    (output,) = outputs
    assert [line.split()[0] for line in output.splitlines()] == [each.name for each in WRITABLE]


@named(READABLE)
@pytest.mark.parametrize("name", ["file", "file.dat", "FILE.TXT"])
def test_a_file_is_known_by_its_content_whatever_its_name(format: Format, name: str) -> None:
    assert detect(Upload(name, sample(format))) is format


@named(READABLE)
def test_only_one_format_claims_a_file(format: Format) -> None:
    found = [each.name for each in READABLE if each.detect(upload(sample(format)))]
    assert found[0] == format.name
    assert len(found) == 1 or found[1:] == ["article"]


@named(BOTH)
def test_an_empty_bank_is_written_and_read(format: Format) -> None:
    assert format.read is not None
    assert list(format.read(upload(written(format, []))).rows) == []


@named(BOTH)
@pytest.mark.parametrize(
    ("encoding", "mark"),
    [
        ("utf-8", b""),
        ("utf-8", codecs.BOM_UTF8),
        ("utf-16-le", codecs.BOM_UTF16_LE),
        ("utf-16-be", codecs.BOM_UTF16_BE),
    ],
)
def test_a_file_is_read_in_every_encoding_that_names_itself(
    format: Format, encoding: str, mark: bytes
) -> None:
    assert format.read is not None
    data = recoded(written(format, [question(stem="Où est l’été — 漢字 😀?")]), encoding, mark)
    assert detect(upload(data)) is format
    (row,) = format.read(upload(data)).rows
    assert row.item is not None
    assert row.item.stem == "Où est l’été — 漢字 😀?"


@named(TEXTS)
@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"caf\xe9 " * 10, "Byte 3 (0xe9) is not UTF-8"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "is not UTF-8"),
        (b"line\nuid\0stem", "line 2: A NUL stands here"),
        ("uid,stem".encode("utf-16-le"), "A NUL stands here"),
        (b"\xff\xfeu\x00\x00\xd8", "is not UTF-16-LE"),
    ],
)
def test_bytes_that_are_no_text_are_refused_with_their_place(
    format: Format, data: bytes, said: str
) -> None:
    assert format.read is not None
    with pytest.raises(UnreadableFile) as caught:
        list(format.read(Upload("bank.file", data)).rows)
    assert said in str(caught.value)
    assert str(caught.value).startswith("bank.file, line ")
    assert "Save the file as UTF-8" in str(caught.value)


@named(READABLE)
@given(data=st.binary(max_size=200) | any_text.map(str.encode))
def test_nothing_but_a_reasoned_refusal_comes_of_noise(format: Format, data: bytes) -> None:
    assert format.read is not None
    format.detect(upload(data))
    assert is_accounted_for(format, upload(data))


@named(BOTH)
@given(data=st.data())
def test_a_damaged_export_is_read_as_far_as_it_goes_or_refused(
    format: Format, data: st.DataObject
) -> None:
    assert format.read is not None
    whole = bytearray(written(format, [question(1), question(2)]))
    at = data.draw(st.integers(0, len(whole)))
    whole[at : at + data.draw(st.integers(0, 40))] = data.draw(st.binary(max_size=4))
    assert is_accounted_for(format, upload(bytes(whole)))


@named(BOTH)
def test_html_and_script_survive_as_text_in_every_field(format: Format) -> None:
    assert format.read is not None
    hostile = question(stem=HOSTILE, context=HOSTILE)
    hostile.answers[0].body = HOSTILE
    (row,) = format.read(upload(written(format, [hostile]))).rows
    assert said(format, row.item) == said(format, stripped(hostile, format.drops))


@named(BOTH)
def test_a_question_without_stem_is_the_only_one_refused(format: Format) -> None:
    assert format.read is not None
    bank = [question(1), question(2, stem=" \n "), question(3)]
    first, empty, third = format.read(upload(written(format, bank))).rows
    assert first.item
    assert third.item
    assert empty.item is None
    assert empty.error == "It is empty. Write the question."
    assert "stem" in empty.place


@named(BOTH)
def test_an_answer_beyond_the_limit_is_refused_with_its_size(format: Format) -> None:
    assert format.read is not None
    greatest, beyond = question(1), question(2)
    greatest.answers[0].body = "é" * 100_000
    beyond.answers[0].body = "é" * 100_001
    fits, refused = format.read(upload(written(format, [greatest, beyond]))).rows
    assert fits.item
    assert refused.error
    assert "200,002 bytes, the limit is 200,000" in refused.error


@named(BOTH)
def test_a_uid_that_stands_twice_is_refused_where_it_stands_again(format: Format) -> None:
    assert format.read is not None
    bank = [question(1), question(2), question(1, stem="Again?")]
    first, second, again = format.read(upload(written(format, bank))).rows
    assert first.item
    assert second.item
    assert again.error
    assert "stands in this file already, at " + first.place in again.error
    assert "Remove one of the two" in again.error


@named(BOTH)
def test_a_uid_that_is_no_uuid_is_refused_or_the_id_of_another_program(format: Format) -> None:
    assert format.read is not None
    (row,) = format.read(upload(written(format, [question(uid="17")]))).rows
    if row.item is None:
        assert row.error == "'17' is not a UUID. Leave the uid out to make it a new one."
    else:
        # Programs that give ids of their own make nobody's mistake by them.
        assert row.item.uid is None
        assert row.item.provenance
        assert (row.item.provenance.external_id or "").endswith("17")


@named(READABLE)
@pytest.mark.parametrize("bomb", [b"[" * 100_000, b'{"a":' * 100_000, b'{"questions":[' * 50_000])
def test_hostile_depth_is_refused(format: Format, bomb: bytes) -> None:
    assert format.read is not None
    found = Upload(f"bomb.{format.extension}", bomb)
    format.detect(found)
    assert is_accounted_for(format, found)


def test_a_name_finds_its_format_and_an_unknown_one_lists_them_all() -> None:
    assert by_name("csv") is FORMATS["csv"]
    with pytest.raises(InvalidInput) as caught:
        by_name("docx")
    assert "'docx'" in str(caught.value)
    assert all(name in str(caught.value) for name in FORMATS)


@named(ALL)
def test_an_extension_finds_its_format(format: Format) -> None:
    assert format.endings[0] == f".{format.extension}"
    for ending in format.endings:
        assert by_extension(f"bank{ending}") is format
        assert by_extension(f"BANK.2026{ending.upper()}") is format


@pytest.mark.parametrize("name", ["bank", "bank.docx", "json", "bankjson", ""])
def test_a_foreign_extension_finds_no_format(name: str) -> None:
    assert by_extension(name) is None


def test_the_longest_extension_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    short = Format("short", "Short", "xml", "text/xml", detect=lambda _: False)
    monkeypatch.setitem(FORMATS, "short", short)
    assert by_extension("x.moodle.xml") is FORMATS["moodle.xml"]
    assert by_extension("x.xml") is short


def test_a_file_of_no_format_is_refused_with_what_can_be_read() -> None:
    with pytest.raises(UnreadableFile) as caught:
        detect(Upload("picture.png", b"\x89PNG\r\n\x1a\n"))
    assert str(caught.value).startswith("picture.png: ")
    assert all(each.name in str(caught.value) for each in READABLE)


def test_a_damaged_file_is_explained_by_the_format_that_its_name_says() -> None:
    assert detect(Upload("bank.csv", b"\xff\x00")) is FORMATS["csv"]
    assert detect(Upload("bank.json", b"")) is FORMATS["json"]
    assert detect(Upload("bank.jsonl", b'{"uid": "1", "stem')) is FORMATS["jsonl"]
