"""Likely duplicates: which stems read alike, and what people decide about them."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cms.errors import NotAllowed, NotFound, WrongState
from cms.extensions import db
from cms.models import AuditEvent, LikelyDuplicate, Question, StemBand, User
from cms.services import duplicates
from cms.services.publishing import publish, retire
from cms.services.questions import delete_draft, save
from cms.services.work import tidy
from tests.factories import AT, content, make_question

ALIKE = [
    ("What is a blueprint?", "What are Blueprints?"),
    ("How do you handle file uploads?", "How are file uploads handled?"),
    ("What is the application context?", "Explain the application context."),
    ("What does `url_for` do?", "What is url_for used for?"),
    ("How do you test a Flask application?", "How do you test a Flsk application?"),
]
OTHER = [
    ("What is Flask?", "What is Django?"),
    ("What is a session?", "What is a cookie?"),
    ("How do you read the query string?", "How do you read the request body?"),
    ("What is WSGI?", "What is ASGI and how does it differ?"),
]


@pytest.mark.parametrize(("one", "other"), ALIKE)
def test_what_asks_the_same_in_other_words_reads_alike(one: str, other: str) -> None:
    assert duplicates.similarity(one, other) >= duplicates.LIKELY
    assert set(duplicates.bands(one)) & set(duplicates.bands(other))


@pytest.mark.parametrize(("one", "other"), OTHER)
def test_what_asks_something_else_does_not(one: str, other: str) -> None:
    assert duplicates.similarity(one, other) < duplicates.LIKELY


def test_a_sketch_is_the_same_on_every_machine_and_fits_a_column() -> None:
    assert duplicates.bands("What is Flask?")[:2] == [5893445263790136991, 2244652333510273800]
    for stem in ("", "?", "C++", "What is Flask?", "é" * 2_000):
        assert all(0 <= band < 2**63 for band in duplicates.bands(stem))


def found(session: Session) -> list[tuple[str, str]]:
    """Have every stem looked at; return the pairs that wait for a decision."""
    while duplicates.find_some(session, at=AT):
        pass
    session.commit()
    return [(pair.first.stem, pair.second.stem) for pair in session.scalars(duplicates.pairs())]


def make(session: Session, stems: Sequence[str]) -> list[Question]:
    return [make_question(session, stem) for stem in stems]


def test_pairs_are_found_once_and_the_most_alike_come_first(session: Session) -> None:
    make(session, ["What is a blueprint?", "What is Flask?", "What are blueprints?"])
    assert found(session) == [("What is a blueprint?", "What are blueprints?")]
    make(session, ["What is the name of a blueprint?", "What are the names of a blueprint?"])
    assert found(session) == [
        ("What is a blueprint?", "What are blueprints?"),
        ("What is the name of a blueprint?", "What are the names of a blueprint?"),
    ]
    assert not duplicates.unsketched(session)


def test_a_reworded_stem_is_looked_at_anew(session: Session) -> None:
    first, second = make(session, ["What is a blueprint?", "What is a cookie?"])
    assert found(session) == []
    save(session, second, content("What are blueprints?"), seen_version=1, by=None, at=AT)
    session.commit()
    assert found(session) == [("What is a blueprint?", "What are blueprints?")]
    save(session, first, content("What is a session?"), seen_version=1, by=None, at=AT)
    session.commit()
    assert found(session) == []
    other = content("What is a session?", "Another answer.")
    save(session, first, other, seen_version=2, by=None, at=AT)
    assert not duplicates.unsketched(session)


def test_who_was_retired_or_deleted_is_no_likely_duplicate(session: Session) -> None:
    one, two, three = make(session, ["What is WSGI?", "What is WSGI, then?", "What's WSGI?"])
    publish(session, [two], by=None, at=AT)
    assert len(found(session)) >= 1
    retire(session, [two], by=None, at=AT)
    delete_draft(session, three, by=None, at=AT)
    session.commit()
    assert found(session) == []
    assert duplicates.alike(session, "What is WSGI?", apart_from=one.id) == []


def test_while_one_types_a_stem_its_likes_are_found(session: Session) -> None:
    make(session, ["What is a blueprint?", "What are blueprints?", "What is a cookie?"])
    found(session)
    shown = duplicates.alike(session, "What's a blueprint")
    assert [question.stem for question, _ in shown] == [
        "What is a blueprint?",
        "What are blueprints?",
    ]
    assert duplicates.alike(session, "  ?! ") == []


def test_what_is_different_stays_different_whatever_is_reworded(
    session: Session, editor: User, contributor: User
) -> None:
    first, _ = make(session, ["What is a blueprint?", "What are blueprints?"])
    found(session)
    [pair] = session.scalars(duplicates.pairs())
    with pytest.raises(NotAllowed, match="Only an editor may decide on likely duplicates"):
        duplicates.mark_different(session, pair, by=contributor, at=AT)
    duplicates.mark_different(session, pair, by=editor, at=AT)
    with pytest.raises(WrongState, match="different already"):
        duplicates.mark_different(session, pair, by=editor, at=AT)
    save(session, first, content("What is a blueprint now?"), seen_version=1, by=None, at=AT)
    session.commit()
    assert found(session) == []
    duplicates.offer_again(session, pair, by=editor, at=AT)
    with pytest.raises(WrongState, match="not marked as different"):
        duplicates.offer_again(session, pair, by=editor, at=AT)
    session.commit()
    assert len(found(session)) == 1
    told = select(AuditEvent.action).where(AuditEvent.action.startswith("duplicate."))
    assert session.scalars(told.order_by(AuditEvent.id)).all() == [
        "duplicate.different",
        "duplicate.offer",
    ]


def test_a_pair_that_is_none_any_more_is_not_found(session: Session) -> None:
    with pytest.raises(NotFound, match="one of them was reworded"):
        duplicates.find_pair(session, 1, 2)


def test_a_worker_looks_at_what_is_new_when_it_has_nothing_else_to_do(session: Session) -> None:
    make(session, [f"What is number {n}?" for n in range(3)])
    session.rollback()
    assert tidy(db.engine, at=AT)
    assert not tidy(db.engine, at=AT)
    count = select(func.count()).select_from(StemBand)
    assert session.scalar(count) == 30


def test_a_phrase_that_a_bank_repeats_costs_a_bounded_number_of_comparisons(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duplicates, "_COMPARED", 3)
    make(session, ["What is WSGI?"] * 8)
    found(session)
    partners = func.count(LikelyDuplicate.second_id)
    most = select(partners).group_by(LikelyDuplicate.first_id).order_by(partners.desc()).limit(1)
    assert (session.scalar(most) or 0) <= 8
    assert session.scalar(select(func.count()).select_from(LikelyDuplicate)) < 8 * 7 / 2
