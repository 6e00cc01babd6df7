"""The questions before and after one, in the list that it was opened from.

The editor's address has the list's own, and a cursor: the place that the
question had there. So 'next' goes on from where it was, also when a save moved
it to the top of the list, or publishing took it out.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Annotated, Any, NamedTuple
from urllib.parse import parse_qsl

import msgspec
from flask import request
from msgspec import Meta
from sqlalchemy import ColumnElement, Select, and_, case, exists, false, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, load_only
from werkzeug.datastructures import MultiDict

from cms.extensions import db
from cms.models import Question
from cms.services import queues
from cms.services.search import ranked
from cms.vocabulary import Difficulty
from cms.web.admin.base import PAGE_SIZE, Row, TableView, way_back

# Hits of a search that come by how well they fit; the others by date.
RANKED = 200
# The rank of what is not ranked.
UNRANKED = RANKED + 1

# What sort keys are, by column.
_KEYS: dict[str, Any] = {
    "updated_at": Annotated[datetime, Meta(tz=True)],
    "difficulty": Difficulty | None,
}
# Filters whose values say by themselves what they are.
_PLAIN = frozenset({"queue", "status", "mine"})
_TOLD = (load_only(Question.stem, Question.updated_at, Question.difficulty),)
_Rank = Annotated[int, Meta(ge=0, le=UNRANKED)]
_Id = Annotated[int, Meta(ge=0, le=2**31 - 1)]


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in a list: the rank in a search, the value of the column sorted by, the id."""

    rank: int
    key: datetime | Difficulty | None
    id: int

    def encode(self) -> str:
        """Return the cursor as a word for an address."""
        raw = msgspec.json.encode((self.rank, self.key, self.id))
        return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

    @classmethod
    def decode(cls, word: str, column: str) -> Cursor | None:
        """Return the cursor that `encode` wrote of a list sorted by `column`; else None."""
        try:
            raw = base64.urlsafe_b64decode(word.encode("ascii") + b"=" * (-len(word) % 4))
            rank, key, id = msgspec.json.decode(raw, type=tuple[_Rank, str | None, _Id])
            return cls(rank, msgspec.convert(key, _KEYS[column]), id)
        except (UnicodeError, binascii.Error, msgspec.MsgspecError):
            return None


class Neighbour(NamedTuple):
    """A question to go on to."""

    stem: str
    url: str


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where a question is in a list: `name` and `url` are the list's.

    `before` is how many stand before it, `count` how many there are, both at most
    `queues.COUNTED`. `listed` says whether it is there still.
    """

    name: str
    url: str
    before: int
    count: int
    listed: bool
    previous: Neighbour | None
    next: Neighbour | None

    @property
    def position(self) -> str:
        """Where it is in few words: '4 of 12', '4 of 99+', '3 left'; '' where counting stopped."""
        more = self.count == queues.COUNTED
        count = f"{queues.COUNTED - 1}+" if more else str(self.count)
        if not self.listed:
            return f"{count} left" if self.count else "none left"
        return f"{self.before + 1} of {count}" if self.before < queues.COUNTED - 1 else ""


@dataclass(frozen=True, slots=True)
class _Order:
    """How a list is sorted: first the ids in `best`, then by a column, then by id."""

    column: InstrumentedAttribute[Any]
    desc: bool
    best: list[int] = field(default_factory=list)

    @property
    def backwards(self) -> _Order:
        return replace(self, desc=not self.desc)

    def by(self) -> list[ColumnElement[Any]]:
        keys = (self.column, Question.id)
        return [key.desc() if self.desc else key.asc() for key in keys]

    def after(self, cursor: Cursor) -> Iterator[ColumnElement[bool]]:
        """Yield conditions, in order, that hold for the unranked rows after a place."""
        key, nullable = cursor.key, self.column.key == "difficulty"
        # SQLite takes NULL for less than any value, PostgreSQL for more.
        least = db.engine.dialect.name == "sqlite"
        later = Question.id < cursor.id if self.desc else Question.id > cursor.id
        if key is None:
            yield and_(self.column.is_(None), later)
            if least != self.desc:
                yield self.column.is_not(None)
            return
        # The first of the two bounds is what an index is read from.
        if self.desc:
            yield and_(self.column <= key, or_(self.column < key, later))
        else:
            yield and_(self.column >= key, or_(self.column > key, later))
        if nullable and least == self.desc:
            yield self.column.is_(None)


class NeighbourPages(TableView):
    """The part of the questions' list that knows the place of each row."""

    def default_order(self, search: str | None) -> list[Any]:
        order = self._order(search, None, desc=False)
        if not order.best:
            return order.by()
        place = {key: index for index, key in enumerate(order.best)}
        return [case(place, value=Question.id, else_=RANKED), *order.by()]

    def get_list(
        self,
        page: int | None,
        sort_column: Any,
        sort_desc: bool,
        search: str | None,
        *args: Any,
        **kwargs: Any,
    ) -> tuple[int, list[Row]]:
        count, rows = super().get_list(page, sort_column, sort_desc, search, *args, **kwargs)
        column = self._sortable_columns.get(sort_column)
        first = (page or 0) * PAGE_SIZE if search and column is None else UNRANKED
        key = (Question.updated_at if column is None else column).key
        self._template_args["places"] = {
            row.id: Cursor(min(first + index, UNRANKED), getattr(row, key), row.id).encode()
            for index, row in enumerate(rows)
        }
        return count, rows

    def surroundings(self, question: Question) -> Surroundings | None:
        """Return what is around a question in the list of this address; None without one."""
        path, _, query = (way_back() or "").partition("?")
        if path != self.get_url(".index_view"):
            return None
        args = MultiDict(parse_qsl(query))
        search, typed = self.typed(args)
        filters = [(index, value) for index, value in typed if self._filters[index].validate(value)]
        column = self._get_column_by_idx(args.get("sort", type=int))
        order = self._order(search, column and column[0], desc=bool(args.get("desc", type=int)))
        around = _Around(self.matching(search, filters), order, question)
        before, count, listed = around.counts()
        return Surroundings(
            name=self._named(search, filters),
            url=f"{path}?{query}" if query else path,
            before=before,
            count=count,
            listed=listed,
            previous=self._neighbour(around, around.previous()),
            next=self._neighbour(around, around.next()),
        )

    def _order(self, search: str | None, sort_column: Any, *, desc: bool) -> _Order:
        column = self._sortable_columns.get(sort_column)
        if column is not None:
            return _Order(column, desc)
        best = ranked(db.session(), Question, search)[:RANKED] if search else []
        return _Order(Question.updated_at, desc=True, best=best)

    def _named(self, search: str | None, filters: list[tuple[int, str]]) -> str:
        """Return how people call a list: 'In review, difficulty hard'."""
        found = [f"‘{search}’"] if search else []
        for index, value in filters:
            each = self._filters[index]
            words = dict(each.choices()).get(value, value)
            found.append(words if each.param in _PLAIN else f"{each.name.lower()} {words}")
        return ", ".join(found) or f"all {self.title.lower()}"

    def _neighbour(self, around: _Around, row: Question | None) -> Neighbour | None:
        if row is None:
            return None
        place = around.place_of(row).encode()
        url = self.get_url(".edit_view", id=row.id, url=way_back(), at=place)
        return Neighbour(row.stem, url)


