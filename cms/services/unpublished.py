"""A working copy as the public site would show it: what publishing would put on the shelf."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import asdict
from sqlalchemy import func, select
from sqlalchemy.orm import Session, selectinload

from cms.formats.assets import names_in
from cms.formats.item import CorrectionItem, Item
from cms.models import Correction, PublishedTag, Question
from cms.services.aliases import heads_of, tag_slugs
from cms.services.assets import DESK, shown_images
from cms.services.content import content_of, with_tag_slugs
from cms.services.errata import correction_item
from cms.services.reading import PublicQuestion
from cms.services.rendered import render_item
from cms.services.verify.samples import proofs
from cms.vocabulary import CorrectionStatus


def as_public(session: Session, question: Question) -> tuple[PublicQuestion, set[int]]:
    """Return a question as its page would show it if its newest revision were public.

    And the numbers in it that corrections have not yet: those that would be the
    next ones. Nothing is written.

    :raises ValueError: when a text is too long to be rendered
    """
    content = content_of(question)
    corrections, unnumbered = _corrections(session, question)
    item = Item(
        **asdict(with_tag_slugs(content, tag_slugs(session, content.tags))), corrections=corrections
    )
    public = PublicQuestion(
        id=question.id,
        uid=question.uid,
        slug=question.slug,
        stem=question.stem,
        difficulty=question.difficulty,
        tags=item.tags,
        rendered=render_item(
            item,
            proofs(session, [question.id]).get(question.id),
            shown_images(session, names_in(item), DESK),
        ),
        document="",
        release=0,
        updated_at=question.updated_at,
    )
    return public, unnumbered


def unlisted_tags(session: Session, slugs: Iterable[str]) -> set[str]:
    """Return which of some tags, and of those above them, no public question has.

    They have no public page until one has.
    """
    paths = {path for slug in slugs for path in heads_of(slug)}
    public = select(PublishedTag.slug).where(PublishedTag.slug.in_(paths))
    return paths - set(session.scalars(public))


def _corrections(session: Session, question: Question) -> tuple[list[CorrectionItem], set[int]]:
    found = session.scalars(
        select(Correction)
        .where(
            Correction.question_id == question.id,
            Correction.status == CorrectionStatus.accepted,
            Correction.fixed_in <= question.latest_number,
        )
        .options(selectinload(Correction.sources))
        .order_by(Correction.decided_at, Correction.id)
    ).all()
    items = [correction_item(each) for each in found]
    unnumbered: set[int] = set()
    following = (session.scalar(select(func.max(Correction.number))) or 0) + 1
    for item in items:
        if item.number is None:
            item.number = following + len(unnumbered)
            unnumbered.add(item.number)
    return sorted(items, key=lambda item: item.number or 0), unnumbered
