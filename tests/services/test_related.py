"""Which questions stand beside one as related."""

from __future__ import annotations

import pytest
from sqlalchemy.orm import Session

from cms.models import Publication, Question
from cms.services.related import related
from tests.factories import make_published, make_question


def slugs(session: Session, question: Question, limit: int = 5) -> list[str]:
    row = session.query(Publication).filter_by(uid=question.uid).one()
    return [each.slug for each in related(session, row.id, row.stem, row.tags, limit)]


def test_rare_words_weigh_more_than_common_ones_and_tags_count_too(
    session: Session, read_session: Session
) -> None:
    asked = make_published(session, "What does a blueprint register?", tags=["flask", "modules"])
    same_word = make_published(session, "When is a blueprint registered?", tags=["flask"])
    small_tag = make_published(session, "Where do packages live?", tags=["modules"])
    other = make_published(session, "Does it mean this?", tags=["other"])
    for number in range(4):
        make_published(session, f"Number {number} of Flask?", tags=["flask"])
    make_question(session, "Is a blueprint a draft?", tags=["modules"])
    session.commit()
    found = slugs(read_session, asked)
    assert found[:2] == [same_word.slug, small_tag.slug]
    assert len(found) == 5
    assert asked.slug not in found
    # What questions ask with relates none of them.
    assert slugs(read_session, other) == []
    assert slugs(read_session, asked, limit=1) == [same_word.slug]


def test_every_rare_word_of_a_question_counts_not_one_of_them_alone(
    session: Session, read_session: Session
) -> None:
    asked = make_published(session, "Blueprint beside cookie?")
    shares = [make_published(session, stem) for stem in ("Blueprint?", "Cookie?")]
    session.commit()
    assert set(slugs(read_session, asked)) == {each.slug for each in shares}


def test_of_a_common_word_and_a_large_tag_the_newest_are_looked_at(
    session: Session, read_session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cms.services.related.TAKEN", 2)
    made = [make_published(session, f"Cookie {number}?", tags=["http"]) for number in range(6)]
    assert slugs(read_session, made[0]) == ["cookie-4", "cookie-5"]
