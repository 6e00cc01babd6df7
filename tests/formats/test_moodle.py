"""Moodle XML: the shape that is written, Moodle's own exports, damaged and hostile files."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path

import pytest

from cms.errors import UnreadableFile
from cms.formats import FORMATS, detect
from cms.formats.assets import asset_item
from cms.formats.incoming import Row, Upload
from cms.formats.item import OptionItem
from cms.formats.xml import Node, parts
from tests.formats.pictures import picture_of
from tests.formats.strategies import question, upload, written

MOODLE = FORMATS["moodle.xml"]
FIXTURE = Path(__file__).parents[2] / "fixtures" / "moodle" / "kettles.moodle.xml"
PNG = picture_of()


def export() -> bytes:
    return FIXTURE.read_bytes().replace(b"{PNG}", b64encode(PNG))


def quiz(inside: str) -> Upload:
    return upload(f"<quiz>{inside}</quiz>", "bank.xml")


def read(file: Upload) -> tuple[list[Row], list[str]]:
    assert MOODLE.read is not None
    reading = MOODLE.read(file)
    return list(reading.rows), reading.notes


def questions_of(data: bytes) -> list[Node]:
    return list(parts(upload(data), "quiz"))


# --- writing -----------------------------------------------------------------------


def test_an_essay_has_its_answer_where_whoever_grades_it_looks() -> None:
    category, essay = questions_of(
        written(MOODLE, [question(stem="Is `a` <b>?", difficulty="easy")])
    )
    assert category.attributes == {"type": "category"}
    assert category.first("category", "text").text == "$course$/top/A bank, release 1/numbers"
    assert essay.attributes == {"type": "essay"}
    assert essay.first("name", "text").text == "Is a < b>?"
    assert essay.first("questiontext", "text").text == "<p>Is <code>a</code> &lt;b&gt;?</p>"
    assert essay.first("idnumber").text == question().uid
    assert essay.first("graderinfo").attributes == {"format": "html"}
    assert essay.first("graderinfo", "text").text.startswith("<p>Number 1.</p>")
    assert essay.first("generalfeedback", "text").text == ""
    tags = [tag.text for tag in essay.first("tags").elements("tag")]
    assert tags == ["numbers", "difficulty: easy"]


@pytest.mark.parametrize(
    ("marks", "single", "fractions"),
    [
        ([True, False, False], "true", ["100", "0", "0"]),
        ([True, True, True, False], "false", ["33.33333"] * 3 + ["-100"]),
    ],
)
def test_a_choice_has_moodles_own_fractions(
    marks: list[bool], single: str, fractions: list[str]
) -> None:
    options = [
        OptionItem(text=f"*{n}*", correct=mark, feedback="So.") for n, mark in enumerate(marks)
    ]
    _, choice = questions_of(written(MOODLE, [question(options=options)]))
    assert choice.attributes == {"type": "multichoice"}
    assert choice.first("single").text == single
    assert choice.first("generalfeedback", "text").text.startswith("<p>Number 1.</p>")
    answers = list(choice.elements("answer"))
    assert [each.attributes["fraction"] for each in answers] == fractions
    assert answers[0].first("text").text == "<p><em>0</em></p>"
    assert answers[0].first("feedback", "text").text == "<p>So.</p>"


def test_a_long_name_is_cut_and_the_end_of_cdata_is_no_end() -> None:
    hostile = question(stem="]]> " + "x" * 400, context='[a](http://x.example/]]%3E "]]>")')
    _, essay = questions_of(written(MOODLE, [hostile]))
    assert len(essay.first("name", "text").text) == 200
    assert "]]&gt; xxx" in essay.first("questiontext", "text").text


# --- reading -----------------------------------------------------------------------


def test_each_kind_of_question_in_moodles_own_export_has_a_readable_answer() -> None:
    assert MOODLE.read is not None
    file = Upload("questions.xml", export())
    assert detect(file) is MOODLE
    reading = MOODLE.read(file)
    rows = list(reading.rows)
    items = [row.item for row in rows if row.item]
    image = asset_item(PNG)
    assert [(row.place, row.error) for row in rows] == [
        (f"line {line}", None) for line in (15, 52, 101, 130, 166, 200)
    ]
    # Markdown may mark with a backslash what is meant as it stands.
    assert [(item.stem, item.answers[0].body.replace("\\", "")) for item in items] == [
        ("What is a kettle?", "A vessel in which water is boiled.\n\nA pot is none."),
        ("Which of these has every kettle?", "- a spout\n- a handle <or two>"),
        ("A kettle is a vessel.", "It holds water."),
        ("What comes out of the spout?", "- steam\n- air (50 % of the mark)\n\n  Not quite."),
        ("When does water boil?", "100 ± 0.5 °C"),
        ("What goes with what?", "- Kettle: Water\n- Oven: Bread"),
    ]
    essay, choice, truth = items[:3]
    assert essay.context == f"Look at this: ![a kettle](asset:{image.name})"
    assert reading.assets == [image]
    assert essay.tags == ["basics", "default-for-kettles/water-steam"]
    assert essay.provenance
    assert essay.provenance.external_id == "KETTLE-21"
    assert [
        (each.text.replace("\\", ""), each.correct, each.feedback) for each in choice.options
    ] == [
        ("a spout", True, "It pours."),
        ("a handle <or two>", True, ""),
        ("a dial", False, ""),
    ]
    assert truth.options == [
        OptionItem(text="True", correct=True),
        OptionItem(text="False", feedback="Look again."),
    ]
    assert reading.notes == [
        "1 question of the kind 'cloze' left out: it is not read here.",
        "1 question of the kind 'description' left out: it is not read here.",
    ]


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("", "The file lacks it"),
        ('<file name="a.png" encoding="base64">%%%=</file>', "no image that the bank keeps"),
        ('<file name="a.png" encoding="base64">a</file>', "this is not base64"),
        ('<file name="b.png" encoding="base64">aGk=</file>', "The file lacks it"),
    ],
)
def test_an_image_that_cannot_be_kept_leaves_its_words_and_a_note(file: str, said: str) -> None:
    text = "&lt;p&gt;Why?&lt;/p&gt;&lt;img src='@@PLUGINFILE@@/a.png' alt='words'&gt;"
    field = f"<questiontext format='html'><text>{text}</text>{file}</questiontext>"
    (row,), notes = read(quiz(f'<question type="essay">{field}</question>'))
    assert row.item
    assert row.item.context == "words"
    (note,) = notes
    assert note.startswith("line 1: 'a.png' is left out. ")
    assert said in note


def test_an_image_in_its_own_address_is_the_banks() -> None:
    data = b64encode(PNG).decode()
    text = f'<p>Why?</p><p><img src="data:image/png;base64,{data}" alt="a box"></p>'
    field = f"<questiontext><text><![CDATA[{text}]]></text></questiontext>"
    (row,), notes = read(quiz(f'<question type="essay">{field}</question>'))
    assert row.item
    assert row.item.context == f"![a box](asset:{asset_item(PNG).name})"
    assert notes == []


def test_a_choice_that_cannot_be_asked_is_an_error_with_its_line() -> None:
    many = "<answer fraction='0'><text>a</text></answer>" * 300
    (none, more), _ = read(
        quiz(f'\n<question type="multichoice"/>\n<question type="multichoice">{many}</question>')
    )
    assert (none.place, more.place) == ("line 2", "line 3")
    assert "without options" in (none.error or "")
    assert "more than 200 answers" in (more.error or "")


def test_a_truncated_export_is_refused_with_its_line_after_what_could_be_read() -> None:
    data = export()
    with pytest.raises(UnreadableFile) as caught:
        read(Upload("bank.xml", data[: data.index(b"Kettle</p>")]))
    assert str(caught.value).startswith("bank.xml, line 216: The file is cut off here")


@pytest.mark.parametrize(
    ("data", "is_moodle"),
    [
        (b"<quiz>", True),
        (b"<?xml version='1.0'?><!-- x --><quiz a='1'/>", True),
        (b"<html><quiz/></html>", False),
        (b"<quizzes/>", False),
        (b"quiz", False),
    ],
)
def test_a_quiz_is_known_by_its_outermost_element(data: bytes, is_moodle: bool) -> None:
    assert MOODLE.detect(upload(data)) is is_moodle
