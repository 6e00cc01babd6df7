"""Articles: which lines are questions, and which are no part of their answers."""

from __future__ import annotations

import pytest

from cms.formats.article import detect
from tests.formats.articles import body, item, outline, read, upload

# --- headings --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "Q 1. What is a?\nIt is a.\n\nQ33.What is b?\n\nIt is b.\n\nQ 34: What is c?\nc",
            [
                (1, "What is a?", "It is a."),
                (33, "What is b?", "It is b."),
                (34, "What is c?", "c"),
            ],
        ),
        (
            "1) What is a?\nA thing.\n2) What is b?\nB thing.",
            [(1, "What is a?", "A thing."), (2, "What is b?", "B thing.")],
        ),
        (
            "Question 5: What is a?\nA thing.\n\nQuestion 6 of 10 - What is b?\nB thing.",
            [(5, "What is a?", "A thing."), (6, "What is b?", "B thing.")],
        ),
        (
            "Q: What is a?\nA: A thing.\nQ: What is b?\nAns. B thing.",
            [(1, "What is a?", "A thing."), (2, "What is b?", "B thing.")],
        ),
        (
            "12. What is a?\n\nDo this:\n\n1. one\n2. two\n\n13. What is b?\n\nB.",
            [(12, "What is a?", "Do this:\n\n1. one\n2. two"), (13, "What is b?", "B.")],
        ),
        (
            "**Q7 - What is a?**\n\nA.\n\n**Q8 - What is b?** B it is.\n\n**Q9.** What is c?\nC.",
            [(7, "What is a?", "A."), (8, "What is b?", "B it is."), (9, "What is c?", "C.")],
        ),
        (
            "### 3. What is a?\n\nA.\n\n### 4. Explain b\n\n1. one\n2. two\n\n"
            "### 5. Generators\n\nC.",
            [(3, "What is a?", "A."), (4, "Explain b", "1. one\n2. two"), (5, "Generators", "C.")],
        ),
        (
            "#Q 4 What is a?\nA.\n#Q 5 What is b?\nB.",
            [(4, "What is a?", "A."), (5, "What is b?", "B.")],
        ),
        (
            "# Title\n\n## What is a?\n\nA.\n\n### Note\n\nIt is.\n\n## What is b?\n\nB.",
            [(1, "What is a?", "A.\n\n### Note\n\nIt is."), (2, "What is b?", "B.")],
        ),
        (
            "**What is a?**\n\nA.\n\n**What is b?**\n\nB.",
            [(1, "What is a?", "A."), (2, "What is b?", "B.")],
        ),
        (
            "1. **What is a?**\n\n   A.\n\n   - x\n   - y\n\n2. **What is b?**\n\n   B.",
            [(1, "What is a?", "A.\n\n- x\n- y"), (2, "What is b?", "B.")],
        ),
        (
            "What is a?\nAns: A.\n\nWhat is b?\nAns: B.",
            [(1, "What is a?", "A."), (2, "What is b?", "B.")],
        ),
        (
            "Q 1. What is a?\nA.\n\n2) What is b?\n\nB:\n\n1. one\n2. two\n\n"
            "Question 3: What is c?\nC.\n\nQ: What is d?\nD.\n\nWhat is e?\n\nAnswer: E.",
            [
                (1, "What is a?", "A."),
                (2, "What is b?", "B:\n\n1. one\n2. two"),
                (3, "What is c?", "C."),
                (4, "What is d?", "D."),
                (5, "What is e?", "E."),
            ],
        ),
        (
            "Q 1. What is the difference between this and\nthat or the other?\nAns. None.\n\n"
            "Q 2.\nWhat is b?\n\nB.",
            [
                (1, "What is the difference between this and that or the other?", "None."),
                (2, "What is b?", "B."),
            ],
        ),
        (
            "Q1. What is a? Answer: A thing.\nQ2. What is b? It is a thing with four words.\n"
            "Q3. What is c? Explain with an example.\nC.\nQ4. What is d? What is it not?\nD.",
            [
                (1, "What is a?", "A thing."),
                (2, "What is b?", "It is a thing with four words."),
                (3, "What is c? Explain with an example.", "C."),
                (4, "What is d? What is it not?", "D."),
            ],
        ),
        (
            "1. What is a?\nA.\n\n2. What is b?\nB.\n\nAdvanced questions\n\n1. What is c?\nC.",
            [(1, "What is a?", "A."), (2, "What is b?", "B."), (3, "What is c?", "C.")],
        ),
        (
            "Q1. What is a?\nFirst.\n\nQ1. What is a?\nSecond.",
            [(1, "What is a?", "First."), (2, "What is a?", "Second.")],
        ),
        (
            "1. What is a?\n2. What is b?\n\n1. What is a?\n\nA.\n\n2. What is b?\n\nB.",
            [(1, "What is a?", "A."), (2, "What is b?", "B.")],
        ),
        (
            "1. How do you begin?\n\n1. Install\n\nRun it.\n\n2. Set up\n\nEdit it.\n\n"
            "2. How do you end?\n\nStop.",
            [
                (1, "How do you begin?", "1. Install\n\nRun it.\n\n2. Set up\n\nEdit it."),
                (2, "How do you end?", "Stop."),
            ],
        ),
        (
            "1. What is a?\n\nA.\n\n2. What is b?\n\n1. one\n2. two\n\n3. What is c?\n\nC.",
            [(1, "What is a?", "A."), (2, "What is b?", "1. one\n2. two"), (3, "What is c?", "C.")],
        ),
        (
            "1. What is a?\n\nAsk yourself:\n\n1. Is it fast?\n2. Is it safe?\n\n"
            "2. What is b?\n\nB.",
            [
                (1, "What is a?", "Ask yourself:\n\n1. Is it fast?\n2. Is it safe?"),
                (2, "What is b?", "B."),
            ],
        ),
        (
            "Q1. What is C#?\nA language.\n"
            "Q2. What does __init__ do with *args and **kwargs?\nMuch.",
            [
                (1, "What is C#?", "A language."),
                (2, "What does `__init__` do with *args and **kwargs?", "Much."),
            ],
        ),
        (
            "Q1. What is a?\n\n```\nQ 7\n1. What?\n```\n\nQ2. What is b?\n```python\nx = 1\n\n"
            "Q3. What is c?\nC.",
            [
                (1, "What is a?", "```\nQ 7\n1. What?\n```"),
                (2, "What is b?", "```python\nx = 1\n```"),
                (3, "What is c?", "C."),
            ],
        ),
    ],
)
def test_headings_of_any_style_start_a_question(
    text: str, expected: list[tuple[int, str, str]]
) -> None:
    assert outline(text) == expected
    assert detect(upload(text))


