"""Exports: the shelf alone, the same bytes for the same release, and what changed since."""

from __future__ import annotations

import dataclasses
import json
import random
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import select
from sqlalchemy.orm import Session

from cms.errors import InvalidInput, NotFound
from cms.formats import FORMATS
from cms.formats.item import DeckFilter, DeckItem
from cms.formats.outgoing import Export, Retirement
from cms.models import Question
from cms.services.content import content_of
from cms.services.decks import deck_item, save_deck
from cms.services.draftexports import export_drafts
from cms.services.exporting import Head, Selection, export_shelf
from cms.services.merging import merge
from cms.services.publishing import publish, retire, unretire
from cms.services.purging import purge
from cms.services.questions import save
from cms.services.releases import release_number
from cms.vocabulary import Difficulty
from tests.factories import AT, make_published, make_question

LATER = AT + timedelta(hours=1)
HEAD = Head("Test bank", "https://bank.example.org")


def shelf(session: Session, **selection: Any) -> dict[str, Any]:
    chunks = export_shelf(session, FORMATS["json"], Selection(**selection), HEAD).chunks
    document: dict[str, Any] = json.loads(b"".join(chunks))
    return document


def do_merge(session: Session, duplicate: Question, into: Question) -> None:
    seen = duplicate.latest_number, into.latest_number
    merge(session, duplicate, into, seen=seen, by=None, at=LATER)


def stems(document: dict[str, Any]) -> list[str]:
    return [question["stem"] for question in document["questions"]]


def test_the_shelf_is_exported_without_drafts(session: Session) -> None:
    make_published(session, "Public?")
    make_question(session, "Draft?")
    document = shelf(session)
    assert stems(document) == ["Public?"]
    assert document["bank"] == {
        "title": "Test bank",
        "url": "https://bank.example.org",
        "release": 1,
        "generated_at": "2026-11-22T10:00:00Z",
    }
    assert "withdrawn" not in document


@pytest.mark.parametrize("format", ["json", "jsonl", "csv"])
def test_the_same_release_gives_the_same_bytes(session: Session, format: str) -> None:
    for number in range(3):
        make_published(session, f"Question {number}?", tags=["flask"])

    def data() -> bytes:
        return b"".join(export_shelf(session, FORMATS[format], Selection(), HEAD).chunks)

    first = data()
    make_question(session, "A draft changes nothing?")
    assert data() == first


def test_an_export_is_narrowed_by_tags_and_difficulty(session: Session) -> None:
    make_published(session, "One?", tags=["flask/views", "http"], difficulty=Difficulty.easy)
    make_published(session, "Two?", tags=["flask/routing"], difficulty=Difficulty.hard)
    assert stems(shelf(session, tags=("flask",))) == ["One?", "Two?"]
    assert stems(shelf(session, tags=("flask", "http"))) == ["One?"]
    assert stems(shelf(session, difficulty=Difficulty.hard)) == ["Two?"]


@pytest.mark.parametrize(
    ("selection", "problem"),
    [
        ({"tags": ("nope",)}, "No published question has the tag 'nope'"),
        ({"since": 9}, "a release from 0 to 1"),
        ({"since": -1}, "a release from 0 to 1"),
    ],
)
def test_a_selection_that_cannot_be_is_refused(
    session: Session, selection: dict[str, Any], problem: str
) -> None:
    make_published(session)
    with pytest.raises((InvalidInput, NotFound), match=problem):
        shelf(session, **selection)


def test_the_working_copy_is_exported_with_each_status(session: Session) -> None:
    make_question(session, "Draft?")
    make_published(session, "Public?")
    retired = make_published(session, "Retired?")
    retire(session, [retired], by=None, at=LATER)
    session.commit()
    chunks = export_drafts(session, FORMATS["json"], Selection(), HEAD).chunks
    questions = json.loads(b"".join(chunks))["questions"]
    assert [(q["stem"], q["status"], q["release"]) for q in questions] == [
        ("Draft?", "draft", None),
        ("Public?", "published", None),
        ("Retired?", "retired", None),
    ]


