"""Likely duplicates: pairs of questions to merge, or to tell apart for good."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from flask import flash, redirect, request
from flask.typing import ResponseReturnValue
from flask_admin import expose
from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload

from cms.errors import CmsError
from cms.extensions import db
from cms.models import LikelyDuplicate, User
from cms.services import duplicates
from cms.services.content import LISTED
from cms.services.permissions import may
from cms.vocabulary import Role
from cms.web.admin.base import COUNT_LIMIT, GuardedView, actor, now, transaction

# Characters of a stem that are looked at: no longer one can be saved.
STEM_LIMIT = 2_000
# Pairs of a page: each is two stems that somebody has to read.
SHOWN = 25


class Decision(Protocol):
    """What somebody decides about a pair."""

    def __call__(
        self, session: Session, pair: LikelyDuplicate, *, by: User | None, at: datetime
    ) -> None: ...


class DuplicatesView(GuardedView):
    """The pairs of questions that likely ask the same, the most alike first."""

    roles = {"different": Role.editor, "offer": Role.editor}

    @expose("/")
    def index_view(self) -> ResponseReturnValue:
        """Show the pairs that wait; by `?show=different` those that were told apart. `?page=`."""
        session = db.session()
        different = request.args.get("show") == "different"
        page = _page()
        wanted = duplicates.pairs(different=different)
        counted = wanted.with_only_columns(LikelyDuplicate.first_id).order_by(None)
        pairs = session.scalars(
            wanted.options(
                joinedload(LikelyDuplicate.first).options(LISTED),
                joinedload(LikelyDuplicate.second).options(LISTED),
                joinedload(LikelyDuplicate.different_by),
            )
            .limit(SHOWN)
            .offset(page * SHOWN)
        ).all()
        return self.render(
            "admin/duplicates/list.html",
            pairs=pairs,
            count=session.scalar(
                select(func.count()).select_from(counted.limit(COUNT_LIMIT).subquery())
            ),
            page=page,
            shown=SHOWN,
            different=different,
            editor=may(actor(), Role.editor),
        )

    @expose("/likes")
    def likes(self) -> ResponseReturnValue:
        """Return what reads like `?stem=` as a part of a page; `?question=` is left out."""
        stem = request.args.get("stem", "")[:STEM_LIMIT]
        found = duplicates.alike(
            db.session(), stem, apart_from=_key(request.args.get("question", ""))
        )
        return self.render("admin/duplicates/likes.html", found=found)

    @expose("/<first>-<second>/different", methods=("POST",))
    def different(self, first: str, second: str) -> ResponseReturnValue:
        """Tell two questions apart for good."""
        return self._decide(
            first, second, duplicates.mark_different, "Told apart: they are not offered again."
        )

    @expose("/<first>-<second>/offer", methods=("POST",))
    def offer(self, first: str, second: str) -> ResponseReturnValue:
        """Let two questions be likely duplicates again."""
        return self._decide(first, second, duplicates.offer_again, "Likely duplicates again.")

    def _decide(self, first: str, second: str, verb: Decision, done: str) -> ResponseReturnValue:
        try:
            with transaction() as session:
                pair = duplicates.find_pair(session, _key(first), _key(second))
                verb(session, pair, by=actor(), at=now())
        except CmsError as error:
            flash(str(error), "error")
        else:
            flash(done, "success")
        show = "different" if request.form.get("show") == "different" else None
        return redirect(self.get_url(".index_view", show=show, page=_page() or None), 303)


def _page() -> int:
    """Return the page that an address or a form names; the first one is 0."""
    written = request.values.get("page", "")
    number = int(written) if written.isdecimal() and len(written) < 10 else 0
    return min(number, COUNT_LIMIT // SHOWN)


def _key(written: str) -> int:
    """Return a question's key from an address; 0, which no question has, for anything else."""
    return int(written) if written.isdecimal() and len(written) < 10 else 0
