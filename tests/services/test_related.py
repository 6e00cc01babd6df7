"""Which questions stand beside one as related."""

from __future__ import annotations

import pytest
from sqlalchemy import event
from sqlalchemy.orm import Session

from cms.models import Publication, Question
from cms.services.content import content_of
from cms.services.publishing import publish
from cms.services.questions import save
from cms.services.related import related
from tests.factories import AT, content, make_published, make_question


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


def test_of_a_large_tag_those_that_changed_last_are_looked_at(
    session: Session, read_session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cms.services.related.TAKEN", 2)
    asked, first, *_, last = (
        make_published(session, f"{word}?", tags=["http"])
        for word in ("Zero", "One", "Two", "Three")
    )
    again = content("Which one?", tags=content_of(first).tags)
    save(session, first, again, seen_version=first.latest_number, by=None, at=AT)
    publish(session, [first], by=None, at=AT)
    session.commit()
    assert slugs(read_session, asked) == [first.slug, last.slug]


# PostgreSQL reads so small a table in whatever way it likes.
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_tag_is_not_read_as_a_whole(session: Session, read_session: Session) -> None:
    asked = make_published(session, "Number zero?", tags=["http"])
    make_published(session, "Another one?", tags=["http"])
    asked_of: list[tuple[str, tuple[object, ...]]] = []
    connection = read_session.connection()
    event.listen(
        connection,
        "before_cursor_execute",
        lambda _c, _cursor, statement, values, *_: asked_of.append((statement, values)),
    )
    slugs(read_session, asked)
    statement, values = asked_of[-1]
    plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values).all()
    steps = [row.detail for row in plan]
    of_tag = next(i for i, step in enumerate(steps) if "publication_tag" in step)
    assert "COVERING INDEX" in steps[of_tag]
    assert not any("SCAN publication" in step for step in steps)
    assert "FOR ORDER BY" not in steps[of_tag + 1]
