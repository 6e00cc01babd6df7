"""Whose an address is: asked for one question, or for all of an import."""

from __future__ import annotations

from sqlalchemy.orm import Session

from cms.services.addresses import THE_SITE, slug_owners
from tests.factories import make_question


def test_the_owners_of_more_addresses_than_a_statement_takes_are_found(session: Session) -> None:
    question = make_question(session)
    wanted = [*(f"free-{number}" for number in range(20_000)), question.slug, "study", None]
    assert slug_owners(session, wanted) == {question.slug: {question.uid}, "study": {THE_SITE}}
    assert slug_owners(session, []) == {}
