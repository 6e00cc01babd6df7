"""JSON and JSONL: lossless, streamed, and exact about what is wrong and where."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cms.errors import UnreadableFile
from cms.formats import FORMATS
from cms.formats.incoming import Reading, Row, Upload
from cms.formats.item import BankItem, Item, TombstoneItem
from cms.formats.outgoing import Entry, Export
from tests.formats.strategies import banks, decks, question, tags, tombstones, upload, written

JSON, JSONL = FORMATS["json"], FORMATS["jsonl"]


def read(text: str | bytes) -> Reading:
    assert JSON.read is not None
    return JSON.read(upload(text, "bank.json"))


def read_lines(text: str | bytes) -> Reading:
    assert JSONL.read is not None
    return JSONL.read(upload(text, "bank.jsonl"))


def document(*questions: Any, **members: Any) -> str:
    head = {"format": "question-bank", "version": 1}
    return json.dumps(head | {"questions": list(questions)} | members)


def only(rows: Any) -> Row:
    (row,) = rows
    return row


# --- writing ---------------------------------------------------------------------


def test_a_document_is_the_contract_with_a_line_per_question() -> None:
    text = written(JSON, [question(1), question(2)]).decode()
    parsed = json.loads(text)
    assert list(parsed) == ["format", "version", "bank", "tags", "decks", "questions"]
    assert parsed["format"] == "question-bank"
    assert parsed["version"] == 1
    assert parsed["bank"] == {
        "title": "A bank",
        "url": "https://bank.example/",
        "release": 1,
        "generated_at": "2026-11-22T12:00:00Z",
    }
    assert list(parsed["questions"][0])[:3] == ["uid", "slug", "stem"]
    assert parsed["questions"][0]["published_at"] == "2026-11-22T12:00:00Z"
    assert [line for line in text.splitlines() if '"stem"' in line] == [
        msgspec.json.encode(question(1)).decode() + ",",
        msgspec.json.encode(question(2)).decode(),
    ]


@pytest.mark.parametrize("name", ["json", "jsonl"])
def test_a_document_of_the_shelf_goes_out_byte_for_byte(name: str) -> None:
    # Not as this program would encode it, but what the shelf says is what was published.
    kept = b'{ "uid" : "01920000-0000-7000-8000-000000000001", "stem": "\\u0041?" }'
    assert kept in written(FORMATS[name], [], entries=[Entry(kept)])


@pytest.mark.parametrize("name", ["json", "jsonl", "csv"])
def test_an_export_takes_one_question_at_a_time(name: str) -> None:
    taken = 0

    def many() -> Iterator[Entry]:
        nonlocal taken
        for number in range(1, 2_001):
            taken += 1
            yield Entry(msgspec.json.encode(question(number, context="x" * 200)))

    format = FORMATS[name]
    assert format.write is not None
    pieces = iter(format.write(Export(bank=BankItem(), entries=many())))
    first = next(pieces)
    assert 0 < taken < 400
    assert len(first) < 70_000
    assert all(len(piece) < 70_000 for piece in pieces)
    assert taken == 2_000


def test_withdrawn_is_there_only_in_a_partial_export() -> None:
    gone = [TombstoneItem(uid="01920000-0000-7000-8000-000000000009", release=7)]
    assert "withdrawn" not in json.loads(written(JSON, []))
    assert json.loads(written(JSON, [], withdrawn=[]))["withdrawn"] == []
    assert json.loads(written(JSON, [], withdrawn=gone))["withdrawn"] == [
        {"uid": gone[0].uid, "release": 7, "merged_into": None}
    ]


def test_a_tombstone_is_a_line_of_its_own_in_jsonl() -> None:
    gone = [
        TombstoneItem(uid="01920000-0000-7000-8000-000000000008", release=7),
        TombstoneItem(uid="01920000-0000-7000-8000-000000000009", release=7, merged_into="x"),
    ]
    question_line, first, second = written(JSONL, [question()], withdrawn=gone).splitlines()
    assert json.loads(question_line)["stem"] == "What is number 1?"
    assert first == b'{"uid":"%s","withdrawn":true,"release":7}' % gone[0].uid.encode()
    assert json.loads(second)["merged_into"] == "x"


# --- reading what was written ------------------------------------------------------


@given(bank=banks, tags=st.lists(tags, max_size=2), decks=st.lists(decks, max_size=2))
def test_tags_and_decks_come_back_with_json(bank: list[Item], tags: Any, decks: Any) -> None:
    tags = list({tag.slug: tag for tag in tags}.values())
    decks = list({deck.slug: deck for deck in decks}.values())
    reading = read(written(JSON, bank, tags=tags, decks=decks))
    assert reading.tags == tags
    assert reading.decks == decks
    assert [row.item for row in reading.rows] == bank


@given(gone=st.lists(tombstones, max_size=3))
def test_tombstones_are_noted_and_retire_nothing(gone: list[TombstoneItem]) -> None:
    for read_again, format in ((read, JSON), (read_lines, JSONL)):
        reading = read_again(written(format, [question()], withdrawn=gone))
        assert [row.place for row in reading.rows] == [
            "$.questions[0]" if format is JSON else "line 1"
        ]
        assert len(reading.notes) == (1 if gone else 0)
        assert all("an import retires nothing" in note for note in reading.notes)


def test_absent_optional_keys_take_their_defaults() -> None:
    row = only(read(document({"stem": "  What\n is it? "})).rows)
    assert row.item == Item(stem="What is it?")


def test_text_is_normalized_on_entry() -> None:
    stem = "a\u0000b\r\n\u0085c\u001fd"
    row = only(read_lines(json.dumps({"stem": stem, "context": "\r\n\r\nx\ry\x07  \n"})).rows)
    assert row.item is not None
    assert (row.item.stem, row.item.context) == ("ab cd", "x\ny")


def test_a_time_arrives_in_utc() -> None:
    row = only(read(document({"stem": "?", "updated_at": "2026-11-22T12:00:00+02:00"})).rows)
    assert row.item is not None
    assert msgspec.json.encode(row.item.updated_at) == b'"2026-11-22T10:00:00Z"'


def test_an_answer_in_which_nothing_stands_is_left_out() -> None:
    row = only(read(document({"stem": "?", "answers": [{"body": " \n"}, {"body": "x"}]})).rows)
    assert row.item is not None
    assert [answer.body for answer in row.item.answers] == ["x"]


def test_keys_for_other_programs_are_ignored_at_every_level() -> None:
    text = document(
        {
            "x-a": 1,
            "stem": "?",
            "answers": [{"body": "b", "x-b": {}, "sources": [{"url": "https://a.b", "x-c": 0}]}],
            "provenance": {"source": "s", "x-d": None},
        },
        **{"x-e": [1], "bank": {"x-f": 1}, "tags": [{"slug": "a", "x-g": 1}]},
    )
    assert only(read(text).rows).item is not None


# --- one question that is wrong ----------------------------------------------------

GOOD = {"stem": "Good?"}


@pytest.mark.parametrize(
    ("wrong", "path", "said"),
    [
        ({"stem": "?", "answers": [{"body": 7}]}, ".answers[0].body", "Expected `str`, got `int`."),
        ({"stem": ["?"]}, ".stem", "Expected `str`, got `array`."),
        ({"stem": "?", "tags": "a"}, ".tags", "Expected `array`, got `str`."),
        ({"stem": "?", "answers": [{"boddy": "x"}]}, ".answers[0]", "Unknown key 'boddy'."),
        ({"stem": "?", "colour": 1}, "", "Unknown key 'colour'. Correct or remove it"),
        ({"slug": "x"}, "", "The key 'stem' is missing. Add it."),
        (["stem"], "", "Expected `object`, got `array`."),
        ("stem", "", "Expected `object`, got `str`."),
        (None, "", "Expected `object`, got `null`."),
        ({"stem": ""}, ".stem", "It is empty."),
        ({"stem": "x" * 501}, ".stem", "501 characters, the limit is 500"),
        ({"stem": "?", "difficulty": "impossible"}, ".difficulty", "none of easy, medium, hard"),
        ({"stem": "?", "status": "new"}, ".status", "draft, in_review, published, retired"),
        ({"stem": "?", "uid": "7"}, ".uid", "'7' is not a UUID"),
        ({"stem": "?", "slug": "What is it"}, ".slug", "small letters a to z, digits and hyphens"),
        ({"stem": "?", "slug": "a" * 121}, ".slug", "121 characters, the limit is 120"),
        ({"stem": "?", "tags": ["a", "B C"]}, ".tags[1]", "'B C' is not a tag's path"),
        ({"stem": "?", "tags": ["a//b"]}, ".tags[0]", "is not a tag's path"),
        ({"stem": "?", "context": "é" * 100_001}, ".context", "200,002 bytes"),
        ({"stem": "?", "revision": 2**31}, ".revision", "<= 2147483647"),
        ({"stem": "?", "release": -1}, ".release", ">= 0"),
        ({"stem": "?", "updated_at": "2026-11-22"}, ".updated_at", "Invalid RFC3339"),
        ({"stem": "?", "updated_at": "2026-11-22T00:00:00"}, ".updated_at", "timezone"),
        (
            {"stem": "?", "answers": [{"label": "Short", "body": ""}]},
            ".answers[0].body",
            "It is empty. Write the answer",
        ),
        (
            {"stem": "?", "answers": [{"body": "x", "sources": [{"url": "javascript:x"}]}]},
            ".answers[0].sources[0].url",
            "'javascript:x' is not a web address",
        ),
        (
            {"stem": "?", "answers": [{"body": "x", "label": "y" * 501}]},
            ".answers[0].label",
            "501 characters",
        ),
        (
            {"stem": "?", "corrections": [{"kind": "wrong", "claim": "x"}]},
            ".corrections[0].kind",
            "'wrong' is none of factual, outdated, technical, editorial.",
        ),
        (
            {"stem": "?", "corrections": [{"kind": "factual", "claim": " "}]},
            ".corrections[0].claim",
            "Say what was wrong",
        ),
        ({"stem": "?", "provenance": {"source": ""}}, ".provenance.source", "Name the source"),
        ({"stem": "?", "provenance": {"url": "x"}}, ".provenance", "'source' is missing"),
        (
            {"stem": "?", "provenance": {"source": "s", "url": "ftp://x"}},
            ".provenance.url",
            "not a web address",
        ),
    ],
)
def test_a_wrong_question_is_refused_by_its_path_and_the_others_stay(
    wrong: Any, path: str, said: str
) -> None:
    good, bad, last = read(document(GOOD, wrong, GOOD)).rows
    assert good.item
    assert last.item
    assert bad.item is None
    assert bad.place == f"$.questions[1]{path}"
    assert bad.error
    assert said in bad.error

    text = "\n".join(map(json.dumps, (GOOD, wrong, GOOD)))
    assert [row.place for row in read_lines(text).rows][::2] == ["line 1", "line 3"]
    bad = list(read_lines(text).rows)[1]
    assert bad.place == f"line 2, ${path}"
    assert bad.error
    assert said in bad.error


def test_all_that_is_wrong_with_a_question_is_said_at_once() -> None:
    row = only(read(document({"stem": "", "slug": "A", "tags": ["B"]})).rows)
    assert row.place == "$.questions[0].slug"
    assert row.error
    assert "Also stem: It is empty." in row.error
    assert "Also tags[0]: 'B' is not" in row.error


@pytest.mark.parametrize(
    "wrong",
    ['{"stem": "a", "stem": "b"}', '{"stem": "a", "answers": [{"body": "x", "body": "y"}]}'],
)
def test_a_key_that_stands_twice_in_a_question_is_refused(wrong: str) -> None:
    text = document("HERE").replace('"HERE"', wrong)
    row = only(read(text).rows)
    assert row.place == "$.questions[0]"
    assert row.error
    assert "stands twice in one object" in row.error
    assert only(read_lines(wrong).rows).error == row.error


def test_the_same_uid_for_two_answers_is_refused() -> None:
    uid = "01920000-0000-7000-8000-000000000001"
    row = only(
        read(document({"stem": "?", "uid": uid, "answers": [{"uid": uid, "body": "x"}]})).rows
    )
    assert row.place == "$.questions[0].answers[0].uid"
    assert row.error == f"{uid} stands in uid already. Leave it out of one of the two."


def test_a_number_of_thousands_of_digits_is_refused() -> None:
    text = document({"stem": "?", "revision": "HERE"}).replace('"HERE"', "9" * 5_000)
    assert only(read(text).rows).error == "A number has thousands of digits. Correct it."


def test_a_message_never_repeats_a_hostile_key_at_length() -> None:
    row = only(read_lines(json.dumps({"stem": "?", "k" * 100_000: 1})).rows)
    assert row.error
    assert len(row.error) <= 300


# --- a document that is wrong --------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "bank.json, line 1, column 1: This is not JSON"),
        (
            '{"format": "question-bank",\n "version": 1,\n "questions": [{"stem": "a"}',
            "line 3, col",
        ),
        ('{"format": "question-bank",\n "questions": [{"stem": "a",}]}', "line 2, column 29"),
        ("[]", "bank.json, $: A bank is one object"),
        ('"text"', "bank.json, $: A bank is one object"),
        ('{"format": "question-bank", "version": 1}', "The key 'questions' is missing"),
        (document(questions={}), "$.questions: This must be a list of questions."),
        (document(format="quiz"), "$.format: This must be 'question-bank'"),
        ('{"questions": [{"stem": "a"}]}', "$.format: This must be 'question-bank'"),
        (document(version=2), "$.version: This program reads version 1."),
        (document(version="1"), "$.version: This program reads version 1."),
        (document(tags=[{"slug": "a"}, {"slug": "Big One"}]), "$.tags[1].slug: 'Big One'"),
        (document(tags=[{"slug": "a"}, {"slug": "a"}]), "$.tags[1].slug: 'a' stands at $.tags[0]"),
        (document(tags=[{"name": "A"}]), "$.tags[0]: The key 'slug' is missing"),
        (document(tags={}), "$.tags: Expected `array`, got `object`"),
        (document(decks=[{"slug": "d", "title": " "}]), "$.decks[0].title: It is empty."),
        (
            document(decks=[{"slug": "d", "title": "D", "questions": ["1"]}]),
            "$.decks[0].questions[0]: '1' is not a UUID",
        ),
        (
            document(decks=[{"slug": "d", "title": "D", "filter": {"all": ["A b"]}}]),
            "$.decks[0].filter.all[0]: 'A b' is not a tag's path",
        ),
        (
            document(decks=[{"slug": "d", "title": "D", "filter": {"limit": 3}}]),
            "$.decks[0].filter: Unknown key 'limit'. Correct or remove it",
        ),
        (
            document(decks=[{"slug": "d", "title": "D", "filter": {"difficulty": ["nasty"]}}]),
            "$.decks[0].filter.difficulty[0]: 'nasty' is none of easy, medium, hard.",
        ),
        (
            document(decks=[{"slug": "d", "title": "D", "filter": {"text": "x" * 201}}]),
            "$.decks[0].filter.text: It has 201 characters, the limit is 200.",
        ),
        (
            document(
                decks=[{"slug": "d", "title": "D", "filter": {"any": [f"a{n}" for n in range(51)]}}]
            ),
            "$.decks[0].filter.any: It names 51 tags, the limit is 50.",
        ),
        (document(bank={"release": "x"}), "$.bank.release: Expected `int`, got `str`"),
        (document(qestions=[]), "$: Unknown key 'qestions'"),
        (document(GOOD)[:-1] + ', "questions": []}', "The key 'questions' stands twice"),
        (document(GOOD)[:-1] + ', "version": 1}', "The key 'version' stands twice"),
        (document("HERE").replace('"HERE"', "NaN"), "NaN or Infinity stands here"),
        (document({"stem": "\ud83d?"}), "Half a character, such as \\ud83d"),
        (document("HERE").replace('"HERE"', "[" * 100_000), "nested too deeply"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_a_wrong_document_is_refused_with_its_place(text: str, said: str) -> None:
    with pytest.raises(UnreadableFile) as caught:
        read(text)
    assert str(caught.value).startswith("bank.json, ")
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("line", "place", "said"),
    [
        ('{"stem": "a"', "line 2, column 13", "This is not JSON"),
        ("not json", "line 2, column 1", "This is not JSON"),
        ("[" * 100_000, "line 2, $", "nested too deeply"),
        (json.dumps({"stem": "\ud83d?"}), "line 2, $", "Half a character, such as \\ud83d"),
        (json.dumps({"stem": "?", "\ud83d": 1}), "line 2, $", "Half a character"),
        ('{"uid": "x", "withdrawn": true}', "line 2, $", "The key 'release' is missing"),
    ],
)
def test_a_broken_line_of_jsonl_is_refused_and_the_others_stay(
    line: str, place: str, said: str
) -> None:
    good = json.dumps(GOOD)
    first, bad, last = read_lines(f"{good}\n{line}\n\n{good}\n").rows
    assert first.item
    assert last.place == "line 4"
    assert bad.place == place
    assert bad.error
    assert said in bad.error


def test_a_pretty_printed_document_is_a_document_and_not_lines() -> None:
    pretty = json.dumps(json.loads(document(GOOD)), indent=2).encode()
    assert JSON.detect(Upload("x.jsonl", pretty))
    assert not JSONL.detect(Upload("x.jsonl", pretty))
    assert only(read(pretty).rows).item
