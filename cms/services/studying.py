"""What study mode reads of the shelf: cards, which ones a selection has, and a draw of some.

Cards are read a page at a time or singly. What a selection has is a list of at
most `LIST_LIMIT` names, and a draw looks at a bounded number of rows, however
large the bank is.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import msgspec
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cms.formats.checks import is_slug
from cms.models import Publication, PublicationTag, PublishedDeckMember
from cms.services import reading
from cms.services.chunks import chunks
from cms.services.reading import Moved, Withdrawn
from cms.services.rendered import Rendered, RenderedAnswer, RenderedOption
from cms.vocabulary import Difficulty

CARDS = 10  # on a page
LIST_LIMIT = 2_000  # cards of one selection
# Random places of the bank that a draw looks at where a selection is longer than a list.
SAMPLED = 2_000

# Many questions stand on one page: what their own pages name for links would be there twice.
_ANCHOR = re.compile(r'(<h[3-6]) id="[^"]*"')
_decoder = msgspec.json.Decoder(Rendered)


@dataclass(frozen=True, slots=True)
class Card:
    """A question to learn. `stem` and `context` are HTML, `revision` is the published one's number.

    `short` is its answer in short, None where it has none; `answers` are the others.
    """

    uid: str
    slug: str
    revision: int
    difficulty: Difficulty | None
    tags: list[str]
    stem: str
    context: str
    short: RenderedAnswer | None
    answers: list[RenderedAnswer]
    options: list[RenderedOption]
    corrections: int


@dataclass(frozen=True, slots=True)
class Scope:
    """What a draw draws from: a deck, or a tag with its descendants, or the bank."""

    deck: str | None = None
    tag: str | None = None


@dataclass(frozen=True, slots=True)
class Draw:
    """What was drawn, easy ones first, and how many were found where that is fewer than wanted."""

    cards: list[Card]
    fewer: dict[Difficulty | None, int]


def cards(session: Session, slugs: Iterable[str]) -> list[Card]:
    """Return the live questions of these addresses as cards, in this order."""
    wanted = list(slugs)
    found: dict[str, Card] = {}
    for some in chunks(wanted):
        rows = session.execute(
            select(
                Publication.uid,
                Publication.slug,
                Publication.revision,
                Publication.difficulty,
                Publication.tags,
                Publication.html,
            ).where(Publication.slug.in_(some))
        )
        for row in rows:
            rendered = _decoder.decode(row.html)
            for answer in rendered.answers:
                answer.html = _ANCHOR.sub(r"\1", answer.html)
            for option in rendered.options:
                option.text = _ANCHOR.sub(r"\1", option.text)
                option.feedback = _ANCHOR.sub(r"\1", option.feedback)
            short = rendered.answers[rendered.short] if rendered.short is not None else None
            found[row.slug] = Card(
                uid=row.uid,
                slug=row.slug,
                revision=row.revision,
                difficulty=row.difficulty,
                tags=row.tags,
                stem=rendered.stem,
                context=_ANCHOR.sub(r"\1", rendered.context),
                short=short,
                answers=[answer for answer in rendered.answers if answer is not short],
                options=rendered.options,
                corrections=len(rendered.corrections),
            )
    return [found[slug] for slug in wanted if slug in found]


def find_card(session: Session, slug: str) -> Card | Moved | Withdrawn:
    """Return the card of the question at an address, or what became of it.

    :raises NotFound: when nothing public ever had this address
    """
    if is_slug(slug) and (found := cards(session, [slug])):
        return found[0]
    former = reading.find_question(session, slug)
    assert isinstance(former, Moved | Withdrawn)
    return former


# --- a draw ----------------------------------------------------------------------


class _Candidate(NamedTuple):
    id: int
    slug: str
    difficulty: Difficulty | None
    tags: list[str]


def draw(
    session: Session, scope: Scope, wanted: Mapping[Difficulty | None, int], seed: int
) -> Draw:
    """Draw so many questions of each difficulty; None stands for any.

    The same seed draws the same questions of the same shelf. Of a scope that is
    longer than `LIST_LIMIT` it draws among those at `SAMPLED` random places,
    and where too few of those fit, among its first ones, too.
    """
    chosen: list[str] = []
    fewer: dict[Difficulty | None, int] = {}
    sampled: list[_Candidate] | None = None
    for difficulty in (*Difficulty, None):
        number = wanted.get(difficulty, 0)
        if not number:
            continue
        candidates = _first(session, scope, difficulty)
        if len(candidates) > LIST_LIMIT:
            if sampled is None:
                sampled = list(_sampled(session, scope, seed))
            fitting = [each for each in sampled if difficulty in (None, each.difficulty)]
            candidates = fitting if len(fitting) >= 2 * number else [*fitting, *candidates]
        slugs = {each.slug for each in candidates if difficulty in (None, each.difficulty)}
        drawn = sorted(slugs - set(chosen), key=lambda slug: _rank(seed, slug))[:number]
        if len(drawn) < number:
            fewer[difficulty] = len(drawn)
        chosen += drawn
    return Draw(cards(session, chosen), fewer)


def _first(session: Session, scope: Scope, difficulty: Difficulty | None) -> list[_Candidate]:
    """Return the first questions of a scope along an index, at most one more than a list has.

    Those of a deck or a tag are of any difficulty: to look for a rare one could
    mean to read a large deck to its end.
    """
    statement = select(
        Publication.id, Publication.slug, Publication.difficulty, Publication.tags
    ).limit(LIST_LIMIT + 1)
    if scope.deck is not None:
        id, place = PublishedDeckMember.publication_id, PublishedDeckMember.position
        statement = statement.join(PublishedDeckMember, id == Publication.id)
        statement = statement.where(PublishedDeckMember.deck == scope.deck).order_by(place, id)
    elif scope.tag is not None:
        id = PublicationTag.publication_id
        statement = statement.join(PublicationTag, id == Publication.id)
        statement = statement.where(PublicationTag.tag == scope.tag)
        statement = statement.order_by(PublicationTag.title_key, id)
    else:
        if difficulty is not None:
            statement = statement.where(Publication.difficulty == difficulty)
        statement = statement.order_by(Publication.title_key, Publication.id)
    return [_Candidate(*row) for row in session.execute(statement)]


def _sampled(session: Session, scope: Scope, seed: int) -> Iterator[_Candidate]:
    """Yield the questions of a scope at random places of the bank, found by their keys."""
    last = session.scalar(select(func.max(Publication.id))) or 0
    places = sorted({1 + _rank(seed, str(number)) % last for number in range(SAMPLED)})
    for some in chunks(places):
        rows = session.execute(
            select(
                Publication.id, Publication.slug, Publication.difficulty, Publication.tags
            ).where(Publication.id.in_(some))
        )
        found = [_Candidate(*row) for row in rows]
        if scope.deck is not None:
            member = PublishedDeckMember.publication_id
            members = set(
                session.scalars(
                    select(member).where(PublishedDeckMember.deck == scope.deck, member.in_(some))
                )
            )
            found = [each for each in found if each.id in members]
        elif scope.tag is not None:
            found = [each for each in found if _is_under(each.tags, scope.tag)]
        yield from found


def _is_under(tags: Iterable[str], ancestor: str) -> bool:
    return any(tag == ancestor or tag.startswith(f"{ancestor}/") for tag in tags)


def _rank(seed: int, name: str) -> int:
    """Return a number that looks random and is always the same for the same seed and name."""
    return int.from_bytes(hashlib.blake2b(f"{seed}:{name}".encode(), digest_size=8).digest())


def levels(session: Session) -> set[Difficulty]:
    """Return the difficulties that some public question has."""
    return {
        level
        for level in Difficulty
        if session.scalar(select(Publication.id).where(Publication.difficulty == level).limit(1))
    }
