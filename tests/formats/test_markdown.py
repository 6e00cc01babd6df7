"""Markdown: files as people write them, as we write them, and as nobody should."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from msgspec.structs import replace

from cms.errors import UnreadableFile
from cms.formats import FORMATS, detect
from cms.formats.archive import Archive, packed
from cms.formats.incoming import Row, Upload
from cms.formats.item import (
    AnswerItem,
    CorrectionItem,
    DeckFilter,
    DeckItem,
    Item,
    OptionItem,
    ProvenanceItem,
    SourceItem,
    TagItem,
    TombstoneItem,
)
from cms.formats.markdown import MARKDOWN, question_text
from cms.formats.markdown.bank import owned, read
from cms.formats.normalizing import normalized
from cms.vocabulary import CorrectionKind, Difficulty, Status
from tests.formats.strategies import (
    NOON,
    banks,
    decks,
    markdown,
    question,
    tags,
    tombstones,
    upload,
    written,
)

HEAD = "---\nstem: What is a kettle?\n---\n"
BANK = "format: question-bank\nversion: 1\n"


def folder(files: Mapping[str, str | bytes], name: str = "bank.md.zip") -> Upload:
    parts = (
        (each, data.encode() if isinstance(data, str) else data) for each, data in files.items()
    )
    return Upload(name, b"".join(packed(parts)))


def files_of(data: bytes) -> dict[str, str]:
    archive = Archive(upload(data))
    return {name: archive.read(name).data.decode() for name in archive.names}


def rows(files: Mapping[str, str | bytes]) -> list[Row]:
    return list(read(folder(files)).rows)


def one(text: str | bytes, name: str = "kettle.md") -> Item:
    """Read the file of one question, which has to be right."""
    [row] = rows({name: text})
    assert row.error is None, f"{row.place}: {row.error}"
    assert row.item is not None
    return row.item


def refused(text: str | bytes, name: str = "kettle.md") -> str:
    """Read a file that is wrong; return the place and what is said."""
    [row] = rows({name: text})
    assert row.item is None
    return f"{row.place}: {row.error}"


def again(item: Item) -> Item:
    """Write a question, and read it."""
    return one(question_text(item, "kettle"))


# --- what a file looks like --------------------------------------------------------

FULL = Item(
    uid="01920000-0000-7000-8000-000000000001",
    slug="kettle",
    stem="What is a kettle: a pot?",
    context="Think of `tea`.",
    difficulty=Difficulty.easy,
    tags=["kitchen", "kitchen/tea"],
    answers=[
        AnswerItem(
            uid="01920000-0000-7000-8000-000000000002",
            body="A vessel.\n\nWater boils in it.",
            applies_to="Kettle >= 2.10 --> 3",
            sources=[
                SourceItem(url="https://a.example/", title="A", accessed_on=date(2026, 11, 22))
            ],
        ),
        AnswerItem(uid="01920000-0000-7000-8000-000000000003", label="Short", body="A pot."),
    ],
    corrections=[
        CorrectionItem(
            uid="01920000-0000-7000-8000-000000000004",
            number=3,
            kind=CorrectionKind.factual,
            claim="It boils.\n\nAlways.",
            decided_at=datetime(2026, 11, 22, 10, tzinfo=UTC),
        )
    ],
    provenance=ProvenanceItem(source="Forty Kettles", date="2024-06-15", ordinal=1),
    revision=4,
    content_hash="0" * 64,
    release=2,
    published_at=NOON,
    updated_at=NOON,
)
FULL_TEXT = f"""\
---
uid: 01920000-0000-7000-8000-000000000001
stem: 'What is a kettle: a pot?'
difficulty: easy
tags:
- kitchen
- kitchen/tea
corrections:
- uid: 01920000-0000-7000-8000-000000000004
  number: 3
  kind: factual
  claim: |-
    It boils.

    Always.
  status: accepted
  decided_at: 2026-11-22T10:00:00Z
provenance:
  source: Forty Kettles
  date: '2024-06-15'
  ordinal: 1
revision: 4
content_hash: '{"0" * 64}'
release: 2
published_at: 2026-11-22T12:00:00Z
updated_at: 2026-11-22T12:00:00Z
---

