"""CSV: what spreadsheets do to it, and what it never lets them do."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cms.errors import UnreadableFile
from cms.formats import FORMATS
from cms.formats.csv import COLUMNS, DROPS, inert, is_cut, original, raw
from cms.formats.incoming import Row
from cms.formats.item import AnswerItem, Item, OptionItem, SourceItem, stripped
from tests.formats.strategies import (
    any_text,
    markdown,
    question,
    some_line,
    some_markdown,
    upload,
    written,
)

CSV = FORMATS["csv"]
HEADER = (
    "uid,revision,status,slug,stem,context,answer,more_answers,difficulty,tags,sources,"
    "corrections,updated_at,url,options"
)
UID = "01920000-0000-7000-8000-000000000001"
MORE_UID = "01920001-0000-7000-8000-0000000000ff"


def read(text: str | bytes) -> list[Row]:
    assert CSV.read is not None
    return list(CSV.read(upload(text, "bank.csv")).rows)


def cells(data: bytes) -> list[dict[str, str]]:
    """Return the rows as any other reader of RFC 4180 sees them."""
    return list(csv.DictReader(io.StringIO(data.decode(), newline=""), strict=True))


# --- writing ---------------------------------------------------------------------


def test_a_row_is_the_contract() -> None:
    item = question(
        tags=["flask", "flask/basics"],
        difficulty="easy",
        context="Some *context*.",
        answers=[
            AnswerItem(
                uid="01920001-0000-7000-8000-000000000001",
                body='It says "hi",\nthen leaves.',
                sources=[
                    SourceItem(url="https://a.example/1"),
                    SourceItem(url="https://b.example"),
                ],
            ),
            AnswerItem(uid=MORE_UID, label="Short", body="It's “short”."),
        ],
    )
    data = written(CSV, [item])
    header, rest = data.decode().split("\r\n", 1)
    assert header == HEADER
    assert rest.endswith("\r\n")
    (row,) = cells(data)
    assert json.loads(row.pop("more_answers")) == [
        {"uid": MORE_UID, "label": "Short", "body": "It's “short”."}
    ]
    assert row == {
        "uid": UID,
        "revision": "1",
        "status": "published",
        "slug": "question-1",
        "stem": "What is number 1?",
        "context": "Some *context*.",
        "answer": 'It says "hi",\nthen leaves.',
        "difficulty": "easy",
        "tags": "flask;flask/basics",
        "sources": "https://a.example/1\nhttps://b.example",
        "corrections": "0",
        "updated_at": "2026-11-22T12:00:00Z",
        "url": "https://bank.example/questions/question-1",
        "options": "",
    }


def test_a_draft_has_its_status_and_absent_values_are_empty_cells() -> None:
    (row,) = cells(written(CSV, [Item(stem="New?", status="draft")]))
    assert row["status"] == "draft"
    assert {name for name, cell in row.items() if not cell} == set(COLUMNS) - {
        "status",
        "stem",
        "corrections",
        "url",
    }


def test_a_byte_order_mark_is_written_if_wanted() -> None:
    plain = written(CSV, [question()])
    assert written(CSV, [question()], options={"bom": True}) == b"\xef\xbb\xbf" + plain


@given(texts=st.lists(markdown))
def test_other_readers_see_the_rows_that_were_written(texts: list[str]) -> None:
    bank = [question(number, context=text) for number, text in enumerate(texts)]
    rows = cells(written(CSV, bank))
    assert [row["context"] for row in rows] == [inert(text) for text in texts]
    rows = cells(written(CSV, bank, options={"raw": True}))
    assert [row["context"] for row in rows] == [raw(text) for text in texts]


# --- formulas ----------------------------------------------------------------------

LIVE = ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "＝1", "＋1", "－1", "＠1", "- item", "  =1"]


@pytest.mark.parametrize("text", LIVE)
def test_what_a_spreadsheet_would_run_gets_an_apostrophe(text: str) -> None:
    assert inert(text) == "'" + text
    assert raw(text) == text


@pytest.mark.parametrize("text", ["", "plain", "'", "''", "'tis", "a=1", "1-1", "'' x", "(=1)"])
def test_what_is_not_live_stays_as_it_is(text: str) -> None:
    assert inert(text) == raw(text) == original(text) == text


@given(st.text("'=+-@\t\r＝＋－＠ \nab", max_size=8) | any_text)
@example("'=")
@example("''@x")
@example("' =1")
def test_making_text_inert_is_reversible_with_and_without_raw(text: str) -> None:
    assert original(inert(text)) == text
    assert original(raw(text)) == text
    assert inert(text)[:1] not in tuple("=+-@\t\r＝＋－＠")


@given(stem=some_line, context=markdown, body=some_markdown)
@example(stem="'=1", context="-1", body="''＝x")
def test_a_raw_file_is_read_without_loss(stem: str, context: str, body: str) -> None:
    item = question(stem=stem, context=context, answers=[AnswerItem(body=body)])
    (row,) = read(written(CSV, [item], options={"raw": True}))
    assert row.item == stripped(item, DROPS)


# --- reading ---------------------------------------------------------------------


def test_a_new_question_needs_only_a_stem() -> None:
    (row,) = read("stem\nWhat is new?\n")
    assert row.item == Item(stem="What is new?")
    assert row.place == "line 2"
    # Nothing is there yet that could be left alone.
    assert row.drops == DROPS | {"slug"}


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("newline", ["\r\n", "\n", "\r"])
def test_other_separators_and_line_ends_are_read(separator: str, newline: str) -> None:
    text = newline.join(
        separator.join(line) for line in (("Stem ", "answer"), ("What, here; now?", "x"))
    ).replace("What, here; now?", '"What, here; now?"')
    assert CSV.detect(upload(text))
    (row,) = read(text)
    assert row.item == Item(stem="What, here; now?", answers=[AnswerItem(body="x")])


@pytest.mark.parametrize(
    ("columns", "left_alone"),
    [
        (set(COLUMNS) - {"context"}, {"context"}),
        (set(COLUMNS) - {"answer"}, {"answers[0].body"}),
        (set(COLUMNS) - {"more_answers"}, {"answers[1:]"}),
        (set(COLUMNS) - {"sources"}, {"answers[0].sources"}),
        (set(COLUMNS) - {"stem", "slug", "tags"}, {"stem", "slug", "tags"}),
        (set(COLUMNS) - {"difficulty", "revision"}, {"difficulty", "revision"}),
        (set(COLUMNS) - {"options"}, {"options"}),
        (set(COLUMNS) - {"status", "corrections", "updated_at", "url"}, set()),
        (
            {"uid", "stem"},
            {"revision", "slug", "context", "difficulty", "tags", "answers", "answers[0].body"}
            | {"answers[1:]", "answers[0].sources", "options"},
        ),
    ],
)
def test_an_absent_column_is_left_alone(columns: set[str], left_alone: set[str]) -> None:
    item = question(
        context="c",
        difficulty="easy",
        answers=[AnswerItem(body="one"), AnswerItem(uid=MORE_UID, body="two")],
    )
    rows = cells(written(CSV, [item]))
    out = io.StringIO()
    writer = csv.DictWriter(out, sorted(columns), extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    (row,) = read(out.getvalue())
    assert row.error is None
    assert row.drops == DROPS | left_alone


@pytest.mark.parametrize("urls", [["https://a.example"], []])
def test_a_file_without_the_answers_themselves_may_still_set_their_sources(
    urls: list[str],
) -> None:
    (row,) = read(f"uid,sources\n{UID},{' '.join(urls)}\n")
    assert row.item is not None
    assert row.item.answers == [AnswerItem(sources=[SourceItem(url=url) for url in urls])]
    assert row.drops >= {"answers[0].body", "answers[1:]"}
    assert not row.drops & {"answers", "answers[0].sources"}


def test_an_empty_cell_clears_but_no_slug_can_be_cleared() -> None:
    (row,) = read(f"{HEADER}\n{UID},3,,,Stem?,,,,,,,,,,\n")
    assert row.item == Item(uid=UID, revision=3, stem="Stem?")
    assert row.drops == DROPS | {"slug"}


def test_what_is_written_for_people_only_is_not_read() -> None:
    (row,) = read(f"{HEADER}\n{UID},1,nonsense,a,Stem?,,,,,,,many,22/11/2026 10:00,no,\n")
    assert row.item == Item(uid=UID, revision=1, slug="a", stem="Stem?")


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ('stem,answer\r\n"a","1\n2\r\n3"\r\n"b","4"\r\n', ["line 2", "line 5"]),
        ("stem\n\n\na\n\nb\n", ["line 4", "line 6"]),
        ("stem,answer\na,1\n,\n,\nb,2\n", ["line 2", "line 5"]),
        ('"stem"\n"a\n\n\nb"\n"c"\n', ["line 2", "line 6"]),
        ('"x-note\nin two lines",stem\n1,a\n', ["line 3"]),
    ],
)
def test_places_are_physical_lines_and_empty_rows_are_none(text: str, places: list[str]) -> None:
    assert [(row.place, row.error) for row in read(text)] == [(place, None) for place in places]


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ("uid,stem\na\n", "line 2", "The row has 1 cells, the header 2."),
        ("uid,stem\n,b,c\n", "line 2", "The row has 3 cells, the header 2."),
        ('stem\n"a"b\n', "line 2", "The quotes do not match here"),
        ('stem\n"a\nb\n', "line 2", "The quotes do not match here"),
        ("stem,revision\na,x\n", "line 2, column revision", "no revision's number"),
        ("stem,revision\na,99999999999\n", "line 2, column revision", "no revision's number"),
        ("stem,difficulty\na,so-so\n", "line 2, column difficulty", "none of easy, medium, hard"),
        ("stem,tags\na,b;C\n", "line 2, column tags", "'C' is not a tag's path"),
        ("stem,slug\na,B\n", "line 2, column slug", "small letters"),
        ("stem,uid\na,7\n", "line 2, column uid", "'7' is not a UUID"),
        ("uid,stem\n,\n7,\n", "line 3, column uid", "'7' is not a UUID"),
        ("uid,context\n,b\n", "line 2, column uid", "With neither uid nor stem"),
        ("stem,context\n,b\n", "line 2, column stem", "It is empty."),
        ("stem,sources,answer\na,ftp://x,b\n", "line 2, column sources", "not a web address"),
        ("stem,sources,answer\na,https://x,\n", "line 2, column answer", "It is empty."),
        ("stem,more_answers\na,x\n", "line 2, column more_answers, line 1, column 1", "not JSON"),
        ("stem,more_answers\na,{}\n", "line 2, column more_answers, $", "Expected `array`"),
        ('stem,more_answers\na,"[{""bdy"":1}]"\n', "line 2, column more_answers, $[0]", "'bdy'"),
        ('stem,answer,more_answers\na,b,"[{""body"":""""}, {""body"":1}]"\n', "line 2", "Expected"),
        (
            'stem,answer,more_answers\na,,"[{""body"":""c""}]"\n',
            "line 2, column answer",
            "Move one",
        ),
        (f"stem,answer\na,{'x' * 200_001}\n", "line 2, column answer", "200,001 bytes"),
        ("stem,context\na," + "x" * 200_001 + "\n", "line 2, column context", "200,001 bytes"),
    ],
)
def test_a_wrong_row_is_refused_by_its_cell(text: str, place: str, said: str) -> None:
    (row,) = read(text)
    assert row.item is None
    assert row.place.startswith(place)
    assert row.error
    assert said in row.error


