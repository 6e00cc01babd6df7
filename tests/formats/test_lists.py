"""Markdown lists of questions in the shapes that public repositories have."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cms.errors import UnreadableFile
from cms.formats import FORMATS, detect
from cms.formats.incoming import Reading, Row, Upload
from cms.formats.item import Item
from cms.formats.lists import read
from tests.conftest import ROOT
from tests.formats.strategies import any_text, upload

LISTS = ROOT / "fixtures" / "lists"
LIST = FORMATS["list.md"]
CODE = "```python\nfor step in range({}):\n    print(step)\n\n    if step > 3:\n        break\n```"
PORT = "A number that tells a machine which of its programs a message is for."
RACE = "A result that depends on who comes first."
PRESSURE = "Telling whoever sends that they have to wait."


def fixture(name: str) -> tuple[Reading, list[Row], list[Item]]:
    found = Upload(name, (LISTS / name).read_bytes())
    assert detect(found) is LIST
    reading = read(found)
    rows = list(reading.rows)
    assert [row.error for row in rows] == [None] * len(rows)
    return reading, rows, [row.item for row in rows if row.item]


def items(text: str) -> list[Item]:
    rows = list(read(upload(text)).rows)
    assert all(row.item for row in rows), [row.error for row in rows]
    return [row.item for row in rows if row.item]


def answer(item: Item) -> str:
    return item.answers[0].body if item.answers else ""


# (file, questions, title, (stem, answer, tags) of the first, the middle and the last)
SHAPES = [
    (
        "a-headings-in-items.md",
        24,
        "Questions about Machines",
        ("What is a port?", f"{PORT}\n\n{CODE.format(0)}", ["networks"]),
        ("What is a race condition?", f"{RACE}\n\n{CODE.format(12)}", ["data"]),
        ("What is backpressure?", PRESSURE, ["programs"]),
    ),
    (
        "b-sections-and-q.md",
        24,
        "Interview Basics",
        ("What is a port?", PORT, ["networks"]),
        ("What is a race condition?", RACE, ["data"]),
        ("What is backpressure?", PRESSURE, ["programs"]),
    ),
    (
        "c-details.md",
        24,
        "Cards of Computing",
        ("What is a port?", f"{PORT}\n\n{CODE.format(0)}", ["networks"]),
        (
            "What is a race condition?",
            f"```go\ngo first()\n\ngo second()\n```\n{RACE}",
            ["data"],
        ),
        ("What is backpressure?", PRESSURE, ["programs"]),
    ),
    (
        "d-good-to-hear.md",
        24,
        "Half a Minute of Questions",
        (
            "What is a port?",
            f"{PORT}\n\n#### Good to hear\n\n* It was tried.\n* It can be shown.",
            [],
        ),
        (
            "What is a race condition?",
            f"{RACE}\n\n#### Good to hear\n\n* It was tried.\n* It can be shown.",
            [],
        ),
        (
            "What is backpressure?",
            f"{PRESSURE}\n\n#### Good to hear\n\n* It was tried.\n* It can be shown.\n\n"
            "##### Additional links\n\n* [More](https://more.example/23)",
            [],
        ),
    ),
    (
        "e-options.md",
        24,
        "What Comes Out?",
        ("What's the output?", "The number is 0, and twice that is 0.", []),
        ("What's the output?", "The number is 12, and twice that is 24.", []),
        ("What is true of the number 23?", "The number is 23, and twice that is 46.", []),
    ),
    (
        "f-bullets.md",
        24,
        "To Ask Somebody",
        ("What is a port?", "", ["networks"]),
        ("What is a race condition?", "", ["data"]),
        ("What is backpressure?", "", ["programs"]),
    ),
    (
        "f-topics.md",
        20,
        "Talks for an Hour",
        ("Imagine a team of 2. What is a port?", "", ["basics/ports"]),
        ("Imagine a team of 12. What is a cookie?", "", ["deeper-things/small-bytes"]),
        ("Imagine a team of 21. What is a monad?", "", ["deeper-things/wrapping"]),
    ),
    (
        "g-bold.md",
        24,
        "Bold Questions",
        ("What is a port?", PORT, ["part-one"]),
        ("What is a race condition?", RACE, ["part-two"]),
        ("What is backpressure?", PRESSURE, ["part-two"]),
    ),
    (
        "g-numbered.md",
        24,
        "Short Ones",
        ("What is a port?", PORT, ["networks"]),
        ("What is a race condition?", RACE, ["networks"]),
        ("What is backpressure?", PRESSURE, ["networks"]),
    ),
]


@pytest.mark.parametrize(
    ("name", "count", "title", "first", "middle", "last"), SHAPES, ids=[each[0] for each in SHAPES]
)
def test_a_list_of_each_shape_is_read_whole(
    name: str,
    count: int,
    title: str,
    first: tuple[str, str, list[str]],
    middle: tuple[str, str, list[str]],
    last: tuple[str, str, list[str]],
) -> None:
    _, _, found = fixture(name)
    assert len(found) == count
    for item, (stem, body, tags) in zip(
        (found[0], found[count // 2], found[-1]), (first, middle, last), strict=True
    ):
        assert (item.stem, answer(item), item.tags) == (stem, body, tags)
    assert {item.provenance.source for item in found if item.provenance} == {title}


def test_numbers_that_rise_are_kept_and_others_become_places() -> None:
    def numbers(name: str) -> list[int | None]:
        return [each.provenance.ordinal for each in fixture(name)[2] if each.provenance]

    assert numbers("a-headings-in-items.md") == [*range(1, 11), *range(12, 26)]
    assert numbers("g-bold.md") == list(range(1, 25))
    repeated = "1. ### What is a?\n   A.\n\n1. ### What is b?\n   B.\n"
    assert [each.provenance.ordinal for each in items(repeated) if each.provenance] == [1, 2]


def test_what_is_no_content_is_left_out_and_told() -> None:
    reading, _, found = fixture("a-headings-in-items.md")
    texts = " ".join(answer(item) for item in found)
    assert not any(words in texts for words in ("Top", "License", "shields", "sponsor", "| No."))
    notes = "\n".join(reading.notes)
    assert "1 × badges, 24 × links within the page" in notes
    assert "(lines 7–34): “## Table of Contents" in notes
    assert "“## License Take it and be glad.”" in notes
    assert [tag.name for tag in reading.tags] == ["Data", "Networks", "Programs"]
    reading, _, found = fixture("d-good-to-hear.md")
    assert not any("Edit answer" in answer(item) or "<!--" in answer(item) for item in found)
    assert "24 × comments" in reading.notes[-1]


def test_summaries_may_be_long_and_details_empty_or_never_closed() -> None:
    reading, _, found = fixture("c-details.md")
    by_stem = {item.stem: item for item in found}
    assert by_stem["What is a transaction?"].context == "```sql\nbegin;\n\nselect 1;\n```"
    assert by_stem["When is a lock needed?"].answers
    assert by_stem["Why are passwords salted?"].answers == []
    assert by_stem["What is a semaphore?"].tags == ["data"]
    assert "Programs" not in answer(by_stem["What is a semaphore?"])
    assert "**Hint**" in answer(by_stem["What is a pure function?"])
    assert "1 of 24 questions have no answer in the list" in reading.notes[-1]


def test_options_become_options_and_equal_titles_are_told_apart_by_their_code() -> None:
    _, _, found = fixture("e-options.md")
    first, second = found[0], found[1]
    assert first.context == "```javascript\nconst n = 0;\n\nconsole.log(n * 2);\n```"
    assert [(each.text, each.correct) for each in first.options] == [
        ("`0`", False),
        ("`0`", True),
        ("`NaN`", False),
        ("`1`", False),
    ]
    assert [each.correct for each in second.options] == [False, False, False, True]
    # Without an explanation the right option is the answer.
    assert answer(found[6]) == "`12`"
    equal = [each for each in found if each.stem == "What's the output?"]
    ids = {each.provenance.external_id for each in equal if each.provenance}
    assert len(equal) == len(ids) == 12
    assert all(each and each.startswith("code-") for each in ids)
    assert second.provenance is not None
    assert second.provenance.external_id is None


def test_follow_up_questions_are_context_not_answers() -> None:
    _, rows, found = fixture("f-bullets.md")
    assert found[1].context == "* Have you ever used it?\n* What went wrong?"
    assert "answers" in rows[1].drops
    _, _, topics = fixture("f-topics.md")
    assert "near | far" in topics[2].context


def test_signs_and_words_of_a_level_become_the_difficulty() -> None:
    _, _, found = fixture("d-good-to-hear.md")
    assert [item.difficulty for item in found[:3]] == ["easy", "medium", "hard"]
    _, _, found = fixture("g-bold.md")
    assert [item.difficulty for item in found[:3]] == ["easy", "medium", None]
    text = (
        "# T\n\n## Advanced questions\n\n### What is a?\n\nA.\n\n"
        "## Basics\n\n### What is b? (easy)\n\nB.\n"
    )
    hard, easy = items(text)
    assert (hard.difficulty, hard.tags) == ("hard", [])
    assert (easy.stem, easy.difficulty, easy.tags) == ("What is b?", "easy", ["basics"])


def test_a_fence_without_end_is_closed_before_the_next_question_and_warned_of() -> None:
    text = (
        "### 1. What is a?\n\n```js\nlet a;\n\n### 2. What is b?\n\nB.\n\n"
        "```js\nlet b;\n```\n\n### 3. What is c?\n\nC.\n"
    )
    rows = list(read(upload(text)).rows)
    assert [row.item.stem for row in rows if row.item] == [
        "What is a?",
        "What is b?",
        "What is c?",
    ]
    assert rows[0].item is not None
    assert answer(rows[0].item) == "```js\nlet a;\n\n```"
    assert [damage.kind for damage in rows[0].damages] == ["fence"]
    assert rows[0].damages[0].passage == "let a;"
    assert rows[1].item is not None
    assert answer(rows[1].item) == "B.\n\n```js\nlet b;\n```"
    assert rows[2].place == "line 14"


def test_an_image_beside_the_list_is_warned_of_and_html_becomes_markdown() -> None:
    text = (
        "## What is a?\n\n![plan](img/a.png)\n\n<ul><li>one</li><li>two</li></ul>\n\n"
        "## What is b?\n\n![plan](https://pictures.example/b.png)\n"
    )
    first, second = read(upload(text)).rows
    assert [damage.kind for damage in first.damages] == ["image"]
    assert first.item is not None
    assert "- one\n- two" in answer(first.item)
    assert second.damages == []


def test_a_list_of_links_has_no_questions_and_says_so() -> None:
    reading, rows, _ = fixture("links.md")
    assert rows == []
    assert reading.notes == [
        "This is a list of 24 links: the questions stand elsewhere, so there is none to import."
    ]


def test_a_long_list_is_read_in_its_order() -> None:
    text = "# Long\n\n" + "".join(
        f"## Part {part}\n\n"
        + "".join(
            f"{number}. ### What is number {number}?\n\n   It is {number}.\n\n"
            "   **[⬆ Back to Top](#top)**\n\n"
            for number in range(part * 100 + 1, part * 100 + 101)
        )
        for part in range(4)
    )
    found = items(text)
    assert len(found) == 400
    assert [found[n].stem for n in (0, 200, 399)] == [
        "What is number 1?",
        "What is number 201?",
        "What is number 400?",
    ]
    assert answer(found[200]) == "It is 201."
    assert found[399].tags == ["part-3"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.md", "# Notes\n\n- one\n- two\n- three\n"),
        ("a.md", "---\nstem: What is a?\n---\n\n## What is a?\n\n## What is b?\n"),
        ("a.txt", "Q 1. What is a?\n\nA.\n\nQ 2. What is b?\n\nB.\n"),
        ("a.html", "<html><body><h2>What is a?</h2><h2>What is b?</h2></body></html>"),
        ("a.json", '{"questions": [\n"## What is a?",\n"## What is b?"]}'),
        ("a.md", b"## What is a?\n\n## What is b?\n\xff"),
    ],
)
def test_what_is_no_list_is_not_taken_for_one(name: str, text: str | bytes) -> None:
    assert not LIST.detect(upload(text, name))


def test_a_file_without_a_list_is_refused_with_what_one_looks_like() -> None:
    with pytest.raises(UnreadableFile) as caught:
        read(upload("# Notes\n\nNothing is asked.\n", "notes.md"))
    assert str(caught.value).startswith("notes.md: No list of questions was found.")


PIECES = (
    *(
        "# T\n",
        "## What is a?\n",
        "\n",
        "text\n",
        "```\n",
        "```js\n",
        "<details>\n",
        "</details>\n",
    ),
    *("<summary>a?</summary>\n", "1. ### a?\n", "2. b?\n", "    x\n", "- A: x\n- B: y\n", "> q\n"),
    *("#### Answer: B\n", "Ans. x\n", "**a?** x\n", "- a?\n  - b?\n", "<!-- x -->\n", "<!-- x\n"),
    *("---\n", "| a |\n|---|\n| [x](#a) |\n", "<div>\n", "</div>\n", "<p>x</p></details>\n"),
    *("[x](#y)\n", "![](a.png)\n", "<details><summary><b>Answer</b></summary>\n", "<pre>\n"),
)


@given(st.lists(st.sampled_from(PIECES) | any_text, max_size=25).map("".join))
def test_every_mixture_of_shapes_is_read_or_refused(text: str) -> None:
    claimed = LIST.detect(upload(text))
    try:
        rows = list(read(upload(text)).rows)
    except UnreadableFile:
        assert not claimed
        return
    assert all((row.item is None) == bool(row.error) for row in rows)


@pytest.mark.parametrize(
    "hostile",
    [
        "- " * 10_000,
        "<details>\n" * 2_000,
        "<summary>" * 2_000,
        "<!-- \n" * 3_000,
        "```\n### 1. a?\n\n" * 700,
        "[" * 20_000,
        "- a?\n" * 1_500,
        "<p><a " * 3_000,
        "**a?\n\n" * 1_000,
    ],
    ids=range(9),
)
def test_hostile_lists_are_read_in_bounded_time(hostile: str) -> None:
    began = time.process_time()
    file = upload("## What is a?\n\n## What is b?\n\n" + hostile)
    LIST.detect(file)
    list(read(file).rows)
    assert time.process_time() - began < 5
