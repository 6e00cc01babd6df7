"""The accounts: who may log in. Nobody sets another's password: a link does, once."""

from __future__ import annotations

from typing import Any

from flask import flash, redirect, request
from flask.typing import ResponseReturnValue
from flask_admin import expose
from flask_admin.form import BaseForm
from sqlalchemy import Select
from sqlalchemy.orm import Session
from wtforms import SelectField, StringField

from cms.errors import CmsError, InvalidInput
from cms.models import User
from cms.services import accounts
from cms.text import normalize_line
from cms.vocabulary import Role
from cms.web.admin.base import (
    ListFilter,
    TableView,
    actor,
    find,
    now,
    put_beside,
    transaction,
)

ROLES = {
    Role.contributor: "contributor: writes drafts, files corrections",
    Role.editor: "editor: decides and publishes",
    Role.admin: "admin: also manages accounts",
}


class NewAccountForm(BaseForm):
    name = StringField("Name", description="2 to 64 characters; it signs what the person does.")
    role = SelectField("Role", choices=[(role.value, words) for role, words in ROLES.items()])


class AccountsView(TableView):
    """Every account, disabled ones too: history keeps its authors."""

    title = "Accounts"
    noun = "account"
    role = Role.admin
    search_hint = "Search names"
    list_template = "admin/accounts/list.html"
    can_create = True
    column_list = ("name", "role", "state", "last_login_at", "created_at")
    column_labels = {"last_login_at": "Last log-in", "created_at": "Made"}
    column_sortable_list = (("name", User.name_key),)
    column_filters = (
        ListFilter(
            "role",
            "Role",
            lambda value: User.role == Role(value),
            [(role.value, role.value) for role in Role],
        ),
    )

    def search(self, query: Select[Any], words: str) -> Select[Any]:
        return query.where(User.name_key.contains(words.casefold(), autoescape=True))

    def default_order(self, _search: str | None) -> list[Any]:
        return [User.name_key]

    @expose("/new/", methods=("GET", "POST"))
    def create_view(self) -> ResponseReturnValue:
        form = NewAccountForm(request.form if request.method == "POST" else None)
        problems: list[str] = []
        if request.method == "POST" and form.validate():
            try:
                with transaction() as session:
                    user = accounts.add_user(
                        session, form.name.data or "", Role(form.role.data), by=actor(), at=now()
                    )
                    token = accounts.issue_link(session, user, by=actor(), at=now())
            except InvalidInput as error:
                problems = put_beside(form, error)
            else:
                return self._show_link(user, token)
        return self.render("admin/accounts/new.html", form=form, row=None, problems=problems)

    @expose("/<id>/")
    def details_view(self, id: str) -> ResponseReturnValue:
        return self.render(
            "admin/accounts/details.html", user=find(User, id, "account"), roles=ROLES
        )

    @expose("/<id>/role", methods=("POST",))
    def set_role(self, id: str) -> ResponseReturnValue:
        written = normalize_line(request.form.get("role", ""))
        if written not in Role.__members__:
            raise InvalidInput("There is no such role.", field="role")

        def set_role(session: Session, user: User, **who: Any) -> None:
            accounts.set_role(session, user, Role(written), **who)

        return self._do(id, set_role, f"The role is {written} now.")

    @expose("/<id>/disable", methods=("POST",))
    def disable(self, id: str) -> ResponseReturnValue:
        return self._do(id, accounts.disable, "Disabled, and logged out everywhere.")

    @expose("/<id>/enable", methods=("POST",))
    def enable(self, id: str) -> ResponseReturnValue:
        return self._do(id, accounts.enable, "Enabled, with the password it had.")

    @expose("/<id>/link", methods=("POST",))
    def link(self, id: str) -> ResponseReturnValue:
        user = find(User, id, "account")
        try:
            with transaction() as session:
                token = accounts.issue_link(session, user, by=actor(), at=now())
        except CmsError as error:
            flash(str(error), "error")
            return redirect(self.get_url(".details_view", id=id), 303)
        return self._show_link(user, token)

    def _show_link(self, user: User, token: str) -> ResponseReturnValue:
        """Show the link on this one page: it is kept nowhere, not even in the browser's session."""
        link = self.get_url("auth.link", token=token, _external=True)
        return self.render("admin/accounts/link.html", user=user, link=link)

    def _do(self, id: str, verb: Any, done: str) -> ResponseReturnValue:
        user = find(User, id, "account")
        try:
            with transaction() as session:
                verb(session, user, by=actor(), at=now())
        except CmsError as error:
            flash(str(error), "error")
        else:
            flash(done, "success")
        return redirect(self.get_url(".details_view", id=id), 303)
