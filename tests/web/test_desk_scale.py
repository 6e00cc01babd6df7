"""The desk in a bank three times as large: no page asks more often, none reads more rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, func, select
from sqlalchemy.orm import Session

from cms.extensions import db
from cms.models import Deck, Tag, User
from cms.services import search
from cms.services.figures import week_of
from cms.vocabulary import Role
from cms.web.admin.base import TableView
from tests.factories import make_published
from tests.web.grown import grow

pytestmark = pytest.mark.each_database

AsRole = Callable[[Role | None], FlaskClient]

# Each fills more than one page of any list, under any filter.
FEW, MANY = 240, 720
# What is typed into a filter that offers nothing, or more than a fixed choice.
TYPED = {
    "tag": "area",
    "import": "1",
    "assignee": "me",
    "reviewer": "me",
    "who": "me",
    "object": "question-1",
    "from": "2026-01-01",
    "until": "2099-01-01",
    "opened": week_of(datetime.now(UTC).date()),
    "decided": week_of(datetime.now(UTC).date()),
    "action": "question.save",
}
PAGES = (
    "/admin/",
    "/admin/views/",
    "/admin/inbox/",
    "/admin/inbox/?show=unread",
    "/admin/duplicates/",
    "/admin/duplicates/?show=different",
    "/admin/duplicates/likes?stem=What+is+view+7",
    "/admin/questions/?page=1",
    "/admin/questions/unsaved/",
    "/admin/questions/{id}/",
    "/admin/questions/{id}/revisions/",
    "/admin/questions/{id}/revisions/1/",
    "/admin/questions/{id}/comments",
    "/admin/questions/{id}/publish",
    "/admin/questions/{id}/merge?q=view",
    "/admin/answers/new/?search=view",
    "/admin/answers/1/",
    "/admin/tags/1/",
    "/admin/tags/suggest?q=area",
    "/admin/corrections/1/",
    "/admin/decks/1/",
    "/admin/decks/lookup?q=view",
    "/admin/imports/1/",
    "/admin/operations/1/",
    "/admin/accounts/1/",
)


def lists_of(app: Flask) -> Iterator[str]:
    """The addresses of every list: as it is, searched, by each filter and each sorted column."""
    for view in app.extensions["admin"][0]._views:
        if not isinstance(view, TableView):
            continue
        base = f"/admin/{view.url.removeprefix('/admin/').strip('/')}/"
        yield base
        if view.search_hint:
            yield f"{base}?search=view"
        for each in view._filters or ():
            options = [value for value, _ in each.options or ()]
            kept = options if each.param == "queue" else options[:2]
            values = [TYPED[each.param]] if each.param in TYPED else kept
            yield from (f"{base}?{each.param}={value}" for value in values)
        for place, (name, _) in enumerate(view._list_columns):
            if view.is_sortable(name):
                yield f"{base}?sort={place}&desc=1"


@contextmanager
def watched(app: Flask) -> Iterator[list[int]]:
    """Collect, for each statement meanwhile, how many rows the database has for it."""
    rows: list[int] = []

    def note(_connection: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if not statement.lstrip().startswith(("SELECT", "WITH")):
            rows.append(0)
            return
        again = cursor.connection.cursor()
        again.execute(f"SELECT count(*) FROM ({statement}) AS counted", parameters)
        rows.append(again.fetchone()[0])
        whole = "search_text" in statement.partition("FROM")[0]
        assert not whole or rows[-1] <= 1, f"a page of one question reads it whole: {statement}"

    with app.app_context():
        engines = list(db.engines.values())
    for engine in engines:
        event.listen(engine, "after_cursor_execute", note)
    try:
        yield rows
    finally:
        for engine in engines:
            event.remove(engine, "after_cursor_execute", note)


def read(app: Flask, desk: FlaskClient, addresses: list[str]) -> Mapping[str, tuple[int, int]]:
    """Open each page: how many statements it takes, and how many rows they have."""
    found = {}
    for address in addresses:
        with watched(app) as rows:
            assert desk.get(address).status_code == 200, address
        found[address] = len(rows), sum(rows)
    return found


def curated_rows(session: Session) -> int:
    tags, decks = (session.scalar(select(func.count(each.id))) or 0 for each in (Tag, Deck))
    session.rollback()
    return tags + decks


def test_no_page_asks_more_often_or_reads_more_rows_in_a_larger_bank(
    app: Flask, as_role: AsRole, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As many hits are ranked in any bank; here both have more.
    monkeypatch.setattr(search, "RANKED_LIMIT", 100)
    desk = as_role(Role.admin)
    question = make_published(session, "What is a view?")
    me = session.scalars(select(User).where(User.role == Role.admin)).one()
    addresses = [*lists_of(app), *(page.format(id=question.id) for page in PAGES)]
    grow(session, me, range(FEW))
    few, curated = read(app, desk, addresses), curated_rows(session)
    grow(session, me, range(FEW, MANY))
    many, more = read(app, desk, addresses), curated_rows(session) - curated
    assert {at: many[at] for at in addresses if many[at][0] > few[at][0]} == {}, "statements"
    # The tree needs the path of every tag, and its uses the filter of every deck.
    spare = {at: 5 + (more if at.startswith("/admin/tags/") else 0) for at in addresses}
    grown = {at: (few[at], many[at]) for at in addresses if many[at][1] > few[at][1] + spare[at]}
    assert grown == {}
