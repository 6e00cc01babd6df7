"""Options of a multiple-choice question: they go wherever a question's text goes."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta

import flask_migrate
import msgspec
import pytest
from flask import Flask
from msgspec.structs import replace
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from cms.extensions import db
from cms.formats.item import Content, OptionItem, content_hash
from cms.models import Option, Question, Revision
from cms.services import search
from cms.services.blockers import NONE_RIGHT, NONE_WRONG
from cms.services.conflicts import Choice, decided, merged
from cms.services.content import content_of
from cms.services.history import differences
from cms.services.publichistory import question_changes
from cms.services.publishing import publish
from cms.services.questions import restore, save
from cms.services.reading import PublicQuestion, find_question
from cms.services.snippets import snippet
from cms.services.studying import Card, find_card
from cms.services.terms import parse
from tests.factories import AT, CHOICES, empty, make_published, make_question, publication_of
from tests.services.imports.test_importing import actions, bring, carry

LATER = AT + timedelta(hours=1)
STEM = "Where is the session kept?"
FEWER = [replace(CHOICES[0], text="Nowhere"), CHOICES[1]]


def set_options(session: Session, question: Question, options: list[OptionItem]) -> Revision | None:
    changed = replace(content_of(question), options=options)
    seen = question.latest_number
    found = save(session, question, changed, seen_version=seen, by=None, at=LATER)
    session.commit()
    return found


# --- the working copy ---------------------------------------------------------------


def test_a_save_keeps_options_in_their_order_and_a_restore_brings_them_back(
    session: Session,
) -> None:
    question = make_question(session, STEM, options=CHOICES)
    assert content_of(question).options == CHOICES
    assert set_options(session, question, list(CHOICES)) is None
    assert set_options(session, question, FEWER[::-1]) is not None
    session.expire_all()
    assert content_of(question).options == FEWER[::-1]
    assert session.scalar(select(func.count()).select_from(Option)) == 2
    restore(session, question, 1, seen_version=2, by=None, at=LATER)
    session.commit()
    session.expire_all()
    assert content_of(question).options == CHOICES


def test_a_text_without_options_has_the_hash_that_it_had_before_there_were_any() -> None:
    plain = Content(stem="Stem?", tags=["b", "a"])
    said = {
        "uid": None,
        "slug": None,
        "stem": "Stem?",
        "context": "",
        "difficulty": None,
        "tags": ["a", "b"],
        "answers": [],
    }
    before = json.dumps(said, separators=(",", ":"))
    assert content_hash(plain) == hashlib.sha256(before.encode()).hexdigest()
    assert content_hash(replace(plain, options=CHOICES)) != content_hash(plain)


def test_a_downgrade_takes_options_out_of_every_text(app: Flask) -> None:
    with app.app_context():
        with Session(db.engine) as session:
            question = make_published(session, STEM, options=CHOICES)
            plain = replace(content_of(question), options=[])
            uid, hash = question.uid, content_hash(plain)
        flask_migrate.downgrade(revision="0006")
        with db.engine.connect() as connection:
            held, known = connection.execute(
                text("SELECT content, content_hash FROM revision")
            ).one()
            document = json.loads(connection.scalar(text("SELECT document FROM publication")))
        expected = msgspec.to_builtins(plain)
        del expected["options"]
        assert (json.loads(held), known) == (expected, hash)
        assert (document["uid"], "options" in document) == (uid, False)
        flask_migrate.upgrade()
        with Session(db.engine) as session:
            question = session.scalars(select(Question)).one()
            assert content_of(question) == plain
            assert set_options(session, question, CHOICES) is not None


# --- files --------------------------------------------------------------------------


@pytest.mark.parametrize("format", ["json", "jsonl", "csv", "markdown"])
def test_options_travel_by_file_and_an_edited_file_brings_others(
    session: Session, format: str
) -> None:
    question = make_published(session, STEM, options=CHOICES)
    name = "bank.md.zip" if format == "markdown" else None
    held = carry(session, format)
    assert actions(bring(session, held, format, name)) == ["unchanged"]
    set_options(session, question, FEWER)
    publish(session, [question], by=None, at=LATER)
    session.commit()
    edited = carry(session, format)
    set_options(session, question, CHOICES)
    assert actions(bring(session, edited, format, name)) == ["unchanged"]
    empty(session)
    assert actions(bring(session, held, format, name)) == ["create"]
    [question] = session.scalars(select(Question))
    assert content_of(question).options == CHOICES


def test_a_file_that_says_other_options_updates_them_and_one_without_the_column_does_not(
    session: Session,
) -> None:
    question = make_published(session, STEM, body="In a cookie.", options=CHOICES)
    document = json.loads(carry(session, "json"))
    document["questions"][0]["options"] = msgspec.to_builtins(FEWER)
    assert actions(bring(session, json.dumps(document))) == ["update"]
    session.expire_all()
    assert content_of(question).options == FEWER
    rows = f"uid,revision,answer\r\n{question.uid},2,In a signed cookie.\r\n"
    assert actions(bring(session, rows, "csv")) == ["update"]
    session.expire_all()
    assert content_of(question).options == FEWER
    assert content_of(question).answers[0].body == "In a signed cookie."
    rows = f"uid,revision,options\r\n{question.uid},3,\r\n"
    assert actions(bring(session, rows, "csv")) == ["update"]
    session.expire_all()
    assert content_of(question).options == []
    assert session.scalar(select(func.count()).select_from(Option)) == 0


# --- the shelf ----------------------------------------------------------------------


def test_readers_get_options_rendered_found_and_told_in_the_history(
    session: Session, read_session: Session
) -> None:
    question = make_published(session, STEM, slug="kept")
    set_options(session, question, CHOICES)
    publish(session, [question], by=None, at=LATER)
    session.commit()
    found = find_question(read_session, "kept")
    assert isinstance(found, PublicQuestion)
    assert [
        (each.text, each.phrase, each.correct, each.feedback) for each in found.rendered.options[:2]
    ] == [
        ("In a <code>signed</code> cookie", True, True, "<p>It can be read, but not forged.</p>"),
        ("On the server", True, False, "<p>The server keeps the key alone.</p>"),
    ]
    assert not found.rendered.options[2].phrase
    assert question_changes(read_session, question.uid, limit=5)[0].parts == ["options"]
    assert msgspec.to_builtins(CHOICES) == json.loads(found.document)["options"]
    held = publication_of(session, question)
    assert held is not None
    assert search.ranked(session, type(held), "forged") == [held.id]
    pieces = snippet(held.document, parse("forged"))
    assert "".join(text for text, _ in pieces) == "It can be read, but not forged."
    card = find_card(read_session, "kept")
    assert isinstance(card, Card)
    assert [option.correct for option in card.options] == [True, False, False]


@pytest.mark.parametrize(
    ("right", "reasons"),
    [
        ([False, False], [NONE_RIGHT]),
        ([True, True], [NONE_WRONG]),
        ([True], [NONE_WRONG]),
        ([True, True, False], []),
        ([], []),
    ],
)
def test_options_go_public_with_a_right_and_a_wrong_one(
    session: Session, right: list[bool], reasons: list[str]
) -> None:
    options = [OptionItem(text=f"Option {n}", correct=each) for n, each in enumerate(right)]
    question = make_question(session, STEM, options=options)
    result = publish(session, [question], by=None, at=AT)
    assert [each.reasons for each in result.refused] == ([reasons] if reasons else [])
    set_options(session, question, CHOICES)
    if reasons:
        earlier = publish(session, [question], numbers={question.id: 1}, by=None, at=AT)
        assert [each.reasons for each in earlier.refused] == [reasons]


# --- two edits, and what changed ----------------------------------------------------

A, B, C = (OptionItem(text=letter) for letter in "ABC")
BASE = Content(slug="q", stem=STEM, options=[A, B])


def with_options(*options: OptionItem) -> Content:
    return replace(BASE, options=list(options))


def test_options_that_one_side_changed_are_taken_from_it() -> None:
    for theirs, mine, expected in (
        (BASE, with_options(B), [B]),
        (with_options(B, A), BASE, [B, A]),
        (with_options(C), with_options(C), [C]),
        (with_options(), replace(BASE, stem="Mine?"), []),
    ):
        found = merged(mine=mine, theirs=theirs, base=BASE)
        assert (found.content.options, found.places) == (expected, [])


def test_options_that_both_changed_are_a_persons_to_decide_and_none_is_lost() -> None:
    ticked = replace(A, correct=True)
    mine, theirs = with_options(ticked, B), with_options(A, B, C)
    found = merged(mine=mine, theirs=theirs, base=BASE)
    assert found.content.options == mine.options
    [place] = found.places
    assert (place.part, place.both) == ("options", True)
    assert (place.theirs, place.mine) == ("[ ] A\n[ ] B\n[ ] C", "[x] A\n[ ] B")
    for choice, expected in (
        (Choice.theirs, [A, B, C]),
        (Choice.mine, [ticked, B]),
        (Choice.both, [A, B, C, ticked]),
    ):
        chosen = {place.key: choice}
        assert decided(mine=mine, theirs=theirs, base=BASE, chosen=chosen).content.options == (
            expected
        )


def test_the_history_tells_which_option_came_went_moved_or_changed() -> None:
    right = replace(B, correct=True, feedback="Yes.")

    def told(old: Content, new: Content) -> list[tuple[str, str, list[tuple[str, str]]]]:
        return [
            (each.label, each.what, [(part.old, part.new) for part in each.parts])
            for each in differences(old, new)
        ]

    assert told(BASE, with_options(A, right)) == [
        ("Option 2", "", [("wrong", "right"), ("", "Yes.")])
    ]
    assert told(BASE, with_options(A, B, C)) == [("Option 3", "added", [("", "C"), ("", "wrong")])]
    assert told(BASE, with_options(A)) == [("Option 2", "removed", [("B", ""), ("wrong", "")])]
    assert told(BASE, with_options(A, C)) == [("Option 2", "", [("B", "C")])]
    assert told(with_options(A, B, C), with_options(C, A, B)) == [
        ("Option 1", "moved from place 3 to 1", [])
    ]