@pytest.mark.parametrize(
    "line",
    [
        "2024. That was the year.",
        "1.5 is more than one, is it not?",
        "10:30 is the time?",
        "Q-learning is an algorithm.",
        "Q1 results were fine.",
        "2. Why not?",
        "Answer the phone.",
    ],
)
def test_a_line_that_only_resembles_a_heading_stays_in_the_answer(line: str) -> None:
    (_, _, first), _ = outline(f"Q 3. What is a?\nA thing\n{line}\n\nQ 4. What is b?\nB.")
    assert line in first.replace("\\", "")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("**Answer:** one", "one"),
        ("**Answer: all of it**", "**all of it**"),
        ("#### Answer\n\none", "one"),
        ("Ans 1 - one", "one"),
        ("A1: one", "one"),
        ("ANSWER.\none", "one"),
        ("A list of two", "A list of two"),
        ("Answers differ: one", "Answers differ: one"),
    ],
)
def test_a_label_is_no_part_of_the_answer(answer: str, expected: str) -> None:
    text = f"## 1. What is a?\n\n{answer}\n\n## 2. What is b?\n\nB."
    assert outline(text)[0][2] == expected


def test_a_question_without_an_answer_carries_a_warning() -> None:
    first, second = read("Q1. What is a?\n\nQ2. What is b?\nB.").rows
    assert item(first).answers == []
    assert [damage.kind for damage in first.damages] == ["empty"]
    assert second.damages == []


