"""Spelling: the shelf knows the words of what is live, and which one a wrong one means."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cms.formats.item import AnswerItem
from cms.models import Publication, SearchSpelling, SearchWord
from cms.services.content import content_of
from cms.services.publishing import publish, retire
from cms.services.questions import save
from cms.services.spelling import Near, count_words, nearest, spellings, vocabulary
from tests.factories import AT, make_published

LATER = AT + timedelta(hours=1)


def words(session: Session) -> dict[str, int]:
    return dict(session.execute(select(SearchWord.word, SearchWord.questions)).all())


def counted(session: Session) -> dict[str, int]:
    """Return what the shelf's words should be, from the texts of today."""
    texts = session.scalars(select(Publication.search_text)).all()
    found = [word for text in texts for word in vocabulary(text)]
    return {word: found.count(word) for word in found}


def test_the_words_are_those_of_what_is_live(session: Session) -> None:
    first = make_published(session, "What is a cookie?", body="A cookie is kept. It has 404 `a_b`.")
    second = make_published(session, "Who eats cookies?", body="Nobody keeps a cookie.")
    assert words(session) == counted(session)
    assert words(session)["cookie"] == 2
    assert not {"404", "is", "a_b", "aunderscoreb"} & words(session).keys()
    changed = replace(content_of(first), answers=[AnswerItem(body="A crumb is kept.")])
    save(session, first, changed, seen_version=1, by=None, at=LATER)
    session.commit()
    publish(session, [first], by=None, at=LATER)
    session.commit()
    assert words(session) == counted(session)
    assert words(session)["crumb"] == 1
    retire(session, [first, second], by=None, at=LATER, reason="Old.")
    session.commit()
    assert words(session) == {}
    assert session.scalar(select(func.count()).select_from(SearchSpelling)) == 0


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("jinga", ["jinja"]),
        ("jija", ["jinja"]),
        ("jinnja", ["jinja"]),
        ("jnija", ["jinja"]),
        ("inja", ["jinja"]),
        ("sesion", ["session"]),
        ("sesions", ["sessions"]),
        ("authentification", ["authentication"]),
        ("autentcation", ["authentication"]),
        ("authentikaton", ["authentication"]),
        ("xauthentications", ["authentication"]),
        # The first letter is seldom wrong, and of two words the more frequent one is meant.
        ("vies", ["view", "ties"]),
        ("jinja", []),
        ("xylophone", []),
        ("jin", []),
        ("404", []),
    ],
)
def test_a_wrong_letter_or_two_of_a_long_word_are_forgiven(
    session: Session, typed: str, meant: list[str]
) -> None:
    known = {"jinja": 3, "session": 9, "sessions": 2, "authentication": 1, "view": 2, "ties": 5}
    count_words(session, known)
    found = nearest(session, typed)
    assert [near.word for near in found][: len(meant) or 1] == meant
    assert all(near == Near(near.word, known[near.word]) for near in found)


@given(st.text("abc", min_size=4, max_size=8), st.text("abc", min_size=4, max_size=8))
def test_words_one_edit_apart_share_a_spelling(one: str, other: str) -> None:
    edited = {
        *(one[:n] + letter + one[n:] for n in range(len(one) + 1) for letter in "abc"),
        *(one[:n] + letter + one[n + 1 :] for n in range(len(one)) for letter in "abc"),
        *(one[:n] + one[n + 1 :] for n in range(len(one))),
        *(one[:n] + one[n + 1] + one[n] + one[n + 2 :] for n in range(len(one) - 1)),
    }
    assert all(spellings(one) & spellings(each) for each in edited)
    assert bool(spellings(one) & spellings(other)) or other not in edited