def test_since_names_what_left_the_selection(session: Session) -> None:
    question = make_published(session, "One?", tags=["flask"])
    other = make_published(session, "Two?", tags=["flask"])
    changed = replace(content_of(question), tags=[])
    save(session, question, changed, seen_version=1, by=None, at=LATER)
    publish(session, [question], by=None, at=LATER)
    retire(session, [other], by=None, at=LATER)
    make_published(session, "Three?", tags=["flask"])
    document = shelf(session, tags=("flask",), since=2)
    assert stems(document) == ["Three?"]
    assert document["withdrawn"] == [
        {"uid": question.uid, "release": 3, "merged_into": None},
        {"uid": other.uid, "release": 4, "merged_into": None},
    ]


@pytest.mark.parametrize(
    ("selection", "seed"),
    [({}, 1), ({"tags": ("flask",)}, 2), ({"difficulty": Difficulty.easy}, 3)],
)
def test_replaying_changes_since_any_release_equals_the_full_export(
    session: Session, selection: dict[str, Any], seed: int
) -> None:
    chance = random.Random(seed)
    held: dict[int, dict[str, Any]] = {0: {}}
    questions: list[Question] = [
        make_question(session, f"Question {n}?", tags=["flask"]) for n in range(4)
    ]
    flask = [tag.uid for tag in questions[0].tags]
    for step_number in range(25):
        question = chance.choice(questions)
        if chance.random() < 0.2:
            # It goes for good, merged or purged, and another one comes.
            questions.remove(question)
            alive = [each for each in questions if each.retired_at is None]
            if alive and chance.random() < 0.7:
                do_merge(session, question, chance.choice(alive))
            else:
                purge(session, question, reason="A wish.", by=None, at=LATER)
            questions.append(make_question(session, f"Another {step_number}?", tags=["flask"]))
        elif question.retired_at is not None:
            unretire(session, question, by=None, at=LATER)
        elif question.published_number is not None and chance.random() < 0.3:
            retire(session, [question], by=None, at=LATER)
        else:
            changed = replace(
                content_of(question),
                context=f"{chance.random()}",
                tags=chance.choice([[], flask]),
                difficulty=chance.choice([None, Difficulty.easy]),
            )
            save(session, question, changed, seen_version=question.latest_number, by=None, at=LATER)
            publish(session, [question], by=None, at=LATER)
        session.commit()
        number = release_number(session)
        try:
            full = shelf(session, **selection)
        except NotFound:
            continue
        held[number] = {q["uid"]: q for q in full["questions"]}
        for since in held:
            step = shelf(session, **selection, since=since)
            replayed = dict(held[since])
            for gone in step["withdrawn"]:
                replayed.pop(gone["uid"], None)
            replayed |= {q["uid"]: q for q in step["questions"]}
            assert replayed == held[number], f"since {since}"
    assert len(held) > 10


# --- decks ---------------------------------------------------------------------------


def test_a_deck_is_exported_in_its_own_order_and_alone(session: Session) -> None:
    one, two, three = (
        make_published(session, f"{stem}?", tags=["flask"]) for stem in ("One", "Two", "Three")
    )
    make_published(session, "Four?")
    filter = DeckFilter(all=["flask"])
    item = DeckItem(slug="first", title="First", filter=filter, questions=[three.uid])
    save_deck(session, None, item, by=None, at=LATER)
    save_deck(session, None, DeckItem(slug="other", title="Other"), by=None, at=LATER)
    document = shelf(session, deck="first")
    assert stems(document) == ["Three?", "One?", "Two?"]
    assert document["bank"]["title"] == "Test bank"
    assert document["decks"] == [
        {
            "slug": "first",
            "title": "First",
            "description": "",
            "filter": {"all": ["flask"]},
            "questions": [three.uid],
        }
    ]
    assert "withdrawn" not in document
    lines = export_shelf(session, FORMATS["jsonl"], Selection(deck="first"), HEAD)
    assert lines.total == len(b"".join(lines.chunks).splitlines()) == 3
    retire(session, [one], by=None, at=LATER)
    assert stems(shelf(session, deck="first", tags=("flask",))) == ["Three?", "Two?"]
    assert {two.uid, three.uid} == {q["uid"] for q in shelf(session, deck="first")["questions"]}