def test_a_stem_too_long_to_save_is_an_error_of_its_row_alone() -> None:
    long = "What is " + "a very, " * 100 + "long thing?"
    rows = list(read(f"Q1. {long}\nA.\n\nQ2. What is b?\nB.").rows)
    assert [item(row).stem for row in rows if row.item] == ["What is b?"]


# --- what is left out --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("after", "reason"),
    [
        ("Similar Reads\n\nWhat is z?\n5 min read", "other articles"),
        ("Related Articles:\nWhat is z?", "other articles"),
        ("You may also like\n\nMore.", "other articles"),
        ("3 Comments\n\nNice.", "other articles"),
        ("Conclusion\n\nPractice makes perfect.", "conclusion"),
        ("In conclusion, these questions prepare you for an interview.", "conclusion"),
        ("To sum up, this article listed what you are asked.\n\nGood luck!", "conclusion"),
        ("We hope this article helps you.\n\nHappy learning!", "conclusion"),
        ("Next Article", "navigation"),
        ("Like\nShare\nReport Issue", "navigation"),
        ("Last updated on May 5, 2025", "date"),
        ("Advanced Interview Questions", "caption"),
        ("----------", "rule"),
    ],
)
def test_what_follows_the_last_answer_is_left_out_and_told(after: str, reason: str) -> None:
    reading = read(f"Q1. What is a?\nA.\n\nQ2. What is b?\nB stands here.\n\n{after}\n")
    assert [body(row) for row in reading.rows] == ["A.", "B stands here."]
    assert any(reason in note for note in reading.notes)


@pytest.mark.parametrize(
    "paragraph",
    [
        "In conclusion, a list is faster than a tuple.",
        "Overall, the second way is better.",
        "Finally, the block runs whatever happened.",
        "Summary\n\nUse the first.",
        "Comments\n\nThey begin with a number sign.",
        "Share",
        "We hope that the network answers.",
        "Questions for the reader:",
    ],
)
def test_an_answer_keeps_what_only_resembles_the_articles_own_words(paragraph: str) -> None:
    text = f"Q1. What is a?\nA stands here.\n\n{paragraph}\n\nQ2. What is b?\nB."
    assert paragraph in outline(text)[0][2]


def test_a_title_that_announces_more_questions_is_told() -> None:
    notes = read("Top 5 Questions about Things\n\nQ1. What is a?\nA.\n\nQ2. What is b?\nB.").notes
    assert notes[-1] == (
        "The title announces 5 questions, 2 were found: "
        "compare with the article whether one is missing."
    )


@pytest.mark.parametrize(
    ("line", "date"),
    [
        ("Last Updated : 3 Mar, 2025", "2025-03-03"),
        ("Updated on March 3rd, 2025", "2025-03-03"),
        ("Published: 2025-03-03", "2025-03-03"),
        ("Last updated 03/04/2025", ""),
        ("Last Updated : 31 Feb, 2025", ""),
    ],
)
def test_the_date_of_an_article_is_read_where_it_is_certain(line: str, date: str) -> None:
    (row,) = read(f"Things\n\n{line}\n\nQ1. What is a?\nA.").rows
    origin = item(row).provenance
    assert origin is not None
    assert origin.date == date


def test_an_article_without_a_title_is_named_by_its_file() -> None:
    (row,) = read("Q1. What is a?\nA.", "things.txt").rows
    origin = item(row).provenance
    assert origin is not None
    assert origin.source == "things"
