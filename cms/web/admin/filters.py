"""Filters of the desk's lists that are more than a choice of fixed words: people, days, weeks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

from flask import g
from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import InstrumentedAttribute

from cms.extensions import db
from cms.models import User
from cms.models.accounts import name_key
from cms.services import people
from cms.services.figures import in_week, week_span
from cms.web.admin.base import ListFilter, actor

ME = "me"
NOBODY = "nobody"


class PersonFilter(ListFilter):
    """Rows by the account in a column: by its name, or `me`, so that an address serves everybody.

    `nobody` is the value of the rows without one, and `words` say who that is.
    """

    def __init__(
        self,
        param: str,
        label: str,
        column: InstrumentedAttribute[int | None],
        *,
        nobody: str = NOBODY,
        words: str = "nobody",
        folded: bool = False,
    ) -> None:
        super().__init__(param, label, self._by, folded=folded)
        self.column = column
        self.nobody = nobody
        self.words = words

    def choices(self) -> Sequence[tuple[str, str]]:
        if "all_names" not in g:
            g.all_names = people.all_names(db.session())
        names = ((name, name) for name in g.all_names)
        return [(ME, "me"), (self.nobody, self.words), *names]

    def validate(self, _value: str) -> bool:
        # Nobody's name finds nothing: more would mislead.
        return True

    def _by(self, value: str) -> ColumnElement[bool]:
        if value == ME:
            return self.column == actor().id
        if value == self.nobody:
            return self.column.is_(None)
        return self.column.in_(select(User.id).where(User.name_key == name_key(value)))


class DayFilter(ListFilter):
    """Rows by a day (UTC) that is typed; `condition` makes the WHERE from it."""

    kind = "date"

    def __init__(
        self, param: str, label: str, condition: Callable[[date], ColumnElement[bool]]
    ) -> None:
        super().__init__(param, label, lambda value: condition(date.fromisoformat(value)))

    def validate(self, value: str) -> bool:
        try:
            date.fromisoformat(value)
        except ValueError:
            return False
        return True

    def refusal(self, value: str) -> str:
        return f"‘{value}’ is not a day. Write it like 2027-01-31."


class WeekFilter(ListFilter):
    """Rows by the ISO week (UTC) of a moment; it comes by a link from a figure."""

    kind = "week"

    def __init__(self, param: str, label: str, moment: InstrumentedAttribute[Any]) -> None:
        super().__init__(param, label, lambda value: in_week(moment, value), quiet=True)

    def validate(self, value: str) -> bool:
        try:
            week_span(value)
        except ValueError:
            return False
        return True

    def refusal(self, value: str) -> str:
        return f"‘{value}’ is not a week. Write it like 2026-W47."
