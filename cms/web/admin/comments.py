"""The threads about a question: a page beside its text, for people of the desk alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import flash, redirect, request
from flask.typing import ResponseReturnValue
from flask_admin import expose
from markupsafe import Markup
from sqlalchemy.exc import IntegrityError

from cms.errors import CmsError, InvalidInput, NotFound
from cms.extensions import db
from cms.markup import render
from cms.models import Comment, Question
from cms.services import comments, people
from cms.text import normalize_text
from cms.web.admin.base import actor, find, now, transaction
from cms.web.admin.editor import EditorPages, opened, rendered
from cms.web.errors import error_page

SHOWN_THREADS = 20
SHOWN_REPLIES = 50
# Threads that the editor's page names; the page of the threads has the rest.
NAMED_THREADS = 3

LOGGED_OUT = (
    "You were logged out, so nothing was said yet. Log in in another tab, "
    "then go back and send your comment again."
)
DELETED = "Somebody deleted this question meanwhile, and with it what was said about it."
CROSSED = "Somebody changed the same thing at this moment. Send it again."


class CommentPages(EditorPages):
    """The part of the questions' pages on which people talk about one."""

    def open_threads(self, question: Question) -> list[Comment]:
        """Return the newest open threads, for the page of the text."""
        return comments.newest_open(db.session(), question, NAMED_THREADS)

    def count_threads(self, question: Question) -> int:
        return comments.count_open(db.session(), question)

    @expose("/<id>/comments", methods=("GET", "POST"))
    def comments(self, id: str) -> ResponseReturnValue:
        """Show the threads, from `?before=` on, or `?thread=` alone; say something in one."""
        question = find(Question, id, "question")
        if request.method != "POST":
            return self._threads(question)
        typed, thread_id = request.form.get("body", ""), request.form.get("thread", "")
        key = question.id
        try:
            with transaction() as session:
                thread = find(Comment, thread_id, "thread") if thread_id else None
                said = comments.post(session, question, typed, thread=thread, by=actor(), at=now())
        except InvalidInput as error:
            return self._threads(question, typed=typed, reply_to=thread_id, problem=str(error))
        except (CmsError, IntegrityError) as error:
            # With a question all that was said about it goes; the error page gives the text back.
            if db.session.get(Question, key) is None:
                raise NotFound(DELETED) from error
            problem = str(error) if isinstance(error, CmsError) else CROSSED
            return self._threads(question, typed=typed, problem=problem)
        flash("Said.", "success")
        return redirect(self.thread_url(said), 303)

    @expose("/<id>/comments/<key>/resolve", methods=("POST",))
    def resolve(self, id: str, key: str) -> ResponseReturnValue:
        return self._settle(id, key, comments.resolve, "Resolved; the thread folds, and stays.")

    @expose("/<id>/comments/<key>/reopen", methods=("POST",))
    def reopen(self, id: str, key: str) -> ResponseReturnValue:
        return self._settle(id, key, comments.reopen, "The thread is open again.")

    def thread_url(self, comment: Comment) -> str:
        """Return the address of a comment in its thread."""
        return thread_url(self, comment)

    def _settle(
        self, id: str, key: str, verb: Callable[..., None], done: str
    ) -> ResponseReturnValue:
        question = find(Question, id, "question")
        thread = find(Comment, key, "thread")
        if thread.question_id == question.id:
            self.attempt(verb, thread, done)
        else:
            flash("This question has no such thread.", "error")
        return redirect(self.get_url(".comments", id=question.id), 303)

    def _threads(
        self, question: Question, *, typed: str = "", reply_to: str = "", problem: str = ""
    ) -> str:
        """Show the page; what was refused stands in its form again."""
        session = db.session()
        before = _key(request.args.get("before", ""))
        alone = _key(reply_to if problem else request.args.get("thread", ""))
        shown: list[comments.Thread]
        if alone is not None:
            shown = [
                comments.thread_of(session, question, alone, before=before, replies=SHOWN_REPLIES)
            ]
        else:
            shown = comments.threads(
                session,
                question,
                before=before,
                limit=SHOWN_THREADS + 1,
                replies=SHOWN_REPLIES,
            )
        return self.render(
            "admin/questions/comments.html",
            question=question,
            threads=shown[:SHOWN_THREADS],
            more=len(shown) > SHOWN_THREADS,
            alone=alone is not None,
            before=before,
            open_count=comments.count_open(session, question),
            html_of=_html_of,
            typed=normalize_text(typed),
            reply_to=reply_to,
            problem=problem,
            limit=comments.COMMENT_LIMIT,
            names=people.active_names(session),
            rendered=rendered(opened(question)),
        )

    def ask_to_log_in(self) -> ResponseReturnValue:
        """Ask for a log-in; a comment that was sent is given back to be copied."""
        if request.method == "POST" and str(request.endpoint).endswith(".comments"):
            return error_page(401, LOGGED_OUT)
        return super().ask_to_log_in()


def thread_url(view: Any, comment: Comment) -> str:
    """Return the address of a comment in its thread, whatever page that is on."""
    url = view.get_url(
        "desk_questions.comments",
        id=comment.question_id,
        thread=comment.thread_id or comment.id,
    )
    return f"{url}#comment-{comment.id}"


def _html_of(comment: Comment) -> Markup:
    """Return a comment's Markdown as safe HTML, or its text where that cannot be rendered."""
    try:
        return Markup(render(comment.body, anchor=f"comment-{comment.id}"))  # noqa: S704
    except ValueError:
        return Markup("<pre>{}</pre>").format(comment.body)


def _key(written: str) -> int | None:
    """Return a key from an address; None for anything else, which shows the first page."""
    return int(written) if written.isdecimal() and len(written) < 10 else None