def test_a_row_whose_quotes_do_not_match_does_not_spoil_the_next() -> None:
    first, bad, last = read('stem\na\n"b"c\nd\n')
    assert (first.place, bad.place, last.place) == ("line 2", "line 3", "line 4")
    assert bad.error
    assert last.item == Item(stem="d")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "neither 'stem' nor 'uid'; found: nothing; known: uid, revision, status, slug"),
        ("question,answer\n", "neither 'stem' nor 'uid'; found: question, answer; known: uid"),
        ("stem,aswer,colour\n", "Unknown in the header: aswer, colour; known: uid, revision"),
        ("stem,,\n", "Unknown in the header: (no name), (no name)"),
        ("stem,answer,Stem\n", "Twice in the header: stem."),
        ('"stem"x,answer\n', "neither 'stem' nor 'uid'"),
    ],
)
def test_a_wrong_header_is_refused_with_what_is_known(text: str, said: str) -> None:
    with pytest.raises(UnreadableFile) as caught:
        read(text)
    assert str(caught.value).startswith("bank.csv, line 1: ")
    assert said in str(caught.value)


def test_columns_for_other_programs_are_ignored() -> None:
    (row,) = read("x-note,stem,x-note\nsee, a,\n".replace("see, a", "see,a"))
    assert row.item == Item(stem="a")


