"""Which live questions are about the same things as one: they share rare words, or small tags."""

from __future__ import annotations

import math
from collections.abc import Iterator

from sqlalchemy import Select, func, literal, select, union_all
from sqlalchemy.orm import Session

from cms.models import Publication, PublicationTag, PublishedTag, SearchWord
from cms.services import search
from cms.services.neighbours import Neighbour
from cms.services.terms import words

# Words of the stem and tags of the question that are looked at: the rarest of each.
LOOKED_AT = 6
# Questions that are taken of each, the newest: a common word costs no more than a rare one.
TAKEN = 200
# What a question asks with, not what it asks about.
_ASKING = {
    *("about", "between", "describe", "difference", "differences", "does", "explain", "give"),
    *("have", "mean", "means", "purpose", "should", "some", "that", "their", "them"),
    *("there", "these", "this", "used", "using", "want", "what", "when"),
    *("where", "which", "will", "with", "would", "your"),
}


def related(
    session: Session, question_id: int, stem: str, tags: list[str], limit: int
) -> list[Neighbour]:
    """Return at most `limit` live questions that have most in common with this one.

    What two questions share weighs the more, the fewer others have it. One
    statement reads a bounded number of index entries.
    """
    shared = [*_of_words(session, stem), *_of_tags(session, tags)]
    if not shared:
        return []
    found = union_all(*shared).subquery()
    weight = func.sum(found.c.weight)
    statement = (
        select(Publication.slug, Publication.stem)
        .join(found, found.c.id == Publication.id)
        .where(Publication.id != question_id)
        .group_by(Publication.id, Publication.slug, Publication.stem)
        .order_by(weight.desc(), func.abs(Publication.id - question_id), Publication.id)
        .limit(limit)
    )
    return [Neighbour(*row) for row in session.execute(statement)]


def _of_words(session: Session, stem: str) -> Iterator[Select[int, int]]:
    wanted = [word for word in words(stem) if word not in _ASKING]
    rarest = session.execute(
        select(SearchWord.word, SearchWord.questions)
        .where(SearchWord.word.in_(wanted), SearchWord.questions > 1)
        .order_by(SearchWord.questions, SearchWord.word)
        .limit(LOOKED_AT)
    )
    for word, count in rarest:
        yield _newest(search.matches(session, Publication, f'"{word}"'), count)


def _of_tags(session: Session, tags: list[str]) -> Iterator[Select[int, int]]:
    smallest = session.execute(
        select(PublishedTag.slug, PublishedTag.questions)
        .where(PublishedTag.slug.in_(tags), PublishedTag.questions > 1)
        .order_by(PublishedTag.questions, PublishedTag.slug)
        .limit(LOOKED_AT)
    )
    for slug, count in smallest:
        tagged = select(PublicationTag.publication_id.label("id")).where(PublicationTag.tag == slug)
        yield _newest(tagged, count)


def _newest(ids: Select[int], count: int) -> Select[int, int]:
    """Select some of these ids, each with what it weighs to be among so many."""
    key = ids.selected_columns[0]
    some = ids.order_by(key.desc()).limit(TAKEN).subquery()
    return select(some.c.id, literal(round(1000 / (1 + math.log(count)))).label("weight"))
