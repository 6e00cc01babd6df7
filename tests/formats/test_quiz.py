"""What GIFT, Moodle XML and QTI have in common: shares, stems, images, the box for people."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cms.formats import FORMATS, Format
from cms.formats.assets import asset_item
from cms.formats.html import to_html
from cms.formats.item import (
    AnswerItem,
    AssetItem,
    CorrectionItem,
    DeckItem,
    Item,
    OptionItem,
    SourceItem,
    TagItem,
)
from cms.formats.quiz import moodle_name, shares, stem_and_context
from cms.formats.quiztags import folder_of, tag_path
from cms.vocabulary import CorrectionKind, Difficulty
from tests.formats.pictures import picture_of
from tests.formats.strategies import question, some_markdown, upload, written

QUIZZES = [FORMATS[name] for name in ("gift", "moodle.xml", "qti.zip")]
quizzes = pytest.mark.parametrize("format", QUIZZES, ids=[each.name for each in QUIZZES])

# What Moodle takes for a share, in percent (`question_bank::fraction_options_full` of 4.5).
MOODLES = {
    *("100", "90", "83.33333", "80", "75", "70", "66.66667", "60", "50", "40", "33.33333", "30"),
    *("25", "20", "16.66667", "14.28571", "12.5", "11.11111", "10", "5", "0"),
}


def options(*marks: bool) -> list[OptionItem]:
    return [OptionItem(text=f"Option {n}", correct=mark) for n, mark in enumerate(marks)]


def again(format: Format, *bank: Item, **fields: object) -> list[Item]:
    """Return questions as they come back."""
    assert format.read is not None
    rows = list(format.read(upload(written(format, bank, **fields))).rows)
    assert [row.error for row in rows] == [None] * len(bank)
    return [row.item for row in rows if row.item]


# --- choices -----------------------------------------------------------------------


@pytest.mark.parametrize("right", range(1, 21))
@pytest.mark.parametrize("wrong", [0, 1, 3, 7, 13])
def test_shares_are_moodles_own_and_choosing_everything_gains_nothing(
    right: int, wrong: int
) -> None:
    found = shares(options(*[True] * right, *[False] * wrong))
    assert {each.removeprefix("-") for each in found} <= MOODLES
    assert sum(map(float, found[:right])) == pytest.approx(100, abs=0.001)
    if right > 1 and wrong:
        assert sum(map(float, found)) == pytest.approx(0, abs=0.001)
    elif right == 1:
        assert found[1:] == ["0"] * wrong


@quizzes
@given(
    chosen=st.lists(
        st.builds(
            OptionItem,
            text=some_markdown,
            correct=st.booleans(),
            feedback=some_markdown | st.just(""),
        ),
        max_size=12,
    )
)
def test_options_come_back_as_they_were(format: Format, chosen: list[OptionItem]) -> None:
    def said(each: OptionItem) -> tuple[str, bool, str]:
        return to_html(each.text), each.correct, to_html(each.feedback)

    (item,) = again(format, question(options=chosen))
    assert list(map(said, item.options)) == list(map(said, question(options=chosen).options))
    assert [answer.body for answer in item.answers] == ["Number 1."]


@quizzes
def test_a_choice_without_an_answer_gets_none_made_up(format: Format) -> None:
    (item,) = again(format, question(options=options(True, False), answers=[]))
    assert item.answers == []


# --- stems -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("html", "stem", "context"),
    [
        ("<p>Why?</p>", "Why?", ""),
        ("Why?", "Why?", ""),
        ("Why <code>a &lt; b</code>?<br>", "Why `a < b`?", ""),
        ('<div><p dir="ltr">Why?</p><p>So.</p></div>', "Why?", "So."),
        ("<p>&nbsp;</p><p>Why?<br>Or not?</p><ul><li>a</li></ul>", "Why? Or not?", "- a"),
        ("One line<br><br>another", "One line", "another"),
        ("<h3>Why?</h3>text", "Why?", "text"),
        ("<pre>a = 1</pre><p>Why?</p>", "The name", "```\na = 1\n```\n\nWhy?"),
        ('<p>See <img src="http://x.example/a.png" alt="this">.</p>', "The name", "See this."),
        (f"<p>{'long ' * 200}</p>", "The name", ("long " * 200).strip()),
        ("<p>a<script>alert(1)</script> b</p>", "a b", ""),
        ("", "", ""),
    ],
)
def test_the_first_paragraph_is_the_stem_unless_it_cannot_be_one(
    html: str, stem: str, context: str
) -> None:
    assert stem_and_context(html, "The name", lambda _: "") == (stem, context)


def test_without_a_name_as_much_of_the_text_as_fits_is_the_stem() -> None:
    stem, context = stem_and_context(f"<p>{'long ' * 200}</p>", "", lambda _: "")
    assert len(stem) <= 500
    assert stem.endswith("long…")
    assert context == ("long " * 200).strip()


@pytest.mark.parametrize(
    ("stem", "name"),
    [("Is `a<b>` b?", "Is a< b> b?"), ("a <= b", "a < = b"), ("a < b", "a < b"), ("a <", "a < ")],
)
def test_nothing_of_a_name_is_an_element_to_moodle(stem: str, name: str) -> None:
    assert moodle_name(question(stem=stem)) == name


# --- tags, difficulty, categories ------------------------------------------------------


@quizzes
@pytest.mark.parametrize("difficulty", [None, *Difficulty])
def test_tags_and_difficulty_come_back(format: Format, difficulty: Difficulty | None) -> None:
    (item,) = again(format, question(tags=["flask/basics", "-", "web"], difficulty=difficulty))
    assert (item.tags, item.difficulty) == (["flask/basics", "-", "web"], difficulty)


@pytest.mark.parametrize(
    ("label", "path"),
    [
        ("flask/basics", "flask/basics"),
        ("Chapter 1/Cookies & Tea", "chapter-1/cookies-tea"),
        ("  Über // uns ", "uber/uns"),
        ("???", ""),
        ("a" * 130, ""),
        ("b/" + "a" * 119, "b"),
    ],
)
def test_a_label_of_another_program_becomes_a_path(label: str, path: str) -> None:
    assert tag_path(label) == path


@pytest.mark.parametrize(
    ("category", "names"),
    [
        ("$course$/top/Default for C/A // B/C", ["Default for C", "A / B", "C"]),
        ("$system$/top", []),
        ("Plain", ["Plain"]),
        ("", []),
    ],
)
def test_a_category_is_a_path_of_names(category: str, names: list[str]) -> None:
    assert folder_of(category) == names


@pytest.mark.parametrize("name", ["gift", "moodle.xml"])
def test_each_release_and_each_deck_has_a_category_of_its_own(name: str) -> None:
    tags = [TagItem(slug="flask", name="Flask"), TagItem(slug="flask/in-out", name="In/out")]
    bank = [question(1, tags=["flask/in-out"]), question(2, tags=[]), question(3, tags=["web"])]
    text = written(FORMATS[name], bank, tags=tags).decode()
    for path in ("A bank, release 1/Flask/In//out", "A bank, release 1", "A bank, release 1/web"):
        assert f"$course$/top/{path}" in text
    deck = DeckItem(slug="d", title="For juniors")
    text = written(FORMATS[name], bank, deck=deck).decode()
    assert "$course$/top/A bank: For juniors, release 1/web" in text


# --- the box for people -----------------------------------------------------------------


@quizzes
def test_what_a_format_has_no_field_for_is_shown_to_people_but_not_read(format: Format) -> None:
    rich = question(
        revision=7,
        answers=[
            AnswerItem(
                body="The answer.",
                applies_to="Flask >= 2 & <3",
                sources=[
                    SourceItem(
                        url="https://a.example/?a=1&b", title="<A>", accessed_on=date.today()
                    )
                ],
            ),
            AnswerItem(label="Short <one>", body="Another *one*."),
        ],
        corrections=[
            CorrectionItem(number=3, kind=CorrectionKind.factual, claim="It was wrong.", fix="Now.")
        ],
    )
    data = written(format, [rich])
    if format.name == "qti.zip":
        from cms.formats.archive import Archive

        data = Archive(upload(data)).read("items/000001.xml").data
    shown = data.decode().replace("\\", "")
    for words in (
        *("Applies to Flask &gt;= 2 &amp; &lt;3.", "https://a.example/?a=1&amp;b", "&lt;A&gt;"),
        *("Short &lt;one&gt;", "Another <em>one</em>.", "Erratum 3 (factual, accepted)"),
        *("It was wrong.", "https://bank.example/questions/question-1"),
    ):
        assert words in shown
    (item,) = again(format, rich)
    assert item.answers == [AnswerItem(body="The answer.")]
    assert item.revision == 7


# --- identities and images -----------------------------------------------------------------


@quizzes
def test_an_id_of_another_program_is_kept_to_know_the_question_again(format: Format) -> None:
    (item,) = again(format, question(uid="kettle-17"))
    assert item.uid is None
    assert item.revision is None
    assert item.provenance is not None
    assert item.provenance.external_id in {"kettle-17", "ikettle-17"}


@pytest.mark.parametrize("name", ["moodle.xml", "qti.zip"])
def test_images_travel_with_every_text_and_come_back_as_they_were(name: str) -> None:
    format = FORMATS[name]
    assert format.read is not None
    red, blue = (asset_item(picture_of(shade=shade)) for shade in (1, 2))
    bank = [
        question(
            1,
            context=f"![a red box](asset:{red.name}) and ![gone](asset:{'0' * 64}.png)",
            answers=[AnswerItem(body=f"![blue](asset:{blue.name})")],
            options=[
                OptionItem(text=f"![red](asset:{red.name})", correct=True),
                OptionItem(text="none", feedback=f"![blue](asset:{blue.name})"),
            ],
        ),
        question(2, context=f"![a red box](asset:{red.name})"),
    ]
    held = {red.name: red, blue.name: blue}
    data = written(format, bank, asset=held.get)
    reading = format.read(upload(data))
    first, second = (row.item for row in reading.rows)
    assert first
    assert second
    assert first.context == bank[0].context
    assert first.answers[0].body == bank[0].answers[0].body
    assert first.options == bank[0].options
    assert second.context == bank[1].context
    assert {each.name: each.data for each in reading.assets} == {
        each.name: each.data for each in (red, blue)
    }
    assert reading.notes == []


def test_gift_names_images_that_it_cannot_hold() -> None:
    shown = f"![a box](asset:{'0' * 64}.png)"
    held: dict[str, AssetItem] = {}
    (item,) = again(FORMATS["gift"], question(context=shown), asset=held.get)
    assert item.context == shown


# --- hostile material -----------------------------------------------------------------------

HOSTILE: dict[str, Callable[[str], bytes]] = {
    "gift": lambda text: f"// [id:1]\n::a::b {{ {text} }}\n\n{text}\n\nc {{={text}}}".encode(),
    "moodle.xml": lambda text: (
        "<quiz><question type='essay'><questiontext><text><![CDATA["
        f"{text}]]></text></questiontext></question></quiz>"
    ).encode(),
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize(
    "piece",
    [
        *("<p ", "<br ", "<br>", "&nbsp;", "<code>", "<!--", "data:image/png;base64,"),
        *('src="data:image/', "@@PLUGINFILE@@/", "\\", "=", "~%", "#", "####", "->", "{"),
        *("[id:", "[tag:", "%1", "::", " \t"),
    ],
)
def test_a_hundred_thousand_hostile_characters_are_read_within_seconds(
    name: str, piece: str
) -> None:
    format = FORMATS[name]
    assert format.read is not None
    file = upload(HOSTILE[name](piece * (100_000 // len(piece))))
    start = time.perf_counter()
    format.detect(file)
    list(format.read(file).rows)
    assert time.perf_counter() - start < 10
