"""Text that is not saved yet: kept while it is typed, listed, brought back, discarded.

And what becomes of it when the log-in went away under the form.
"""

from __future__ import annotations

from typing import Any

from flask import flash, redirect, request
from flask.typing import ResponseReturnValue
from flask_admin import expose
from flask_login import current_user
from flask_wtf.csrf import CSRFError

from cms.errors import NotFound
from cms.extensions import db
from cms.models import Question
from cms.services import autosaves
from cms.services.content import content_of
from cms.web.admin.base import actor, find, now, transaction, way_back
from cms.web.admin.conflicting import catch_up
from cms.web.admin.editor import EditorPages, posted
from cms.web.admin.kept import form_of
from cms.web.admin.texts import readable, says_the_same
from cms.web.errors import STALE_FORM, error_page

# What pages of the editor ask for by themselves: an answer for a script, never a page.
_ASKED_BY_SCRIPTS = (".autosave", ".autosave_new", ".presence", ".leave", ".check_source")


class UnsavedPages(EditorPages):
    """The pages of text that is not saved, around the editor's own."""

    @expose("/<id>/autosave", methods=("POST",))
    def autosave(self, id: str) -> ResponseReturnValue:
        return self._keep(find(Question, id, "question"))

    @expose("/new/autosave", methods=("POST",))
    def autosave_new(self) -> ResponseReturnValue:
        return self._keep(None)

    def _keep(self, question: Question | None) -> ResponseReturnValue:
        """Keep what is typed, for the account that opened the form and for no other."""
        if request.form.get("writer") != str(actor().id):
            return {"error": "Another account opened this form; its text is not yours."}, 409
        form, at = posted(), now()
        same = question is not None and says_the_same(readable(content_of(question)), form)
        with transaction() as session:
            if same:
                autosaves.drop(session, actor(), form.form_id)
                return {"kept_at": None}
            autosaves.keep(
                session,
                actor(),
                question,
                form_id=form.form_id,
                version=form.begun if question else 0,
                fields=form.pairs(),
                at=at,
            )
        return {"kept_at": at.isoformat()}

    @expose("/unsaved/")
    def unsaved_texts(self) -> ResponseReturnValue:
        rows = autosaves.mine(db.session(), actor(), autosaves.KEPT_TEXTS)
        return self.render(
            "admin/questions/unsaved.html",
            rows=[(kept, question, form_of(kept)) for kept, question in rows],
            days=autosaves.KEPT_FOR.days,
        )

    @expose("/unsaved/<key>/open", methods=("POST",))
    def bring_back(self, key: str) -> ResponseReturnValue:
        """Show a kept text in its form; beside theirs, where somebody saved since."""
        kept = autosaves.find(db.session(), actor(), _key(key))
        question = db.session.get(Question, kept.question_id) if kept.question_id else None
        form = form_of(kept)
        if question is not None and form.seen_number < question.latest_number:
            catch_up(question, form)
        return self.reopened(question, form)

    @expose("/unsaved/<key>/discard", methods=("POST",))
    def discard(self, key: str) -> ResponseReturnValue:
        with transaction() as session:
            kept = autosaves.find(session, actor(), _key(key))
            question_id = kept.question_id
            autosaves.drop(session, actor(), kept.form_id)
        flash("Discarded.", "success")
        if question_id is None:
            return redirect(way_back() or self.get_url(".create_view"), 303)
        return redirect(way_back() or self.get_url(".edit_view", id=question_id), 303)

    # --- when the log-in went away under the form ----------------------------------------

    def create_blueprint(self, admin: Any) -> Any:
        blueprint = super().create_blueprint(admin)
        blueprint.register_error_handler(CSRFError, self._renewed)
        return blueprint

    def ask_to_log_in(self) -> ResponseReturnValue:
        """Ask for a log-in; a form that was posted waits on the page with all its text."""
        if _is_for_a_script():
            return {"error": "You are logged out."}, 401
        if not _is_form_post():
            return super().ask_to_log_in()
        return self.render(
            "admin/questions/logged_out.html", form=posted(), here=request.full_path.rstrip("?")
        ), 401

    def _renewed(self, _error: CSRFError) -> ResponseReturnValue:
        """Show the form again with a fresh token: the session changed since it was opened."""
        if not current_user.is_authenticated and (_is_form_post() or _is_for_a_script()):
            return self.ask_to_log_in()
        if not _is_form_post():
            return error_page(400, STALE_FORM)
        id = (request.view_args or {}).get("id")
        try:
            question = find(Question, id, "question") if id is not None else None
        except NotFound:
            # Nothing to show the form for; the error page gives the typed text back.
            return error_page(400, STALE_FORM)
        form = posted()
        form.errors[""] = (
            "Your log-in was renewed since this form was opened. Nothing was saved yet and "
            "nothing is lost: look at the text and save again."
        )
        return self.reopened(question, form), 400


def _is_form_post() -> bool:
    return request.method == "POST" and str(request.endpoint).endswith(
        (".create_view", ".edit_view")
    )


def _is_for_a_script() -> bool:
    return str(request.endpoint).endswith(_ASKED_BY_SCRIPTS)


def _key(written: str) -> int:
    return int(written) if written.isdecimal() and len(written) < 10 else 0
