"""Facets: by what a list can be narrowed, and how many questions each choice leaves.

A selection of up to FACETED questions is counted exactly. Of a larger one only
what the shelf keeps as a number is told, or what an index counts up to that
bound: no page reads the whole bank.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Integer, ScalarSelect, bindparam, func, select
from sqlalchemy.orm import Session

from cms.models import Publication, PublicationTag, PublishedTag
from cms.services import reading, search
from cms.services.listing import Ids, Selection, narrowed
from cms.vocabulary import Difficulty

FACETED = 1_000  # questions
TAGS = 12  # tags that a list offers


@dataclass(frozen=True, slots=True)
class TagFacet:
    """A tag to narrow by; `questions` is None where counting would read too many."""

    slug: str
    questions: int | None


@dataclass(frozen=True, slots=True)
class DifficultyFacet:
    """A difficulty to choose; `questions` stops at FACETED + 1, None as for a tag."""

    value: Difficulty
    questions: int | None


@dataclass(frozen=True, slots=True)
class Facets:
    """What a list can be narrowed by; `total` counts the selection if it was counted exactly."""

    total: int | None
    tags: list[TagFacet]
    difficulties: list[DifficultyFacet]


def facets_of(session: Session, selection: Selection) -> Facets:
    """Return the facets of a selection.

    A tag narrows what is selected; a difficulty takes the place of the one that is.
    """
    ids = _bounded(session, selection)
    if ids is None:
        return Facets(
            None,
            _kept_tags(session, selection),
            _indexed_difficulties(session, selection),
        )
    counts = dict(
        session.execute(
            select(Publication.difficulty, func.count())
            .where(Publication.id.in_(ids))
            .group_by(Publication.difficulty)
        ).all()
    )
    total = sum(counts.values())
    if selection.difficulty is not None:
        total = counts.get(selection.difficulty, 0)
        ids = narrowed(ids, (), selection.difficulty)
    return Facets(
        total,
        _counted_tags(session, selection, ids, total),
        [DifficultyFacet(each, counts.get(each, 0)) for each in Difficulty],
    )


def _bounded(session: Session, selection: Selection) -> Ids | None:
    """Return the ids of a selection without its difficulty, None if they are more than FACETED.

    Where the shelf knows how many they are, it is a select of them: a thousand
    parameters would take longer than all that is asked with them.
    """
    if selection.query:
        ids = search.newest(session, Publication, selection.query, FACETED + 1)
        if len(ids) > FACETED:
            return None
        return narrowed(ids, selection.tags, None) if selection.tags and ids else ids
    if selection.tags:
        counts = dict(
            session.execute(
                select(PublishedTag.slug, PublishedTag.questions).where(
                    PublishedTag.slug.in_(selection.tags)
                )
            ).all()
        )
        smallest = min(selection.tags, key=lambda tag: counts.get(tag, 0))
        if counts.get(smallest, 0) > FACETED:
            return None
        tagged = select(PublicationTag.publication_id).where(PublicationTag.tag == smallest)
        others = [tag for tag in selection.tags if tag != smallest]
        return narrowed(tagged, others, None) if others else tagged
    some = session.connection().execute(_UP_TO, {"bound": FACETED + 1})
    return None if some.scalar_one() > FACETED else select(Publication.id)


def _counted_tags(session: Session, selection: Selection, ids: Ids, total: int) -> list[TagFacet]:
    """Return the tags that most of these questions have, but not all of the `total`."""
    number = func.count()
    rows = session.execute(
        select(PublicationTag.tag, number)
        .where(PublicationTag.publication_id.in_(ids), PublicationTag.tag.not_in(selection.tags))
        .group_by(PublicationTag.tag)
        .having(number < total)
        .order_by(number.desc(), PublicationTag.tag)
        .limit(TAGS)
    )
    return [TagFacet(tag, count) for tag, count in rows]


def _kept_tags(session: Session, selection: Selection) -> list[TagFacet]:
    """Return the tags below the innermost one, with what the shelf says of their questions."""
    inner = max(selection.tags, key=len, default="")
    # A tag's number is that of the selection too where nothing else narrows it.
    known = not (selection.query or selection.difficulty or len(selection.tags) > 1)
    found = sorted(reading.child_tags(session, inner), key=lambda tag: (-tag.questions, tag.slug))
    chosen = [tag for tag in found if tag.slug not in selection.tags][:TAGS]
    return [TagFacet(tag.slug, tag.questions if known else None) for tag in chosen]


def _indexed_difficulties(session: Session, selection: Selection) -> list[DifficultyFacet]:
    if selection.query or selection.tags:
        return [DifficultyFacet(each, None) for each in Difficulty]
    counts = session.connection().execute(_UP_TO_OF_EACH, {"bound": FACETED + 1}).one()
    return [DifficultyFacet(each, count) for each, count in zip(Difficulty, counts, strict=True)]


def _up_to(*criteria: ColumnElement[bool]) -> ScalarSelect[int]:
    """Return the number of questions, up to the parameter 'bound'."""
    bound = bindparam("bound", type_=Integer)
    some = select(Publication.id).where(*criteria).limit(bound).subquery()
    return select(func.count()).select_from(some).scalar_subquery()


# Built once: the list of all questions asks these.
_UP_TO = select(_up_to())
_UP_TO_OF_EACH = select(*(_up_to(Publication.difficulty == each) for each in Difficulty))