def test_a_deck_that_was_redefined_is_sent_whole(session: Session) -> None:
    one, two = make_published(session, "One?"), make_published(session, "Two?")
    item = DeckItem(slug="first", title="First", questions=[one.uid])
    deck = save_deck(session, None, item, by=None, at=LATER)
    changed = replace(deck_item(deck), questions=[two.uid])
    save_deck(session, deck, changed, seen_version=1, by=None, at=LATER)
    document = shelf(session, deck="first", since=3)
    assert stems(document) == ["Two?"]
    assert document["withdrawn"] == [{"uid": one.uid, "release": 4, "merged_into": None}]
    assert document["decks"][0]["full"] is True
    nothing_new = shelf(session, deck="first", since=4)
    assert (nothing_new["questions"], nothing_new["withdrawn"]) == ([], [])
    assert "full" not in nothing_new["decks"][0]


def test_what_cannot_be_of_a_deck_is_refused(session: Session) -> None:
    with pytest.raises(NotFound, match="There is no deck 'nope'"):
        shelf(session, deck="nope")
    with pytest.raises(InvalidInput, match="A deck holds what is published, which drafts are not"):
        export_drafts(session, FORMATS["json"], Selection(deck="nope"), HEAD)


@pytest.mark.parametrize(
    ("selection", "seed"),
    [({}, 4), ({"tags": ("flask",)}, 5), ({"difficulty": Difficulty.easy}, 6)],
)
def test_replaying_a_decks_changes_since_any_release_equals_its_full_export(
    session: Session, selection: dict[str, Any], seed: int
) -> None:
    """Questions come, change and go, one is merged, and the deck is redefined in between."""
    chance = random.Random(seed)
    held: dict[int, list[dict[str, Any]]] = {}
    questions = [make_published(session, f"Question {n}?", tags=["flask"]) for n in range(4)]
    flask = [tag.uid for tag in questions[0].tags]
    item = DeckItem(slug="first", title="First", filter=DeckFilter(all=["flask"]))
    deck = save_deck(session, None, item, by=None, at=LATER)
    for _ in range(22):
        question = chance.choice(questions)
        if chance.random() < 0.2:
            item = replace(
                deck_item(deck),
                filter=chance.choice(
                    [
                        DeckFilter(all=["flask"]),
                        DeckFilter(difficulty=[Difficulty.easy]),
                        DeckFilter(none=["flask"], text="question"),
                        DeckFilter(),
                    ]
                ),
                questions=[q.uid for q in chance.sample(questions, chance.randrange(3))],
            )
            save_deck(session, deck, item, seen_version=deck.version, by=None, at=LATER)
        elif question.merged_into_id is not None:
            continue
        elif question.retired_at is not None:
            unretire(session, question, by=None, at=LATER)
            publish(session, [question], by=None, at=LATER)
        elif chance.random() < 0.3:
            alive = [each for each in questions if each.retired_at is None and each != question]
            if chance.random() < 0.3 and len(alive) > 2:
                do_merge(session, question, chance.choice(alive))
            else:
                retire(session, [question], by=None, at=LATER)
        else:
            changed = replace(
                content_of(question),
                context=f"{chance.random()}",
                tags=chance.choice([[], flask]),
                difficulty=chance.choice([None, Difficulty.easy]),
            )
            save(session, question, changed, seen_version=question.latest_number, by=None, at=LATER)
            publish(session, [question], by=None, at=LATER)
        session.commit()
        try:
            full = shelf(session, deck="first", **selection)
        except NotFound:
            continue
        held[release_number(session)] = full["questions"]
        for since, before in held.items():
            step = shelf(session, deck="first", **selection, since=since)
            replayed = {q["uid"]: q for q in before}
            for gone in step["withdrawn"]:
                replayed.pop(gone["uid"], None)
            replayed |= {q["uid"]: q for q in step["questions"]}
            assert replayed == {q["uid"]: q for q in full["questions"]}, f"since {since}"
            if step["decks"][0].get("full"):
                assert step["questions"] == full["questions"]
    assert len(held) > 10


