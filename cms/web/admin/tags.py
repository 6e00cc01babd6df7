"""The tags: a tree by path, changed through the service that moves descendants and redirects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import Response, abort, flash, g, jsonify, redirect, request
from flask.typing import ResponseReturnValue
from flask_admin import expose
from flask_admin.form import BaseForm
from sqlalchemy import ColumnElement, Select, func, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from wtforms import StringField, TextAreaField

from cms.errors import CmsError, InvalidInput
from cms.extensions import db
from cms.models import Tag, TagAlias, question_tag
from cms.services import tags, tagtree
from cms.services.permissions import may
from cms.text import normalize_line
from cms.vocabulary import Role
from cms.web.admin.base import (
    COUNT_LIMIT,
    ListFilter,
    Row,
    actor,
    find,
    now,
    put_beside,
    transaction,
)
from cms.web.admin.exports import ExportedList
from cms.web.admin.tagmerging import TagMergePages
from cms.web.pages import count_of

# How many tags a field that is typed in gets to choose from.
SUGGESTED = 20
# Unused tags that one confirmation deletes.
DELETED = 1_000
# How many questions have a tag itself, for lists that are sorted by it.
OWN = (
    select(func.count())
    .select_from(question_tag)
    .where(question_tag.c.tag_id == Tag.id)
    .correlate(Tag)
    .scalar_subquery()
)


class TagForm(BaseForm):
    slug = StringField(
        "Path",
        description="Small letters, digits and hyphens; a slash below a parent: flask/basics.",
    )
    name = StringField("Name", description="As readers see it.")
    description = TextAreaField("Description", description="Markdown, shown above its questions.")


class TagsView(TagMergePages, ExportedList):
    """The tree of tags with what uses each; a search or a filter lists what it finds by path."""

    title = "Tags"
    noun = "tag"
    search_hint = "Search paths and names"
    list_template = "admin/tags/list.html"
    can_create = True
    column_list = ("slug", "name", "below", "questions", "own", "published", "decks", "description")
    column_labels = {"slug": "Path", "below": "Below", "own": "Itself"}
    column_sortable_list = (("slug", Tag.slug), ("own", OWN))
    column_filters = (
        ListFilter(
            "used",
            "Used",
            lambda value: ~_is_unused() if value == "yes" else _is_unused(),
            [("yes", "by something"), ("no", "by nothing")],
        ),
        ListFilter(
            "under",
            "Below",
            lambda value: Tag.slug.startswith(f"{value}/", autoescape=True),
            quiet=True,
        ),
    )
    roles = {
        "create_view": Role.editor,
        "delete": Role.editor,
        "unused": Role.editor,
    }

    def question_ids(self, matching: Select[Any]) -> Select[Any]:
        return select(question_tag.c.question_id).where(
            question_tag.c.tag_id.in_(matching.with_only_columns(Tag.id))
        )

    def search(self, query: Select[Any], words: str) -> Select[Any]:
        return query.where(
            or_(
                Tag.slug.contains(words.casefold(), autoescape=True),
                func.lower(Tag.name).contains(words.casefold(), autoescape=True),
            )
        )

    def default_order(self, _search: str | None) -> list[Any]:
        return [Tag.slug]

    def get_list(
        self,
        page: int | None,
        sort_column: Any,
        sort_desc: bool,
        search: str | None,
        filters: Sequence[tuple[int, str, str]] | None,
        **more: Any,
    ) -> tuple[int, list[Row]]:
        """Return the tree, or what is below one tag; what is looked for comes as a flat list."""
        session = db.session()
        chosen = {self._filters[index].param: value for index, _, value in filters or ()}
        told: dict[str, Any] = {"unused": _count_unused(session), "tree": None}
        rows: list[Row]
        if search or sort_column is not None or chosen.keys() - {"under"}:
            count, rows = super().get_list(page, sort_column, sort_desc, search, filters, **more)
        else:
            tree = tagtree.tree(session, chosen.get("under", ""), page or 0)
            count, rows = tree.total, list(tree.rows)
            told |= {"tree": tree, "num_pages": tree.pages, "page_size": tagtree.SHOWN}
        told["uses"] = tagtree.uses(session, [(row.id, row.slug) for row in rows], _decks())
        self._template_args.update(told)
        return count, rows

    @expose("/new/", methods=("GET", "POST"))
    def create_view(self) -> ResponseReturnValue:
        return self._answer(None)

    @expose("/<id>/", methods=("GET", "POST"))
    def edit_view(self, id: str) -> ResponseReturnValue:
        return self._answer(find(Tag, id, "tag"))

    def _answer(self, tag: Tag | None) -> ResponseReturnValue:
        form = TagForm(request.form if request.method == "POST" else None, obj=tag)
        if request.method != "POST":
            return self._page(tag, form, [])
        if not may(actor(), Role.editor):
            abort(403)
        problems: list[str] = []
        try:
            with transaction() as session:
                saved = tags.save_tag(
                    session,
                    tag,
                    slug=form.slug.data or "",
                    name=form.name.data or "",
                    description=form.description.data or "",
                    by=actor(),
                    at=now(),
                )
        except InvalidInput as error:
            problems = put_beside(form, error)
        except IntegrityError as error:
            self.handle_view_exception(error)
        else:
            flash(f"Saved the tag ‘{saved.slug}’.", "success")
            return redirect(self.get_url(".index_view"), 303)
        return self._page(tag, form, problems)

    def _page(self, tag: Tag | None, form: TagForm, problems: list[str]) -> str:
        """Show a tag with everything that uses it, and what a new path would move."""
        session = db.session()
        found: dict[str, Any] = {}
        if tag is not None:
            found["use"] = tagtree.uses(session, [(tag.id, tag.slug)], _decks())[tag.id]
            found["decks"] = _decks().get(tag.slug, [])
            found["aliases"] = session.scalars(
                select(TagAlias.slug)
                .where(TagAlias.tag_id == tag.id, TagAlias.slug != "")
                .order_by(TagAlias.slug)
                .limit(SUGGESTED)
            ).all()
            found["addresses"] = tagtree.public_paths(session, tag.slug)
        return self.render(
            "admin/tags/form.html",
            form=form,
            row=tag,
            problems=problems,
            editor=may(actor(), Role.editor),
            **found,
        )

    @expose("/<id>/delete", methods=("POST",))
    def delete(self, id: str) -> ResponseReturnValue:
        tag = find(Tag, id, "tag")
        slug = tag.slug
        try:
            with transaction() as session:
                tags.delete_tag(session, tag, by=actor(), at=now())
        except CmsError as error:
            flash(str(error), "error")
            return redirect(self.get_url(".edit_view", id=id), 303)
        flash(f"Deleted the tag ‘{slug}’.", "success")
        return redirect(self.get_url(".index_view"), 303)

    @expose("/unused", methods=("GET", "POST"))
    def unused(self) -> ResponseReturnValue:
        """Show every tag that nothing uses; delete those that were shown and still are unused."""
        if request.method != "POST":
            rows = db.session.execute(
                select(Tag.uid, Tag.slug, Tag.name)
                .where(_is_unused())
                .order_by(Tag.slug)
                .limit(DELETED)
            ).all()
            return self.render(
                "admin/tags/unused.html", rows=rows, unused=_count_unused(db.session())
            )
        named = request.form.get("tags", "").split()[:DELETED]
        with transaction() as session:
            count = tags.delete_unused(session, named, by=actor(), at=now())
        kept = len(named) - count
        left = f" {count_of(kept, 'tag')} stayed: something uses what was unused." if kept else ""
        flash(f"Deleted {count_of(count, 'tag')}.{left}", "success" if count else "info")
        return redirect(self.get_url(".index_view"), 303)

    @expose("/suggest")
    def suggest(self) -> Response:
        """Return the paths of at most `SUGGESTED` tags that hold `q`, as a JSON list."""
        typed = normalize_line(request.args.get("q", ""))[:120].casefold()
        found = db.session.scalars(
            select(Tag.slug)
            .where(Tag.slug.contains(typed, autoescape=True))
            .order_by(Tag.slug)
            .limit(SUGGESTED)
        )
        return jsonify(list(found))


def _decks() -> tagtree.DecksByTag:
    """Return which decks name each tag, read once for a page."""
    decks: tagtree.DecksByTag | None = g.get("decks_by_tag")
    if decks is None:
        decks = g.decks_by_tag = tagtree.decks_by_tag(db.session())
    return decks


def _is_unused() -> ColumnElement[bool]:
    return tagtree.is_unused(_decks())


def _count_unused(session: Session) -> int:
    unused = select(Tag.id).where(_is_unused()).limit(COUNT_LIMIT).subquery()
    return session.scalar(select(func.count()).select_from(unused)) or 0
