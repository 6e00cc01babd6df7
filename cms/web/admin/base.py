"""What every page of the desk shares: the gate, the frame, the list.

A form that is refused is shown again with status 200, as Flask-Admin does: a
browser reports any other status of a page as an error of the page.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from flask import abort, current_app, flash, request
from flask.typing import ResponseReturnValue
from flask_admin import BaseView
from flask_admin.contrib.sqla import ModelView
from flask_admin.form import BaseForm
from flask_admin.model.filters import BaseFilter
from flask_login import current_user
from sqlalchemy import ColumnElement, Select, func, literal_column, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict

from cms.errors import CmsError, InvalidContent, InvalidInput, NotFound
from cms.extensions import db, login
from cms.models import Base, Question, User
from cms.services.permissions import may
from cms.services.search import matches
from cms.text import normalize_line
from cms.vocabulary import Role
from cms.web.admin.navigation import sections
from cms.web.auth import safe_next
from cms.web.errors import error_page

PAGE_SIZE = 50
# A list counts and pages this far; narrower filters reach the rest.
COUNT_LIMIT = 10_001
# Fields of small forms that hold somebody's words. The larger forms have pages of their own.
WRITTEN = ("reason", "summary", "description")
LOGGED_OUT = (
    "Your log-in ended, so nothing was done. Log in again in another tab, go back to this form "
    "and send it again; or copy what you wrote."
)
# The largest key of both databases: a larger number in an address names nothing.
_KEY_LIMIT = 2**31 - 1

Row = Any

_whole: ContextVar[bool] = ContextVar("whole", default=False)


def actor() -> User:
    """Return the account that is logged in; views are only reached with one."""
    user = current_user._get_current_object()
    assert isinstance(user, User)
    return user


def now() -> datetime:
    return datetime.now(UTC)


@contextlib.contextmanager
def transaction() -> Iterator[Session]:
    """Commit what the services did inside, or undo all of it when one refuses."""
    session: Session = db.session()
    try:
        yield session
        session.commit()
    except BaseException:
        session.rollback()
        raise


def way_back() -> str | None:
    """Return where `url` of this request wants to go on to: a path of this site, or nowhere.

    Flask-Admin's own check lets 'http:example.com' pass, and fails where `url` is no address.
    """
    return safe_next(request.values.get("url", ""))


def find(model: type[Row], key: int | str, words: str) -> Row:
    """Return a row by its key from an address.

    :raises NotFound: with `words` for what is missing ('question')
    """
    number = int(key) if str(key).isdecimal() and len(str(key)) < 12 else 0
    row = db.session.get(model, number) if 0 < number <= _KEY_LIMIT else None
    if row is None:
        raise NotFound(f"There is no such {words}. It may have been deleted.")
    return row


def hits(words: str) -> Select[Any]:
    """Return a select of the ids of questions that have `words`, the newest `COUNT_LIMIT` of them.

    It is read once and first: else PostgreSQL walks a whole table in the order of its list.
    """
    found = matches(db.session(), Question, words)
    if not _whole.get():
        found = found.order_by(literal_column("id").desc()).limit(COUNT_LIMIT)
    read_first = found.cte("hits").prefix_with("MATERIALIZED")
    return select(read_first.c.id)


class GuardedView(BaseView):
    """A view behind the log-in. `role` opens it; `roles` asks more for single pages.

    A view that is put together from several has the `roles` of all of them.
    """

    role = Role.contributor
    roles: Mapping[str, Role] = {}

    def allows(self, page: str) -> bool:
        """Whether whoever is logged in may use the view function `page`."""
        asked = [vars(each).get("roles", {}).get(page) for each in type(self).__mro__]
        return all(may(actor(), role) for role in (self.role, *asked) if role is not None)

    def is_accessible(self) -> bool:
        return bool(current_user.is_authenticated) and self.allows("")

    def _handle_view(self, name: str, **_: Any) -> ResponseReturnValue | None:
        if not current_user.is_authenticated:
            return self.ask_to_log_in()
        if not self.allows(name):
            abort(403)
        return None

    def ask_to_log_in(self) -> ResponseReturnValue:
        """Ask for a log-in; what somebody wrote into a form is given back to be copied."""
        if request.method == "POST" and any(request.form.get(each, "").strip() for each in WRITTEN):
            return error_page(401, LOGGED_OUT)
        response: ResponseReturnValue = login.unauthorized()
        return response

    def _run_view(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        # Flask-Admin's own retries on TypeError, which hides the real error.
        return fn(self, *args, **kwargs)

    def render(self, template: str, **kwargs: Any) -> str:
        if current_user.is_authenticated:
            kwargs.update(sections=sections(db.session(), actor()), me=actor())
        html: str = super().render(template, **kwargs)
        return html


class ListFilter(BaseFilter):
    """A filter of a list: one control of a plain form, `?<param>=<value>` in the address.

    `condition` makes the WHERE from the value; `options` are (value, words)
    pairs, or None for a field that is typed in, whose `kind` is that of HTML
    and whose `hint` stands in it while it is empty.
    `quiet` ones come by a link alone: their field is there only while they are
    in effect. `folded` ones stand behind 'More filters'.
    """

    kind = "text"
    hint = ""

    def __init__(
        self,
        param: str,
        label: str,
        condition: Callable[[str], ColumnElement[bool]],
        options: Sequence[tuple[str, str]] | None = None,
        *,
        quiet: bool = False,
        folded: bool = False,
    ) -> None:
        super().__init__(label, options=list(options) if options else None)
        self.param = param
        self.quiet = quiet
        self.folded = folded
        self.condition = condition

    def operation(self) -> str:
        return "is"

    def choices(self) -> Sequence[tuple[str, str]]:
        """Return what there is to choose from; nothing where the value is typed."""
        return self.options or ()

    def validate(self, value: str) -> bool:
        return not self.options or value in dict(self.options)

    def refusal(self, value: str) -> str:
        """Return what is wrong with a value that is not valid, as a sentence."""
        return f"There is no {self.name.lower()} ‘{value}’."

    def apply(self, query: Select[Any], value: str) -> Select[Any]:
        return query.where(self.condition(value))


class TableView(GuardedView, ModelView):
    """A table of the bank: list with search, filters, sort and pages; every write is a service's.

    Flask-Admin's doors that would write past the services, or read the whole
    table, do not exist here.
    """

    export = None
    ajax_lookup = None
    ajax_update = None
    create_view = None
    edit_view = None
    details_view = None
    delete_view = None
    action_view = None
    action_delete = None

    can_create = False
    can_edit = False
    can_delete = False
    can_export = False
    page_size = PAGE_SIZE
    column_auto_select_related = False
    named_filter_urls = True
    form = BaseForm
    list_template = "admin/list.html"

    title = ""
    """The list's heading."""
    noun = "row"
    """What one row is called in messages."""
    search_hint = ""
    """What the search box looks in; empty for no search."""
    loading: Sequence[Any] = ()
    """Loader options of the list: bounded queries, no bodies."""

    def __init__(self, model: type[Base], endpoint: str, url: str) -> None:
        super().__init__(model, db, name=self.title, endpoint=endpoint, url=url)

    def init_search(self) -> bool:
        return bool(self.search_hint)

    def rows(self) -> Select[Any]:
        """Return what the list lists."""
        return select(self.model)

    def search(self, query: Select[Any], words: str) -> Select[Any]:
        """Narrow the list to the rows that `words` find."""
        raise NotImplementedError

    def get_list(
        self,
        page: int | None,
        sort_column: Any,
        sort_desc: bool,
        search: str | None,
        filters: Sequence[tuple[int, str, str]] | None,
        **_: Any,
    ) -> tuple[int, list[Row]]:
        """Return the count, at most `COUNT_LIMIT`, and one page of rows."""
        key = self.model.id
        matching = self.matching(search, [(index, value) for index, _, value in filters or ()])
        counted = matching.with_only_columns(key).limit(COUNT_LIMIT).subquery()
        count = db.session.scalar(select(func.count()).select_from(counted)) or 0
        column = self._sortable_columns.get(sort_column)
        order = (
            self.default_order(search)
            if column is None
            else [column.desc() if sort_desc else column, key.desc() if sort_desc else key]
        )
        statement = (
            matching.options(*self.loading)
            .order_by(*order)
            .limit(PAGE_SIZE)
            .offset((page or 0) * PAGE_SIZE)
        )
        return count, list(db.session.scalars(statement))

    def matching(self, search: str | None, filters: Iterable[tuple[int, str]]) -> Select[Any]:
        """Return what a search and (index, value) pairs of filters find."""
        found = self.rows()
        if self._search_supported and search:
            found = self.search(found, search)
        for index, value in filters:
            found = self._filters[index].apply(found, value)
        return found

    def whole(self) -> Select[Any]:
        """Return what the list of this address lists, on all its pages and beyond its count.

        :raises InvalidInput: when a filter has a value that a list would only warn of
        """
        search, filters = self.typed(request.args)
        for index, value in filters:
            if not self._filters[index].validate(value):
                raise InvalidInput(self._filters[index].refusal(value))
        token = _whole.set(True)
        try:
            return self.matching(search, filters)
        finally:
            _whole.reset(token)

    def address(self) -> dict[str, str]:
        """Return the search and the filters of this address, as they stand in it."""
        search, typed = self.typed(request.args)
        filters = {self._filters[index].param: value for index, value in typed}
        return {"search": search, **filters} if search else filters

    def typed(self, args: MultiDict[str, str]) -> tuple[str | None, list[tuple[int, str]]]:
        """Return the search and the (index, value) pairs of filters that an address has."""
        search = normalize_line(args.get("search", ""))[:200]
        filters = [
            (index, value)
            for index, each in enumerate(self._filters or ())
            if (value := normalize_line(args.get(each.param, ""))[:200])
        ]
        return search or None, filters

    def default_order(self, _search: str | None) -> list[Any]:
        """The order of a list that nobody sorted: the newest first."""
        return [self.model.id.desc()]

    # --- the list's address: ?search=&<filter>=&sort=&desc=&page= ---------------

    def get_filter_arg(self, _index: int, flt: ListFilter) -> str:
        return flt.param

    def _get_list_filter_args(self) -> list[tuple[int, str, str]]:
        found = []
        for index, value in self.typed(request.args)[1]:
            if self._filters[index].validate(value):
                found.append((index, self._filters[index].name, value))
            else:
                refusal = self._filters[index].refusal(value)
                flash(f"{refusal[:-1]}; it was ignored.", "error")
        return found

    def _get_list_extra_args(self) -> Any:
        args = super()._get_list_extra_args()
        args.page = min(max(args.page or 0, 0), COUNT_LIMIT // PAGE_SIZE)
        args.search, _ = self.typed(request.args)
        args.extra_args = {}
        return args

    def _get_filters(self, filters: Iterable[tuple[int, str, str]] | None) -> dict[str, str]:
        return {self._filters[index].param: value for index, _, value in filters or ()}

    def _get_list_url(self, view_args: Any) -> str:
        url: str = self.get_url(
            ".index_view",
            search=view_args.search or None,
            **self._get_filters(view_args.filters),
            sort=view_args.sort,
            desc=1 if view_args.sort_desc else None,
            page=view_args.page or None,
        )
        return url

    # --- errors ------------------------------------------------------------------

    def handle_view_exception(self, exc: Exception) -> bool:
        """Say what a person can mend; never show a database's words."""
        if isinstance(exc, CmsError):
            flash(str(exc), "error")
            return True
        if isinstance(exc, IntegrityError):
            current_app.logger.warning("A write met another one: %s", exc.orig)
            flash("Somebody changed the same thing at this moment. Try again.", "error")
            return True
        raise exc


def put_beside(form: BaseForm, error: InvalidInput) -> list[str]:
    """Put an error's messages beside the fields they name; return those without a field."""
    faults = error.faults if isinstance(error, InvalidContent) else [(error.field, str(error))]
    loose = []
    for path, problem in faults:
        if path and path in form:
            form[path].errors = [*form[path].errors, problem]
        else:
            loose.append(problem)
    return loose