# --- what left for good ------------------------------------------------------------


def retirements(session: Session, **selection: Any) -> list[Retirement]:
    """Return what a writer is told of questions that left; it asks for them last."""
    told: list[Retirement] = []

    def write(export: Export) -> Iterator[bytes]:
        told.extend(export.retirements)
        yield b""

    telling = dataclasses.replace(FORMATS["json"], write=write)
    list(export_shelf(session, telling, Selection(**selection), HEAD).chunks)
    return told


def test_a_writer_is_told_which_questions_left_the_bank_and_what_stands_for_them(
    session: Session,
) -> None:
    kept, old, twin, secret, last = (
        make_published(session, f"{word}?") for word in ("Kept", "Old", "Twin", "Secret", "Last")
    )
    retire(session, [old], reason="Nobody asks it.", by=None, at=LATER)
    do_merge(session, twin, kept)
    purge(session, secret, reason="A wish.", by=None, at=LATER)
    do_merge(session, kept, last)
    url = "https://bank.example.org/questions/last"
    assert retirements(session) == [
        Retirement(uid=old.uid, stem="Old?", reason="Nobody asks it.", at=LATER),
        Retirement(uid=twin.uid, stem="Twin?", reason="", at=LATER, url=url),
        Retirement(uid=secret.uid, stem="", reason="A wish.", at=LATER),
        Retirement(uid=kept.uid, stem="Kept?", reason="", at=LATER, url=url),
    ]
    assert [each.stem for each in retirements(session, since=6)] == ["Twin?", "", "Kept?"]
    assert retirements(session, difficulty=Difficulty.easy) == []
    unretire(session, old, by=None, at=LATER)
    publish(session, [old], by=None, at=LATER)
    assert "Old?" not in [each.stem for each in retirements(session)]


def test_a_deck_tells_of_what_left_it_by_being_withdrawn(session: Session) -> None:
    one, two, three, four = (
        make_published(session, f"{word}?") for word in ("One", "Two", "Three", "Four")
    )
    item = DeckItem(slug="first", title="First", questions=[one.uid, two.uid, three.uid])
    deck = save_deck(session, None, item, by=None, at=LATER)
    retire(session, [one], by=None, at=LATER)
    changed = replace(deck_item(deck), questions=[two.uid])
    save_deck(session, deck, changed, seen_version=1, by=None, at=LATER)
    before = release_number(session)
    retire(session, [two, three, four], by=None, at=LATER)
    assert [each.stem for each in retirements(session, deck="first")] == ["One?", "Two?"]
    assert [each.stem for each in retirements(session, deck="first", since=before)] == ["Two?"]


def test_an_export_is_a_stream_that_counts_its_questions(session: Session) -> None:
    for number in range(9):
        make_question(session, f"Question {number}?", body="word " * 20_000)
    publish(session, list(session.scalars(select(Question))), by=None, at=AT)
    session.commit()
    ticks: list[None] = []
    stream = export_shelf(
        session, FORMATS["jsonl"], Selection(), HEAD, tick=lambda: ticks.append(None)
    )
    next(stream.chunks)
    assert len(ticks) < stream.total
    list(stream.chunks)
    assert len(ticks) == stream.total == 9


def test_a_search_is_exported_with_every_match_and_what_left_it(session: Session) -> None:
    cookie = make_published(session, "What is a cookie?", body="A small text.")
    other = make_published(session, "What is a view?", body="It answers, and may set a cookie.")
    make_published(session, "What is HTTP?", body="A protocol.")
    assert {q["uid"] for q in shelf(session, query="cook")["questions"]} == {cookie.uid, other.uid}
    assert shelf(session, query="?!")["questions"] == []
    before = release_number(session)
    content = content_of(other)
    content.answers[0].body = "It answers."
    save(session, other, content, seen_version=1, by=None, at=AT)
    publish(session, [other], by=None, at=AT)
    step = shelf(session, query="cook", since=before)
    assert step["questions"] == []
    assert [gone["uid"] for gone in step["withdrawn"]] == [other.uid]
