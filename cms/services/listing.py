"""Lists of public questions: filtered, sorted, and cut into pages by keyset.

A page's cursor holds the sort key of its last row, so that the hundredth page
costs what the first does. Only a search by relevance goes by rank.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Annotated, Any, Literal, get_args

import msgspec
from msgspec import Meta
from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Integer,
    Row,
    Select,
    String,
    bindparam,
    exists,
    func,
    select,
    tuple_,
)
from sqlalchemy.orm import InstrumentedAttribute, Session

from cms.errors import InvalidInput
from cms.models import Publication, PublicationTag, PublishedDeckMember, PublishedTag
from cms.services import search
from cms.services.reading import latest_corrections
from cms.vocabulary import Difficulty

PAGE_SIZE = 30  # questions

Ids = Sequence[int] | Select[int]
"""Ids of publications: known ones, or a select that finds them."""

Sort = Literal["recent", "title", "relevance"]
SORTS: tuple[Sort, ...] = get_args(Sort)
Order = Sort | Literal["deck"]

# What a sort key can be: an integer column's value, or text that every database takes.
_Number = Annotated[int, Meta(ge=0, le=2**31 - 1)]
_Title = Annotated[str, Meta(max_length=120, pattern=r"^[^\x00]*$")]


@dataclass(frozen=True, slots=True)
class Selection:
    """Which questions, in which order: those with every tag (or a descendant of it).

    `sort` 'relevance' means 'recent' where there is nothing to search for.
    """

    query: str = ""
    tags: tuple[str, ...] = ()
    difficulty: Difficulty | None = None
    sort: Sort = "recent"

    @property
    def order(self) -> Sort:
        """The order in effect."""
        return "recent" if self.sort == "relevance" and not self.query else self.sort

    @property
    def narrowed(self) -> bool:
        """Whether it has filters besides the search."""
        return bool(self.tags or self.difficulty)


@dataclass(frozen=True, slots=True)
class Listed:
    """A question as a list shows it; `correction` is its latest correction's number.

    `revision` is the number of the published revision.
    """

    uid: str
    slug: str
    stem: str
    summary: str
    difficulty: Difficulty | None
    tags: list[str]
    updated_at: datetime
    correction: int | None
    revision: int


@dataclass(frozen=True, slots=True)
class Listing:
    """One page of a list. `total` is None where counting would read every hit."""

    questions: list[Listed]
    next: str | None
    total: int | None


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where the next page begins: after the row with these sort keys.

    By relevance `id` is a rank, and there is no key.
    """

    order: Order
    key: int | str
    id: int

    def encode(self) -> str:
        """Return the cursor as a word for an address."""
        raw = msgspec.json.encode((self.order, self.key, self.id))
        return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

    @classmethod
    def decode(cls, word: str) -> Cursor:
        """Return the cursor that `encode` wrote.

        :raises InvalidInput: when it did not write this
        """
        try:
            padded = word.encode("ascii") + b"=" * (-len(word) % 4)
            raw = base64.b64decode(padded, altchars=b"-_", validate=True)
            cursor = cls(*msgspec.json.decode(raw, type=tuple[Order, _Number | _Title, _Number]))
        except (UnicodeError, binascii.Error, msgspec.DecodeError) as error:
            raise _damaged() from error
        if isinstance(cursor.key, str) != (cursor.order == "title"):
            raise _damaged()
        return cursor


def _damaged() -> InvalidInput:
    return InvalidInput(
        "This address continues a list at a place that does not exist. "
        "Start again from the first page of the list.",
        field="after",
    )


def list_questions(
    session: Session, selection: Selection, after: str | None = None, *, size: int | None = None
) -> Listing:
    """Return the page of a selection that follows the cursor `after`, or the first page.

    A page has `size` questions, PAGE_SIZE where none is given.

    Of a search by relevance only as many matches are ranked as `cms.services.search`
    bounds; a narrowed search with more matches than that is sorted by last change.

    :raises InvalidInput: when `after` is no cursor of such a list
    """
    size = size or PAGE_SIZE
    order = selection.order
    cursor = Cursor.decode(after) if after else None
    if order == "relevance":
        ids = search.ranked(session, Publication, selection.query)
        if len(ids) < search.RANKED_LIMIT or not selection.narrowed:
            if cursor is not None and cursor.order != order:
                raise _damaged()
            return _by_rank(session, selection, ids, 0 if cursor is None else cursor.id, size)
        order = "recent"
    if cursor is not None and cursor.order != order:
        raise _damaged()
    return _by_key(session, selection, order, cursor, size)


def _by_rank(
    session: Session, selection: Selection, ids: list[int], start: int, size: int
) -> Listing:
    """Return the page of ranked ids from rank `start` on, of those that the selection holds."""
    bounded = len(ids) == search.RANKED_LIMIT
    if selection.narrowed:
        kept = set(session.scalars(narrowed(ids, selection.tags, selection.difficulty)))
        ids = [each for each in ids if each in kept]
    end = start + size
    page = ids[start:end]
    rows = session.execute(_columns().where(Publication.id.in_(page))).all()
    return Listing(
        questions=_listed(session, sorted(rows, key=lambda row: page.index(row.id))),
        next=Cursor("relevance", 0, end).encode() if end < len(ids) else None,
        total=None if bounded else len(ids),
    )