Think of `tea`.

## Answer
<!-- {{"uid": "01920000-0000-7000-8000-000000000002", "applies_to": "Kettle >= 2.10 --\\u003e 3", \
"sources": [{{"url": "https://a.example/", "title": "A", "accessed_on": "2026-11-22"}}]}} -->

A vessel.

Water boils in it.

## Answer: Short
<!-- {{"uid": "01920000-0000-7000-8000-000000000003"}} -->

A pot.
"""


def test_a_question_is_a_file_that_people_can_read_and_edit() -> None:
    assert question_text(FULL, "kettle") == FULL_TEXT
    assert one(FULL_TEXT) == FULL


def test_the_shortest_question_is_a_stem() -> None:
    assert question_text(Item(slug="kettle", stem="Why?"), "kettle") == "---\nstem: Why?\n---\n"
    assert one("---\nstem: Why?\n---\n") == Item(slug="kettle", stem="Why?")


@pytest.mark.parametrize(
    ("slug", "name", "stated"),
    [("kettle", "kettle", None), ("kettle", "kettle-2", "kettle"), (None, "kettle", "")],
)
def test_a_slug_is_stated_where_the_name_does_not_say_it(
    slug: str | None, name: str, stated: str | None
) -> None:
    text = question_text(replace(FULL, slug=slug), name)
    front = yaml.safe_load(text.split("---\n")[1])
    assert front.get("slug") == stated
    assert one(text, f"{name}.md").slug == slug


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("what-is-a-kettle.md", "what-is-a-kettle"),
        ("KETTLE.MD", None),
        ("kettle (1).md", None),
        ("Was ist ein Kessel?.md", None),
        (f"{'k' * 121}.md", None),
    ],
)
def test_the_name_of_a_file_is_its_slug_if_it_can_be_one(name: str, slug: str | None) -> None:
    assert one(HEAD, name).slug == slug


def test_a_bank_lists_its_files_in_order_and_no_two_share_a_name() -> None:
    bank = [
        *(question(3, slug="kettle"), question(1, slug="kettle"), question(2, slug=None)),
        *(question(4, slug="readme"), question(5, slug="con")),
    ]
    data = written(MARKDOWN, bank)
    assert list(files_of(data)) == [
        *("01920000-0000-7000-8000-000000000002.md", "bank.yaml", "con-2.md", "kettle-2.md"),
        *("kettle.md", "readme-2.md"),
    ]
    assert [row.item for row in read(upload(data)).rows] == bank


def test_the_head_of_a_bank_stands_beside_the_questions() -> None:
    data = written(
        MARKDOWN,
        [question(1)],
        tags=[TagItem(slug="numbers", name="Numbers: all", description="One.\n\nTwo.")],
        decks=[
            DeckItem(slug="first", title="First", filter=DeckFilter(all=["a/b"], text="no")),
            DeckItem(slug="second", title="Second"),
        ],
        withdrawn=[TombstoneItem(uid="01920000-0000-7000-8000-000000000009", release=1)],
    )
    files = files_of(data)
    assert files["bank.yaml"] == (
        "format: question-bank\nversion: 1\ntitle: A bank\nurl: https://bank.example/\n"
        "release: 1\ngenerated_at: 2026-11-22T12:00:00Z\nquestions:\n- question-1.md\n"
        "withdrawn:\n- uid: 01920000-0000-7000-8000-000000000009\n  release: 1\n"
    )
    assert files["tags.yaml"] == (
        "- slug: numbers\n  name: 'Numbers: all'\n  description: |-\n    One.\n\n    Two.\n"
    )
    assert files["decks.yaml"] == (
        "- slug: first\n  title: First\n  filter:\n    all:\n    - a/b\n    text: 'no'\n"
        "- slug: second\n  title: Second\n"
    )


def test_a_filter_written_by_hand_needs_no_quotes() -> None:
    text = "- slug: a\n  title: A\n  filter: {text: 2.10, any: [no, 007]}\n"
    deck = read(folder({"kettle.md": HEAD, "decks.yaml": text})).decks[0]
    assert deck.filter == DeckFilter(text="2.10", any=["no", "007"])


# --- round trips --------------------------------------------------------------------


@given(
    bank=banks,
    tags=st.lists(tags, max_size=2, unique_by=lambda tag: tag.slug),
    decks=st.lists(decks, max_size=2, unique_by=lambda deck: deck.slug),
    withdrawn=st.none() | st.lists(tombstones, max_size=2),
)
def test_what_was_written_and_read_is_written_again_byte_for_byte(
    bank: list[Item],
    tags: list[TagItem],
    decks: list[DeckItem],
    withdrawn: list[TombstoneItem] | None,
) -> None:
    data = written(MARKDOWN, bank, tags=tags, decks=decks, withdrawn=withdrawn)
    reading = read(upload(data))
    found = [row.item for row in reading.rows]
    assert found == bank
    assert (reading.tags, reading.decks) == (tags, decks)
    items = [item for item in found if item is not None]
    assert written(MARKDOWN, items, tags=tags, decks=decks, withdrawn=withdrawn) == data


@given(bank=banks)
def test_every_front_matter_says_the_same_to_another_program(bank: list[Item]) -> None:
    for text in files_of(written(MARKDOWN, bank)).values():
        if text.startswith("---\n"):
            front = yaml.safe_load(re.split(r"^---\n", text, flags=re.MULTILINE)[1])
            found = [item for item in bank if item.uid == front["uid"]]
            assert [item.stem for item in found] == [front["stem"]]
            assert [item.tags for item in found] == [front.get("tags", [])]


HOSTILE = (
    *("## Answer", "## Answer: Short", "\\## Answer", "\\\\## Answer", "\\\\\\## Answer: x"),
    *(
        " ## Answer",
        "   ##\tanswer :",
        "   \\## ANSWER:",
        "    ## Answer",
        "##Answer",
        "## Answers",
    ),
    *("### Answer", "## Answer ", "## Answer:## Answer", "## Answer\u2028x", "x ## Answer"),
    *("```", "~~~", "```python run", "---", "...", "--- ", "+++", "***", "===", "%%%"),
    *("<!-- {} -->", '<!-- {"uid": "x"} -->', "<!--{", "\\<!-- {", "\\\\<!--{} -->", "<!-- -->"),
    *("<!-- x", "-->", "{", "}", "", " ", "\t", "\u00a0", "\u2028", "\u2003", "\ufeff", "😀"),
    *("trailing  ", "\\", "\\\\", "# x", "- x", "> ## Answer", "a\\", "\u0130", "ſ", "##  anſwer"),
)
hostile_texts = st.lists(st.sampled_from(HOSTILE), max_size=8).map("\n".join)


@pytest.mark.parametrize("line", HOSTILE)
@pytest.mark.parametrize(
    "around", ["{}", "{}\nmore", "text\n{}", "text\n\n{}\n\ntext", "```\n{}\n```"]
)
def test_a_line_that_reads_like_ours_is_kept_wherever_it_stands(line: str, around: str) -> None:
    text = around.format(line)
    item = normalized(
        Item(
            slug="kettle",
            stem="Why?",
            context=text,
            answers=[
                AnswerItem(body=text),
                AnswerItem(uid="01920000-0000-7000-8000-000000000002", label="L", body=text),
            ],
        )
    )
    item.answers = [answer for answer in item.answers if answer.body]
    assert again(item) == item


@given(context=hostile_texts | markdown, bodies=st.lists(hostile_texts | markdown, max_size=3))
def test_no_mixture_of_such_lines_is_changed(context: str, bodies: list[str]) -> None:
    answers = [AnswerItem(label="x" * number, body=body) for number, body in enumerate(bodies)]
    item = normalized(Item(slug="kettle", stem="Why?", context=context, answers=answers))
    item.answers = [answer for answer in item.answers if answer.body]
    assert again(item) == item


@pytest.mark.parametrize("body", ["## Answer", "## Answer: x", "<!-- {} -->"])
def test_an_escaped_line_is_the_same_text_in_markdown(body: str) -> None:
    text = question_text(Item(stem="Why?", answers=[AnswerItem(body=body)]), "kettle")
    [line] = [line for line in text.split("\n") if line.startswith("\\")]
    [paragraph] = [token for token in MarkdownIt().parse(line) if token.type == "inline"]
    children = paragraph.children or []
    assert "".join(child.content for child in children) == body


# --- as people write ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "labels", "bodies"),
    [
        (HEAD, [], []),
        (HEAD + "## Answer\nA pot.", [""], ["A pot."]),
        (HEAD + "\n\n## Answer\n\n\nA pot.\n\n\n", [""], ["A pot."]),
        (HEAD + "## Answer: One\nA.\n## Answer: Two: x\nB.", ["One", "Two: x"], ["A.", "B."]),
        (HEAD + "## answer\nA.\n  ##   ANSWER :  Short  \nB.", ["", "Short"], ["A.", "B."]),
        (HEAD + "## Answer:\nA.", [""], ["A."]),
        (HEAD + "## Answer\n\n## Answer: Short\nB.", ["Short"], ["B."]),
        (HEAD + "## Answer\n# A\n### B\n## Answers\nC.", [""], ["# A\n### B\n## Answers\nC."]),
        (HEAD + "## Answer\n    code\n\n## Other", [""], ["    code\n\n## Other"]),
        (HEAD + "## Answer\n<!-- a remark -->\nA.", [""], ["<!-- a remark -->\nA."]),
        (HEAD + "## Answer\nA.\n\n---\n\nB.", [""], ["A.\n\n---\n\nB."]),
    ],
)  # fmt: skip
def test_answers_stand_below_their_headings(
    text: str, labels: list[str], bodies: list[str]
) -> None:
    item = one(text)
    assert [answer.label for answer in item.answers] == labels
    assert [answer.body for answer in item.answers] == bodies


def test_fences_decide_nothing() -> None:
    item = one(HEAD + "## Answer\n```\n## Answer: Short\n```\n")
    assert [(answer.label, answer.body) for answer in item.answers] == [
        ("", "```"),
        ("Short", "```"),
    ]


UID = "01920000-0000-7000-8000-000000000002"


@pytest.mark.parametrize(
    "comment",
    [
        f'<!-- {{"uid": "{UID}"}} -->',
        f'<!--{{"uid":"{UID}"}}-->',
        f'\n\n<!-- {{"uid": "{UID}"}} -->\n\n',
        f'  <!-- {{"uid": "{UID}", "sources": [],\n      "x-mine": 1}}\n-->',
    ],
)
def test_a_comment_may_be_laid_out_as_an_editor_likes(comment: str) -> None:
    [answer] = one(f"{HEAD}## Answer\n{comment}\nA pot.").answers
    assert answer == AnswerItem(uid=UID, body="A pot.")


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_every_line_end_is_read(ending: str) -> None:
    text = FULL_TEXT.replace("\n", ending)
    assert one(text.encode()) == FULL


def test_an_answer_keeps_its_uid_through_edits_of_its_text_and_label() -> None:
    text = FULL_TEXT.replace("## Answer: Short", "## Answer: In short").replace("A pot.", "One.")
    edited = one(text).answers[1]
    assert (edited.uid, edited.label, edited.body) == (FULL.answers[1].uid, "In short", "One.")


@pytest.mark.parametrize(
    ("line", "name", "value"),
    [
        ("stem: no", "stem", "no"),
        ("stem: 007", "stem", "007"),
        ("stem: 2026-11-22", "stem", "2026-11-22"),
        ("stem: 'Why: #1?'", "stem", "Why: #1?"),
        ("stem: >\n  Why\n  not?", "stem", "Why not?"),
        ("slug: 2026", "slug", "2026"),
        ("tags: [on, '1']", "tags", ["on", "1"]),
        ("difficulty:", "difficulty", None),
        ("difficulty: hard", "difficulty", Difficulty.hard),
        ("revision: 12", "revision", 12),
        ("status: in_review", "status", Status.in_review),
        ("updated_at: 2026-11-22T13:00:00+01:00", "updated_at", NOON),
        ("provenance: {source: no, date: 2024, external_id: 1e3}", "provenance",
         ProvenanceItem(source="no", date="2024", external_id="1e3")),
        ("x-note: [whatever, {it: is}]", "stem", "What is a kettle?"),
    ],
)  # fmt: skip
def test_front_matter_means_what_it_says(line: str, name: str, value: Any) -> None:
    stem = "" if line.startswith("stem") else "stem: What is a kettle?\n"
    assert getattr(one(f"---\n{stem}{line}\n---\n"), name) == value


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("## Answer\nA.", "kettle.md, line 1: The front matter is missing, or has no end."),
        ("---\nstem: Why?\n## Answer\nA.", "kettle.md, line 1: The front matter is missing"),
        ("---\n---\n", "kettle.md, front matter: The key 'stem' is missing. Add it."),
        ("---\njust words\n---\n", "kettle.md, line 2: The front matter has to be made of lines"),
        ("---\nstem: ''\n---\n", "kettle.md, stem: It is empty. Write the question."),
        ("---\nstem: Why?\nstem: How?\n---\n", "kettle.md, line 3: The key 'stem' stands twice"),
        ("---\nuid: x\nstem: Why: how?\n---\n", "kettle.md, line 3: This is not YAML: mapping"),
        ("---\nstem: &a Why?\n---\n", "kettle.md, line 2: Anchors (&) and aliases (*)"),
        ("---\nstem: Why?\ndificulty: easy\n---\n",
         "kettle.md, front matter: Unknown key 'dificulty'. Correct or remove it"),
        ("---\nstem: Why?\nprovenance: {source: A, from: b}\n---\n",
         "kettle.md, provenance: Unknown key 'from'. Correct or remove it"),
        ("---\nstem: Why?\ndifficulty: simple\n---\n",
         "kettle.md, difficulty: 'simple' is none of easy, medium, hard."),
        ("---\nstem: Why?\nrevision: two\n---\n", "kettle.md, revision: Expected `int"),
        ("---\nstem: Why?\ntags: flask\n---\n", "kettle.md, tags: Expected `array`"),
        ("---\nstem: Why?\nuid: 17\n---\n", "kettle.md, uid: '17' is not a UUID."),
        ("---\nstem: Why?\nslug: Why not\n---\n", "kettle.md, slug: 'Why not' may hold small"),
        ("---\nstem: Why?\nanswers: []\n---\n", "kettle.md, answers: It stands in the text below"),
        ("---\nstem: Why?\noptions: []\n---\n", "kettle.md, options: It stands in the text below"),
        ("---\nstem: Why?\ncontext: A\n---\n", "kettle.md, context: It stands in the text below"),
        (HEAD + "## Answer\n<!-- {uid: x} -->\nA.", "kettle.md, line 5: This is not JSON"),
        (HEAD + "\n## Answer\n\n<!-- {} --> A.", "kettle.md, line 7: The comment has to end with"),
        (HEAD + "## Answer\n<!-- {}\nA.", "kettle.md, line 5: The comment has to end with '-->'"),
        (HEAD + '## Answer\n<!-- {"label": "x"} -->\nA.',
         "kettle.md, line 5: Unknown key 'label'. Correct or remove it"),
        (HEAD + '## Answer\n<!-- {"sources": [{"url": 1}]} -->\nA.',
         "kettle.md, line 5, $.sources[0].url: Expected `str`, got `int`."),
        (HEAD + '## Answer\n<!-- {"sources": [{"url": "a b"}]} -->\nA.',
         "kettle.md, answers[0].sources[0].url: 'a b' is not a web address"),
        (HEAD + '## Answer: A\n<!-- {"uid": "17"} -->', "kettle.md, answers[0].uid: '17' is not"),
        (b"---\nstem: caf\xe9\n---\n", "kettle.md, line 2: Byte 13 (0xe9) is not UTF-8."),
        (b"---\nstem: a\0b\n---\n", "kettle.md, line 2: A NUL stands here"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_explained_with_the_file_and_the_place(
    text: str | bytes, said: str
) -> None:
    assert refused(text).startswith(said)


def test_one_wrong_file_does_not_keep_the_others_out() -> None:
    first, second, third = rows({"a.md": HEAD, "b.md": "---\n---\n", "c.md": HEAD})
    assert (first.place, third.place) == ("a.md", "c.md")
    assert first.item
    assert third.item
    assert second.error


@pytest.mark.parametrize(
    "part",
    [
        "## Answer\n<!-- {} -->\nA.\n",
        "## Answer\n<!-- {\n",
        "\n" * 20 + " " * 20,
        "\\" * 40,
        "---\n",
        "## Answer: " + "\\## Answer" * 4,
    ],
)
def test_a_large_file_of_hostile_lines_is_one_row(part: str) -> None:
    text = HEAD + part * (2_000_000 // len(part))
    [row] = rows({"kettle.md": text})
    assert row.place.startswith("kettle.md")
    assert bool(row.item) != bool(row.error)


# --- folders as people keep them --------------------------------------------------------


def test_what_is_no_question_is_left_out_with_a_note() -> None:
    reading = read(
        folder(
            {
                "README.md": "# Kettles\n\nAll about them.",
                "kettle.md": HEAD,
                "notes.txt": "x",
                "more/pot.md": HEAD,
                "rule.md": "---\n\nNothing but a rule above.",
            }
        )
    )
    assert [row.place for row in reading.rows] == ["kettle.md"]
    assert reading.notes == [
        "Left out, because no question stands there: more/pot.md, notes.txt, README.md, rule.md."
    ]


def test_a_long_list_of_what_was_left_out_is_cut() -> None:
    reading = read(folder({f"{number}.txt": "x" for number in range(9)}))
    assert list(reading.rows) == []
    assert reading.notes == [
        "Left out, because no question stands there: 0.txt, 1.txt, 2.txt, 3.txt, 4.txt and 4 more."
    ]


def test_files_come_in_the_order_of_the_bank_and_new_ones_after_them_by_name() -> None:
    names = ("c.md", "gone.md", "a.md", "a.md")
    order = BANK + "questions:\n" + "".join(f"- {name}\n" for name in names)
    found = rows({"a.md": HEAD, "b.md": HEAD, "c.md": HEAD, "0.md": HEAD, "bank.yaml": order})
    assert [row.place for row in found] == ["c.md", "a.md", "0.md", "b.md"]


def test_a_folder_without_lists_has_no_tags_and_no_decks() -> None:
    reading = read(folder({"kettle.md": HEAD}))
    assert (reading.tags, reading.decks, reading.notes) == ([], [], [])


def test_withdrawn_questions_are_a_note() -> None:
    data = written(MARKDOWN, [], withdrawn=[TombstoneItem(uid=UID, release=1)])
    assert read(upload(data)).notes == [
        "1 withdrawn question is listed; an import retires nothing, so nothing was done about that."
    ]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("tags.yaml", "- slug: A b", "bank.md.zip, tags.yaml, $[0].slug: 'A b' is not a tag"),
        ("tags.yaml", "- name: A", "bank.md.zip, tags.yaml, $[0]: The key 'slug' is missing."),
        ("tags.yaml", "- slug: a\n- slug: a", "$[1].slug: 'a' stands at tags.yaml, $[0].slug"),
        ("tags.yaml", "slug: a", "bank.md.zip, tags.yaml, $: Expected `array`, got `object`."),
        ("tags.yaml", "- slug: a\n- 'b", "bank.md.zip, tags.yaml, line 2: This is not YAML"),
        ("decks.yaml", "- slug: a", "bank.md.zip, decks.yaml, $[0]: The key 'title' is missing."),
        ("decks.yaml", "- {slug: a, title: A, questions: [kettle]}",
         "bank.md.zip, decks.yaml, $[0].questions[0]: 'kettle' is not a UUID."),
        ("decks.yaml", "- {slug: a, title: A, filter: {tags: [a]}}",
         "bank.md.zip, decks.yaml, $[0].filter: Unknown key 'tags'."),
        ("decks.yaml", "- {slug: a, title: A, filter: {difficulty: [nasty]}}",
         "decks.yaml, $[0].filter.difficulty[0]: 'nasty' is none of easy, medium, hard."),
        ("decks.yaml", b"- slug: \xff", "bank.md.zip, decks.yaml, line 1: Byte 8 (0xff)"),
        ("bank.yaml", "title: A", "bank.md.zip, bank.yaml, $.format: This must be 'question-bank'"),
        ("bank.yaml", "format: question-bank\nversion: 2", "$.version: This program reads"),
        ("bank.yaml", f"{BANK}colour: red", "bank.md.zip, bank.yaml, $: Unknown key 'colour'."),
        ("bank.yaml", "- a", "bank.md.zip, bank.yaml, $: Expected `object`, got `array`."),
    ],
)  # fmt: skip
def test_a_wrong_list_is_refused_with_its_file_and_place(
    name: str, text: str | bytes, said: str
) -> None:
    with pytest.raises(UnreadableFile) as caught:
        read(folder({"kettle.md": HEAD, name: text}))
    assert said in str(caught.value)


@given(data=st.data())
def test_damage_inside_an_archive_is_told_by_its_file(data: st.DataObject) -> None:
    """The zip is sound here: what reaches the parsers is not."""
    files = {name: text.encode() for name, text in files_of(written(MARKDOWN, [FULL])).items()}
    name = data.draw(st.sampled_from(sorted(files)))
    whole = bytearray(files[name])
    at = data.draw(st.integers(0, len(whole)))
    whole[at : at + data.draw(st.integers(0, 40))] = data.draw(st.binary(max_size=4))
    try:
        found = list(read(folder({**files, name: bytes(whole)})).rows)
    except UnreadableFile as error:
        assert name in str(error), error  # noqa: PT017
    else:
        assert all((row.item is None) == bool(row.error) for row in found)


# --- how a file is known ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text", "known"),
    [
        ("pasted", FULL_TEXT, True),
        ("pasted", "---\r\nstem: Why?\r\n---\r\n", True),
        ("why.md", "## Answer\nA.", True),
        ("why.txt", "## Answer\nA.", False),
        ("readme.md", "# Kettles\n\n## Answers\n", False),
        ("post.md", "---\ntitle: A post\n---\n## Answer\n", False),
        ("bank.csv", 'uid,stem,answer\r\n,Why?,"x\n## Answer\n"\r\n', False),
    ],
)
def test_a_file_is_a_question_by_its_stem_or_its_name_and_an_answer(
    name: str, text: str, known: bool
) -> None:
    assert MARKDOWN.detect(upload(text, name)) is known


@pytest.mark.parametrize(
    ("files", "known"),
    [
        ({"bank.yaml": BANK}, True),
        ({"README.md": "# x", "kettle.md": HEAD}, True),
        ({"bank.yaml": "balance: 3"}, False),
        ({"README.md": "# x", "sub/kettle.md": HEAD, "other.txt": ""}, False),
        ({}, False),
    ],
)
def test_an_archive_is_a_bank_by_its_files(files: dict[str, str], known: bool) -> None:
    assert MARKDOWN.detect(folder(files)) is known


def test_a_single_file_is_read_by_itself() -> None:
    file = upload(FULL_TEXT, "kettle.md")
    assert detect(file) is FORMATS["markdown"]
    [row] = read(file).rows
    assert (row.place, row.item) == ("kettle.md", FULL)


def test_a_single_file_that_is_no_question_is_refused() -> None:
    with pytest.raises(UnreadableFile, match=r"^readme.md, line 1: No question stands here"):
        read(upload("# Kettles", "readme.md"))


# --- what an export owns --------------------------------------------------------------------


def test_an_export_owns_what_it_listed_and_may_replace_what_has_a_uid() -> None:
    files: dict[str, str | bytes] = dict(files_of(written(MARKDOWN, [question(1), question(2)])))
    files |= {
        "question-2.md": HEAD,
        "mine.md": f"---\nuid: {UID}\nstem: Why?\n---\n",
        "hand.md": HEAD,
        "README.md": "# Kettles",
        "broken.md": "---\nuid: [\n---\n",
        "latin.md": b"---\nuid: \xe9\n---\n",
        "tags.yaml": "",
    }
    assert owned(folder(files)) == (
        {"question-1.md", "mine.md", "bank.yaml", "tags.yaml"},
        {"question-1.md", "bank.yaml", "tags.yaml"},
    )


@pytest.mark.parametrize("bank", [None, "balance: 3", "format: question-bank\nversion: 9"])
def test_without_the_head_of_a_bank_nothing_may_be_deleted(bank: str | None) -> None:
    files = {"kettle.md": FULL_TEXT, "tags.yaml": "- slug: a"}
    if bank is not None:
        files["bank.yaml"] = bank
    assert owned(folder(files)) == ({"kettle.md"}, set())


# --- options ------------------------------------------------------------------------

OPTIONS = """## Options