# --- cells that were cut -------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "cut"),
    [
        ("x" * 32_766, False),
        ("x" * 32_767, True),
        ("x" * 32_768, False),
        ("x" * 65_535, True),
        ("😀" * 16_383 + "x", True),
        ("😀" * 16_383, True),
        ("😀" * 16_382, False),
        ("é" * 32_767, True),
    ],
)
def test_a_cell_as_long_as_a_spreadsheet_keeps_is_taken_for_cut(cell: str, cut: bool) -> None:
    assert is_cut(cell) is cut
    (row,) = read(f'uid,stem,answer\n{UID},a,"{cell}"\n')
    assert row.truncated is cut
    assert (row.item is None) is cut
    if cut:
        assert row.place == "line 2, column answer"
        assert row.error
        assert row.error.startswith("truncated: ")


@pytest.mark.parametrize(
    "body", ["x" * 32_767, "😀" * 16_383, "=" * 32_766, "x" * 65_534 + "é", "😀x" * 10_922 + "y"]
)
def test_our_own_text_of_that_length_is_not_taken_for_cut(body: str) -> None:
    item = question(context=body, answers=[AnswerItem(body=body), AnswerItem(label="l", body=body)])
    (row,) = read(written(CSV, [item]))
    assert row.item == stripped(item, DROPS)