class _Around:
    """A list without one of its questions, and the place in it where that one is, or was."""

    def __init__(self, matching: Select[Any], order: _Order, question: Question) -> None:
        self.matching = matching
        self.order = order
        self.question = question
        found = matching.with_only_columns(Question.id).where(Question.id.in_(order.best))
        kept = set(db.session.scalars(found)) if order.best else set()
        self.best = [key for key in order.best if key in kept]
        self.others = [key for key in self.best if key != question.id]
        typed = Cursor.decode(request.values.get("at", ""), order.column.key)
        known = typed is not None and typed.id == question.id
        self.place = typed if typed is not None and known else self.place_of(question)
        # What was first of those that are not ranked stands right behind those that are.
        self.is_ranked = self.place.rank <= len(self.others)

    def place_of(self, row: Question) -> Cursor:
        """Return where a question is now."""
        rank = self.best.index(row.id) if row.id in self.best else UNRANKED
        return Cursor(rank, getattr(row, self.order.column.key), row.id)

    def next(self) -> Question | None:
        if not self.is_ranked:
            return self._first(self.order, self.order.after(self.place))
        if self.place.rank < len(self.others):
            return self._get(self.others[self.place.rank])
        return self._first(self.order, [None])

    def previous(self) -> Question | None:
        if not self.is_ranked:
            backwards = self.order.backwards
            if found := self._first(backwards, backwards.after(self.place)):
                return found
            return self._get(self.others[-1]) if self.others else None
        return self._get(self.others[self.place.rank - 1]) if self.place.rank else None

    def counts(self) -> tuple[int, int, bool]:
        """Return how many stand before the place, how many there are, and if the question does."""
        ids = self.matching.with_only_columns(Question.id)
        before = self._unranked().with_only_columns(Question.id)
        earlier = self.order.backwards.after(self.place)
        before = before.where(or_(*earlier)) if not self.is_ranked else before.where(false())
        asked = [
            select(func.count()).select_from(part.limit(queues.COUNTED).subquery())
            for part in (before, ids)
        ]
        listed = exists(ids.where(Question.id == self.question.id))
        unranked, count, is_listed = db.session.execute(
            select(asked[0].scalar_subquery(), asked[1].scalar_subquery(), listed)
        ).one()
        found = min(self.place.rank, len(self.others)) + unranked
        return min(found, queues.COUNTED), count, is_listed

    def _unranked(self) -> Select[Any]:
        unranked = self.matching.where(Question.id != self.question.id)
        return unranked.where(Question.id.not_in(self.best)) if self.best else unranked

    def _first(
        self, order: _Order, conditions: Iterable[ColumnElement[bool] | None]
    ) -> Question | None:
        for condition in conditions:
            statement = self._unranked().options(*_TOLD).order_by(*order.by()).limit(1)
            if condition is not None:
                statement = statement.where(condition)
            found: Question | None = db.session.scalar(statement)
            if found is not None:
                return found
        return None

    def _get(self, key: int) -> Question | None:
        found: Question | None = db.session.get(Question, key, options=_TOLD)
        return found
