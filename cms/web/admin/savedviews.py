"""Saved views: lists as somebody filtered and sorted them, kept under names of theirs.

An address is kept in one canonical form: what the list knows of it alone, and
no page number. A filter whose value is gone since is the list's to tell of.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode

from flask import Flask, current_app, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose
from sqlalchemy import Select
from sqlalchemy.orm import Session

from cms.errors import InvalidInput, NotFound
from cms.extensions import db
from cms.models import SavedView
from cms.services import queues, savedviews
from cms.text import normalize_line
from cms.web.admin.base import GuardedView, ListFilter, TableView, actor, now, transaction
from cms.web.admin.navigation import own_views, view_url

# Views of the dashboard: each costs a query.
COUNTED_VIEWS = 20

GONE = "This list does not exist any more, or your role does not open it."


@dataclass(frozen=True, slots=True)
class CountedView:
    """A view as the dashboard shows it; `count` is None where counting may read a large bank."""

    view: SavedView
    url: str
    words: str
    count: int | None

    @property
    def shown_count(self) -> str:
        return f"{queues.COUNTED - 1}+" if self.count == queues.COUNTED else str(self.count)


@dataclass(frozen=True, slots=True)
class Savable:
    """What a list in effect can be saved as: a new view, or one of these `others` of this list.

    `current` is the view that shows just this.
    """

    page: str
    query: str
    current: SavedView | None
    others: Sequence[SavedView]


@dataclass(frozen=True, slots=True)
class Refused:
    """A name that was typed and cannot be; `key` is of the view that was to have it."""

    message: str
    name: str
    key: int | None = None


def init_saved_views(app: Flask) -> None:
    """Install what the templates of lists ask for."""
    app.add_template_global(savable)


def lists() -> dict[str, TableView]:
    """Return the lists that whoever is logged in may open, by endpoint."""
    views = current_app.extensions["admin"][0]._views
    return {
        view.endpoint: view
        for view in views
        if isinstance(view, TableView) and view.is_accessible()
    }


# --- addresses ---------------------------------------------------------------------------


def canonical(table: TableView, args: Mapping[str, str]) -> str:
    """Return the search, the valid filters and the order of an address, always in one order."""
    kept: dict[str, str] = {}
    search = normalize_line(args.get("search", ""))[:200]
    if search and table._search_supported:
        kept["search"] = search
    kept |= {each.param: value for _, each, value in _filters(table, args) if each.validate(value)}
    if (column := _sorted_by(table, args)) is not None:
        kept["sort"] = str(column)
        if args.get("desc", "") not in {"", "0"}:
            kept["desc"] = "1"
    return urlencode(kept)


def in_words(table: TableView, query: str) -> str:
    """Return what a canonical address selects, as a line: 'Status in review, tag flask'."""
    args = dict(parse_qsl(query))
    said = [f"‘{args['search']}’"] if "search" in args else []
    for _, each, value in _filters(table, args):
        said.append(f"{each.name.lower()} {dict(each.choices()).get(value, value)}")
    if (column := _sorted_by(table, args)) is not None:
        order = "descending" if "desc" in args else "ascending"
        said.append(f"by {table._list_columns[column][1].lower()}, {order}")
    words = "; ".join(said)
    return words[:1].upper() + words[1:]


def _filters(table: TableView, args: Mapping[str, str]) -> Iterator[tuple[int, ListFilter, str]]:
    for index, each in enumerate(table._filters or ()):
        if value := normalize_line(args.get(each.param, ""))[:200]:
            yield index, each, value


def _sorted_by(table: TableView, args: Mapping[str, str]) -> int | None:
    """Return the number of the column by which an address sorts, if the list can."""
    written = args.get("sort", "")
    column = int(written) if written.isdecimal() and len(written) < 4 else -1
    if not 0 <= column < len(table._list_columns):
        return None
    return column if table.is_sortable(table._list_columns[column][0]) else None


def selected(table: TableView, query: str) -> Select[tuple[int]]:
    """Return a select of the keys of what a canonical address lists."""
    args = dict(parse_qsl(query))
    valid = [(index, value) for index, each, value in _filters(table, args) if each.validate(value)]
    return table.matching(args.get("search"), valid).with_only_columns(table.model.id)


def savable(table: TableView) -> Savable | None:
    """Return what can be saved of the list that is shown; nothing of one that shows all."""
    query = canonical(table, request.args)
    if not query:
        return None
    own = [view for view in own_views(db.session(), actor()) if view.page == table.endpoint]
    current = next((view for view in own if view.query == query), None)
    others = [view for view in own if view is not current]
    return Savable(table.endpoint, query, current, others)


def counted_views(session: Session, *, counting: bool) -> list[CountedView]:
    """Return the first views of whoever is logged in, each with its length where `counting`."""
    known = lists()
    found: list[CountedView] = []
    for view in own_views(session, actor()):
        if len(found) == COUNTED_VIEWS:
            break
        if table := known.get(view.page):
            count = queues.capped(session, selected(table, view.query)) if counting else None
            words = f"{table.title}: {in_words(table, view.query)}"
            found.append(CountedView(view, view_url(view), words, count))
    return found


# --- pages -------------------------------------------------------------------------------


class SavedViewsView(GuardedView):
    """The views of whoever is logged in: saved from their lists, renamed and deleted here."""

    def __init__(self) -> None:
        super().__init__(name="My views", endpoint="desk_views", url="views")

    @expose("/")
    def index_view(self) -> ResponseReturnValue:
        return self._page()

    @expose("/save", methods=("POST",))
    def save(self) -> ResponseReturnValue:
        """Save the list `page` with the address `query` under `name`."""
        table, query = self._posted()
        name = request.form.get("name", "")
        try:
            with transaction() as session:
                view = savedviews.save_view(
                    session, name, page=table.endpoint, query=query, by=actor(), at=now()
                )
        except InvalidInput as error:
            return self.render(
                "admin/views/new.html",
                page=table.endpoint,
                query=query,
                url=_url(table, query),
                words=f"{table.title}: {in_words(table, query)}" if query else table.title,
                refused=Refused(str(error), name),
            )
        flash(f"Saved as ‘{view.name}’. It is among your views now.", "success")
        return redirect(_url(table, query), 303)

    @expose("/update", methods=("POST",))
    def update(self) -> ResponseReturnValue:
        """Let the view `key` show what the list `page` shows with the address `query`."""
        table, query = self._posted()
        try:
            with transaction() as session:
                view = savedviews.find_view(session, actor(), _key(request.form.get("key", "")))
                if view.page != table.endpoint:
                    raise InvalidInput(f"‘{view.name}’ is a view of another list.")
                savedviews.redefine_view(session, view, query, by=actor())
                name = view.name
        except (InvalidInput, NotFound) as error:
            flash(str(error), "error")
        else:
            flash(f"‘{name}’ shows this from now on.", "success")
        return redirect(_url(table, query), 303)

    @expose("/<key>/rename", methods=("POST",))
    def rename(self, key: str) -> ResponseReturnValue:
        name = request.form.get("name", "")
        try:
            with transaction() as session:
                view = savedviews.find_view(session, actor(), _key(key))
                savedviews.rename_view(session, view, name, by=actor())
        except InvalidInput as error:
            return self._page(Refused(str(error), name, _key(key)))
        flash("Renamed.", "success")
        return redirect(self.get_url(".index_view"), 303)

    @expose("/<key>/delete", methods=("POST",))
    def delete(self, key: str) -> ResponseReturnValue:
        with transaction() as session:
            view = savedviews.find_view(session, actor(), _key(key))
            name = view.name
            savedviews.delete_view(session, view, by=actor())
        flash(f"Deleted the view ‘{name}’. What it listed stays.", "success")
        return redirect(self.get_url(".index_view"), 303)

    def _page(self, refused: Refused | None = None) -> str:
        known = lists()
        rows = [
            (
                view,
                view_url(view) if view.page in known else None,
                known[view.page].title if view.page in known else "",
                in_words(known[view.page], view.query) if view.page in known else GONE,
            )
            for view in own_views(db.session(), actor())
        ]
        return self.render("admin/views/list.html", rows=rows, refused=refused)

    def _posted(self) -> tuple[TableView, str]:
        """Return the list that a form names, and its address in canonical form.

        :raises NotFound: when there is no such list for whoever is logged in
        """
        table = lists().get(request.form.get("page", ""))
        if table is None:
            raise NotFound(GONE)
        return table, canonical(table, dict(parse_qsl(request.form.get("query", "")[:20_000])))


def _url(table: TableView, query: str) -> str:
    url = url_for(f"{table.endpoint}.index_view")
    return f"{url}?{query}" if query else url


def _key(written: str) -> int:
    """Return a view's key from an address; 0, which none has, for anything else."""
    return int(written) if written.isdecimal() and len(written) < 10 else 0