- [x] At 100 degrees
  > At the pressure of the sea level.

- [ ] When it *whistles*

  \\> as they do
  > That is
  >
  > later.

* [X] At 212 °F
"""


def test_options_are_a_list_of_tasks_with_feedback_quoted_below_them() -> None:
    item = one(f"{HEAD}\nThink of a kettle.\n\n{OPTIONS}\n## Answer\n\nAt 100 degrees.\n")
    assert item.context == "Think of a kettle."
    assert item.options == [
        OptionItem(
            text="At 100 degrees", correct=True, feedback="At the pressure of the sea level."
        ),
        OptionItem(text="When it *whistles*\n\n> as they do", feedback="That is\n\nlater."),
        OptionItem(text="At 212 °F", correct=True),
    ]
    assert [answer.body for answer in item.answers] == ["At 100 degrees."]


def test_options_stand_between_the_context_and_the_answers() -> None:
    item = question(
        context="Think.",
        options=[
            OptionItem(
                text="One\n\n- [x] two\n> three", correct=True, feedback="## Answer\n\nIt is."
            ),
            OptionItem(text="## Options"),
        ],
    )
    text = question_text(item, item.slug)
    assert text.partition("---\n\n")[2].partition("## Answer\n<!--")[0] == (
        "Think.\n\n## Options\n\n"
        "- [x] One\n\n  - [x] two\n  \\> three\n  > ## Answer\n  >\n  > It is.\n"
        "- [ ] ## Options\n\n"
    )
    assert one(text, f"{item.slug}.md").options == item.options


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ("- At 100 degrees", "line 7: An option begins with '- [ ] ', a right one with '- [x] '."),
        ("- [ ] One\nand more", "line 8: An option begins with"),
        ("- [ ] One\n  > No.\n  two", "line 9: Feedback stands last in an option."),
        ("- [ ] One\n\n## Options\n", "line 9: The options stand at line 5 already."),
        ("- [ ]\n  > No.", "options[0].text: It is empty. Write the option, or remove it."),
    ],
)
def test_a_list_of_options_that_is_none_is_refused_with_its_line(section: str, said: str) -> None:
    assert refused(f"{HEAD}\n## Options\n\n{section}\n").startswith(f"kettle.md, {said}")


def test_a_text_about_options_that_is_no_question_is_left_out() -> None:
    found = read(folder({"README.md": "# Use\n\n## Options\n\n- one\n", "kettle.md": HEAD}))
    assert [row.item.stem for row in found.rows if row.item] == ["What is a kettle?"]


IMAGE = f"{'4f' * 32}.png"
ALONE = "https://bank.example.org/assets/"


@pytest.mark.parametrize("place", [ALONE, "../assets/", "assets/"])
@pytest.mark.parametrize(
    "body",
    [
        f"![A box](asset:{IMAGE}) and `asset:{IMAGE}`",
        f"![A box](asset:{IMAGE}), {ALONE}{IMAGE}, {ALONE}././{IMAGE}",
        f"asset:{IMAGE} assets/{IMAGE} ../assets/{IMAGE} assets/./{IMAGE}",
        f"No image of the bank: {ALONE}{IMAGE}, assets/{IMAGE}",
        f"x-assets: {ALONE}\n\nasset:{IMAGE}",
    ],
)
def test_a_file_that_stands_alone_names_the_place_of_its_images(place: str, body: str) -> None:
    item = question(context=body, options=[], answers=[AnswerItem(body=body)])
    text = question_text(item, item.slug, place)
    front = text.partition("\n---\n")[0]
    assert (f"x-assets: {place}" in front) == (place != "assets/" and "asset:" in body)
    if "![" in body:
        assert f"![A box]({place}{IMAGE})" in text
    found = one(text, f"{item.slug}.md")
    assert (found.context, found.answers[0].body) == (body, body)
