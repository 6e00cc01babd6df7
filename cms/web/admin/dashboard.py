"""The desk's first page: what waits, what happened, and where an empty bank begins."""

from __future__ import annotations

from flask.typing import ResponseReturnValue
from flask_admin import AdminIndexView, BaseView, expose
from sqlalchemy import exists, select

from cms.extensions import db
from cms.models import Question
from cms.services.permissions import may
from cms.vocabulary import Role
from cms.web.admin.base import GuardedView, actor
from cms.web.admin.lately import lately
from cms.web.admin.navigation import queue_entries


class Dashboard(GuardedView, AdminIndexView):
    """The index of the desk."""

    def __init__(self) -> None:
        # Past AdminIndexView, which would serve Flask-Admin's own style sheets and scripts.
        BaseView.__init__(self, name="Dashboard", endpoint="admin", url="/admin")

    @expose("/")
    def index(self) -> ResponseReturnValue:
        session = db.session()
        return self.render(
            "admin/dashboard.html",
            empty=not session.scalar(select(exists().select_from(Question))),
            waiting=queue_entries(session, actor()),
            lately=lately(session),
            editor=may(actor(), Role.editor),
        )