# --- with a real spreadsheet ---------------------------------------------------------


@pytest.mark.skipif(not shutil.which("soffice"), reason="LibreOffice (soffice) is not installed")
@pytest.mark.parametrize("through", [["csv"], ["xlsx", "csv"]], ids="-".join)
def test_libreoffice_saves_our_file_without_changing_a_question(
    tmp_path: Path, through: list[str]
) -> None:
    texts = [
        *LIVE,
        "'=1",
        "''@x",
        "'tis",
        "a\tb",
        '"q", ; x',
        "“ü” – 漢字 😀",
        "    code\n\n  x",
        "# h\n- i",
    ]
    bank = [
        question(
            number, stem=f"{text} ?", context=text, answers=[AnswerItem(body=f"{text}\n\nend")]
        )
        for number, text in enumerate(texts, start=1)
    ]
    source = tmp_path / "bank.csv"
    source.write_bytes(written(CSV, bank))
    for number, kind in enumerate(through):
        folder = tmp_path / str(number)
        filters = ["--infilter=CSV:44,34,76,1,,0,false,false"] if source.suffix == ".csv" else []
        to = "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,true,true,false"
        subprocess.run(
            [
                "soffice",
                "--headless",
                f"-env:UserInstallation={(tmp_path / 'profile').as_uri()}",
                *filters,
                *("--convert-to", to if kind == "csv" else kind),
                *("--outdir", folder, source),
            ],
            check=True,
            capture_output=True,
            timeout=120,
        )
        source = folder / f"bank.{kind}"
    rows = read(source.read_bytes())
    assert [row.error for row in rows] == [None] * len(bank)
    assert [row.item for row in rows] == [stripped(item, DROPS) for item in bank]


def test_the_formats_declaration_names_its_switches() -> None:
    assert set(CSV.options) == {"raw", "bom"}


# --- options -----------------------------------------------------------------------


def test_options_are_a_json_array_in_one_cell() -> None:
    chosen = [OptionItem(text="=1", correct=True), OptionItem(text="Ünd", feedback="No.")]
    [row] = cells(written(CSV, [question(options=chosen)]))
    assert json.loads(row["options"]) == [
        {"text": "=1", "correct": True, "feedback": ""},
        {"text": "Ünd", "correct": False, "feedback": "No."},
    ]


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("A;B", "column options, line 1, column 1"),
        ('[{"text": "A", "right": true}]', "column options, $[0]: Unknown key 'right'."),
        ('[{"text": ""}]', "column options: It is empty. Write the option, or remove it."),
    ],
)
def test_options_that_cannot_be_read_are_refused_with_their_column(cell: str, said: str) -> None:
    out = io.StringIO()
    csv.writer(out).writerows([["stem", "options"], ["Stem?", cell]])
    [row] = read(out.getvalue())
    assert f"line 2, {said}" in f"{row.place}: {row.error}"
