"""Exporting the working copy: drafts and retired questions too, each with its status."""

from collections.abc import Iterable, Iterator, Mapping
from functools import partial

import msgspec
from sqlalchemy import Select, exists, func, select
from sqlalchemy.orm import Session, selectinload

from cms.errors import InvalidInput, NotFound
from cms.formats import Format
from cms.formats.item import Item, TagItem
from cms.formats.outgoing import Entry, Export
from cms.models import (
    Correction,
    Deck,
    Provenance,
    Question,
    Revision,
    Tag,
    question_tag,
)
from cms.services import search
from cms.services.assets import asset_of
from cms.services.chunks import CHUNK
from cms.services.content import WITH_CONTENT, content_of, with_tag_slugs
from cms.services.decks import deck_item
from cms.services.errata import correction_item
from cms.services.exporting import (
    Head,
    Selection,
    Stream,
    Tick,
    bank_head,
    question_url,
    ticking,
    writer_of,
)
from cms.services.provenance import provenance_item
from cms.services.releases import release_number


def export_drafts(
    session: Session,
    format: Format,
    selection: Selection,
    head: Head,
    options: Mapping[str, bool] | None = None,
    tick: Tick | None = None,
) -> Stream:
    """Return the working copy, drafts and retired questions included, each with its status.

    :raises InvalidInput: when the format cannot be written, or with `since` or a deck
    :raises NotFound: when there is no such tag
    """
    write = writer_of(format)
    if selection.since is not None:
        raise InvalidInput("'since' counts releases, which drafts do not have.", field="since")
    if selection.deck is not None:
        raise InvalidInput("A deck holds what is published, which drafts are not.", field="deck")
    statement = select(Question).where(Question.merged_into_id.is_(None))
    if selection.difficulty is not None:
        statement = statement.where(Question.difficulty == selection.difficulty)
    if selection.query:
        statement = statement.where(search.holds(session, Question, selection.query))
    if selection.among is not None:
        statement = statement.where(Question.uid.in_(selection.among))
    for slug in selection.tags:
        if not session.scalar(select(exists().where(Tag.slug == slug))):
            raise NotFound(f"There is no tag '{slug}'.")
        below = select(Tag.id).where(
            (Tag.slug == slug) | Tag.slug.startswith(f"{slug}/", autoescape=True)
        )
        tagged = select(question_tag.c.question_id).where(question_tag.c.tag_id.in_(below))
        statement = statement.where(Question.id.in_(tagged))
    release = release_number(session)
    export = Export(
        bank=bank_head(session, head, release),
        entries=ticking(_drafts(session, statement, head), tick),
        tags=[
            TagItem(uid=tag.uid, slug=tag.slug, name=tag.name, description=tag.description)
            for tag in session.scalars(select(Tag).order_by(Tag.slug))
        ],
        decks=[
            deck_item(deck)
            for deck in session.scalars(
                select(Deck).order_by(Deck.id).options(selectinload(Deck.members))
            )
        ],
        asset=partial(asset_of, session),
        options=options or {},
    )
    total = session.scalar(select(func.count()).select_from(statement.subquery())) or 0
    return Stream(write(export), total, release)


def _drafts(session: Session, statement: Select[Question], head: Head) -> Iterator[Entry]:
    """Yield the working copy in bounded rounds, by ascending id."""
    last = 0
    while True:
        questions = session.scalars(
            statement.where(Question.id > last)
            .order_by(Question.id)
            .limit(CHUNK)
            .options(*WITH_CONTENT)
        ).all()
        if not questions:
            return
        last = questions[-1].id
        yield from _draft_entries(session, questions, head)
        session.expunge_all()


def _draft_entries(session: Session, questions: Iterable[Question], head: Head) -> Iterator[Entry]:
    ids = [question.id for question in questions]
    origins = {
        origin.question_id: provenance_item(origin)
        for origin in session.scalars(select(Provenance).where(Provenance.question_id.in_(ids)))
    }
    hashes = dict(
        session.execute(
            select(Revision.question_id, Revision.content_hash)
            .join(
                Question,
                (Question.id == Revision.question_id) & (Question.latest_number == Revision.number),
            )
            .where(Question.id.in_(ids))
        ).all()
    )
    corrections: dict[int, list[Correction]] = {}
    for correction in session.scalars(
        select(Correction)
        .where(Correction.question_id.in_(ids))
        .options(selectinload(Correction.sources))
        .order_by(Correction.id)
    ):
        corrections.setdefault(correction.question_id, []).append(correction)
    for question in questions:
        slugs = {tag.uid: tag.slug for tag in question.tags}
        content = with_tag_slugs(content_of(question), slugs)
        item = Item(
            **{name: getattr(content, name) for name in content.__struct_fields__},
            corrections=[correction_item(c) for c in corrections.get(question.id, [])],
            provenance=origins.get(question.id),
            revision=question.latest_number,
            content_hash=hashes[question.id],
            updated_at=question.updated_at,
            status=question.status,
        )
        yield Entry(msgspec.json.encode(item), question_url(head, question.slug))