def _by_key(
    session: Session, selection: Selection, order: Sort, cursor: Cursor | None, size: int
) -> Listing:
    """Read one page forward from the cursor, along the index of its order."""
    statement = _page_of(
        order, len(selection.tags), selection.difficulty is not None, cursor is not None
    )
    if selection.query:
        statement = statement.where(search.holds(session, Publication, selection.query))
    asked: dict[str, Any] = {f"tag_{place}": tag for place, tag in enumerate(selection.tags)}
    asked |= {"difficulty": selection.difficulty, "limit": size + 1}
    if cursor is not None:
        asked |= {"key": cursor.key, "id": cursor.id}
    rows = session.connection().execute(statement, asked).all()
    following = None
    if len(rows) > size:
        end = rows[size - 1]
        following = Cursor(
            order, end.title_key if order == "title" else end.release, end.id
        ).encode()
    return Listing(
        questions=_listed(session, rows[:size]),
        next=following,
        total=_total(session, selection),
    )


@lru_cache(maxsize=64)
def _page_of(
    order: Sort, tags: int, of_difficulty: bool, continued: bool
) -> Select[*tuple[Any, ...]]:
    """Return the statement of a page: building it takes longer than running it.

    Its parameters are 'tag_0' and so on, 'difficulty', 'key' and 'id' (those of the
    last row of the page before) and 'limit'.
    """
    paths = [bindparam(f"tag_{place}", type_=String) for place in range(tags)]
    statement = _columns().where(*_criteria(paths[1:], None))
    if of_difficulty:
        wanted = bindparam("difficulty", type_=Publication.difficulty.type)
        statement = statement.where(Publication.difficulty == wanted)
    keys: dict[str, InstrumentedAttribute[Any]] = {
        "recent": Publication.release,
        "title": Publication.title_key,
        "id": Publication.id,
    }
    if paths:
        # A tag's own index holds the sort keys: its list needs no sorting.
        statement = statement.join(
            PublicationTag, PublicationTag.publication_id == Publication.id
        ).where(PublicationTag.tag == paths[0])
        keys = {
            "recent": PublicationTag.release,
            "title": PublicationTag.title_key,
            "id": PublicationTag.publication_id,
        }
    sort_keys = [keys[order], keys["id"]]
    if continued:
        last = tuple_(
            *(bindparam(n, type_=k.type) for n, k in zip(("key", "id"), sort_keys, strict=True))
        )
        row = tuple_(*sort_keys)
        statement = statement.where(row > last if order == "title" else row < last)
    ordered = [key.asc() if order == "title" else key.desc() for key in sort_keys]
    return statement.order_by(*ordered).limit(bindparam("limit", type_=Integer))


def list_deck(
    session: Session, slug: str, total: int, after: str | None = None, *, size: int | None = None
) -> Listing:
    """Return the page of a deck of `total` questions that follows `after`, in the deck's order.

    A page has `size` questions, PAGE_SIZE where none is given.

    :raises InvalidInput: when `after` is no cursor of a deck's list
    """
    size = size or PAGE_SIZE
    place, id = PublishedDeckMember.position, PublishedDeckMember.publication_id
    statement = (
        _columns()
        .add_columns(place)
        .join(PublishedDeckMember, id == Publication.id)
        .where(PublishedDeckMember.deck == slug)
    )
    if after:
        cursor = Cursor.decode(after)
        if cursor.order != "deck":
            raise _damaged()
        statement = statement.where(tuple_(place, id) > tuple_(cursor.key, cursor.id))
    rows = session.execute(statement.order_by(place, id).limit(size + 1)).all()
    following = None
    if len(rows) > size:
        end = rows[size - 1]
        following = Cursor("deck", end.position, end.id).encode()
    return Listing(_listed(session, rows[:size]), following, total)


def _columns() -> Select[*tuple[Any, ...]]:
    return select(
        Publication.id,
        Publication.uid,
        Publication.slug,
        Publication.stem,
        Publication.summary,
        Publication.difficulty,
        Publication.tags,
        Publication.corrections,
        Publication.revision,
        Publication.updated_at,
        Publication.release,
        Publication.title_key,
    )


def narrowed(ids: Ids, tags: Iterable[str], difficulty: Difficulty | None) -> Select[int]:
    """Return a select of those of some publications' ids that have all the tags and the difficulty.

    That is one statement with whatever it stands in.
    """
    return select(Publication.id).where(Publication.id.in_(ids), *_criteria(tags, difficulty))


def _criteria(
    tags: Iterable[str | BindParameter[str]], difficulty: Difficulty | None
) -> list[ColumnElement[bool]]:
    criteria: list[ColumnElement[bool]] = [
        exists()
        .where(PublicationTag.publication_id == Publication.id, PublicationTag.tag == tag)
        .correlate(Publication)
        for tag in tags
    ]
    if difficulty is not None:
        criteria.append(Publication.difficulty == difficulty)
    return criteria


def _total(session: Session, selection: Selection) -> int | None:
    """Return how many questions a selection has, where a kept number or an index says so."""
    if selection.query or selection.difficulty or len(selection.tags) > 1:
        return None
    if not selection.tags:
        return session.connection().scalar(_ALL)
    return session.connection().scalar(_WITH_TAG, {"tag": selection.tags[0]})


_ALL = select(func.count()).select_from(Publication)
_WITH_TAG = select(PublishedTag.questions).where(
    PublishedTag.slug == bindparam("tag", type_=String)
)


def _listed(session: Session, rows: Sequence[Row[Any]]) -> list[Listed]:
    corrected = [row.uid for row in rows if row.corrections]
    numbers = latest_corrections(session, corrected) if corrected else {}
    return [
        Listed(
            uid=row.uid,
            slug=row.slug,
            stem=row.stem,
            summary=row.summary,
            difficulty=row.difficulty,
            tags=row.tags,
            updated_at=row.updated_at,
            correction=numbers.get(row.uid),
            revision=row.revision,
        )
        for row in rows
    ]
