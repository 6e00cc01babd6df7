"""Merging a tag at the desk: name the other one, see what becomes of what, then merge."""

from __future__ import annotations

from flask import flash, redirect, request
from flask.typing import ResponseReturnValue
from flask_admin import expose
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from cms.errors import CmsError, NotFound
from cms.extensions import db
from cms.models import Tag
from cms.services.aliases import current_paths
from cms.services.tagmerging import BUSY, Foresight, foresee_merge, merge_tag
from cms.text import normalize_line
from cms.vocabulary import Role
from cms.web.admin.base import GuardedView, actor, find, now, transaction


class TagMergePages(GuardedView):
    """The page on which a tag is merged into another."""

    roles = {"merge": Role.editor}

    @expose("/<id>/merge", methods=("GET", "POST"))
    def merge(self, id: str) -> ResponseReturnValue:
        """Name the survivor and see what would happen (`?into=<path>`), then merge."""
        tag = find(Tag, id, "tag")
        if request.method != "POST":
            return self._merge_page(tag)
        into = find(Tag, request.form.get("survivor", ""), "tag")
        old, path = tag.slug, into.slug
        problem: str
        try:
            with transaction() as session:
                release = merge_tag(session, tag, into, by=actor(), at=now())
        except NotFound:
            raise
        except CmsError as error:
            problem = str(error)
        except IntegrityError:
            problem = BUSY
        else:
            seen = f"Readers see it in release {release}." if release else "Readers see no change."
            flash(f"Merged ‘{old}’ into ‘{path}’. {seen}", "success")
            return redirect(self.get_url(".edit_view", id=into.id), 303)
        return self._merge_page(tag, into, problem=problem)

    def _merge_page(self, tag: Tag, into: Tag | None = None, problem: str = "") -> str:
        typed = normalize_line(request.args.get("into", ""))[:200].casefold().strip("/")
        foresight: Foresight | None = None
        try:
            if into is None and typed:
                into = _named(typed)
            if into is not None:
                foresight = foresee_merge(db.session(), tag, into)
        except CmsError as error:
            problem = problem or str(error)
        return self.render(
            "admin/tags/merge.html",
            row=tag,
            into=into,
            typed=into.slug if into else typed,
            foresight=foresight,
            problem=problem,
        )


def _named(typed: str) -> Tag:
    """Return the tag with a path.

    :raises NotFound: when there is none
    """
    path = current_paths(db.session(), [typed])[typed]
    tag = db.session.scalar(select(Tag).where(Tag.slug == path))
    if tag is None:
        raise NotFound(
            f"There is no tag ‘{typed}’. Choose one that is there; to call this one "
            "something else, change its path instead."
        )
    return tag
