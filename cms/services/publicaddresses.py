"""Everything on the shelf that has an address of its own, and every address that leads on to it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from cms.models import (
    Publication,
    PublicationAsset,
    PublishedCorrection,
    PublishedDeck,
    PublishedTag,
    SlugRedirect,
    Withdrawal,
)


@dataclass(frozen=True, slots=True)
class PublicAddresses:
    """Slugs, paths, numbers and names, each in order.

    `former` are addresses that questions had, those of withdrawn ones among them;
    `former_tags` the paths that tags had. None of them is an address of something live.
    """

    questions: dict[str, None]
    former: dict[str, None]
    tags: dict[str, None]
    former_tags: dict[str, None]
    decks: dict[str, None]
    corrections: dict[str, None]
    images: dict[str, None]


def public_addresses(session: Session) -> PublicAddresses:
    """Return all that is public by its addresses: some hundred bytes for each question."""

    def named(what: str) -> dict[str, None]:
        slugs = select(SlugRedirect.slug).where(SlugRedirect.what == what)
        return dict.fromkeys(session.scalars(slugs.order_by(SlugRedirect.slug)))

    questions = dict.fromkeys(session.scalars(select(Publication.slug).order_by(Publication.id)))
    tags = dict.fromkeys(session.scalars(select(PublishedTag.slug).order_by(PublishedTag.slug)))
    withdrawn = session.scalars(select(Withdrawal.slug).order_by(Withdrawal.slug))
    former = {**dict.fromkeys(withdrawn), **named("question")}
    numbers = select(PublishedCorrection.number).order_by(PublishedCorrection.number)
    images = select(PublicationAsset.name).distinct().order_by(PublicationAsset.name)
    return PublicAddresses(
        questions=questions,
        former={slug: None for slug in former if slug not in questions},
        tags=tags,
        former_tags={path: None for path in named("tag") if path not in tags},
        decks=dict.fromkeys(
            session.scalars(select(PublishedDeck.slug).order_by(PublishedDeck.slug))
        ),
        corrections=dict.fromkeys(map(str, session.scalars(numbers))),
        images=dict.fromkeys(session.scalars(images)),
    )
