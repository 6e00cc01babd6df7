"""The tags: a tree by path, changed through the service that moves descendants and redirects."""

from __future__ import annotations

from typing import Any

from flask import Response, flash, jsonify, redirect, request
from flask.typing import ResponseReturnValue
from flask_admin import expose
from flask_admin.form import BaseForm
from sqlalchemy import Select, func, or_, select
from sqlalchemy.exc import IntegrityError
from wtforms import StringField, TextAreaField

from cms.errors import CmsError, InvalidInput
from cms.extensions import db
from cms.models import Tag, question_tag
from cms.services import tags
from cms.text import normalize_line
from cms.vocabulary import Role
from cms.web.admin.base import (
    ListFilter,
    Row,
    actor,
    find,
    now,
    put_beside,
    transaction,
)
from cms.web.admin.exports import ExportedList

# How many tags a field that is typed in gets to choose from.
SUGGESTED = 20


class TagForm(BaseForm):
    slug = StringField(
        "Path",
        description="Small letters, digits and hyphens; a slash below a parent: flask/basics. "
        "A new path moves everything below along, and the old one redirects.",
    )
    name = StringField("Name", description="As readers see it.")
    description = TextAreaField("Description", description="Markdown, shown above its questions.")


class TagsView(ExportedList):
    """Every tag, with how many questions have it."""

    title = "Tags"
    noun = "tag"
    search_hint = "Search paths and names"
    list_template = "admin/tags/list.html"
    can_create = True
    column_list = ("slug", "name", "questions", "description")
    column_labels = {"slug": "Path"}
    column_sortable_list = (("slug", Tag.slug),)
    column_filters = (
        ListFilter(
            "used",
            "Used",
            lambda value: Tag.questions.any() if value == "yes" else ~Tag.questions.any(),
            [("yes", "by a question"), ("no", "by none")],
        ),
    )
    roles = {"create_view": Role.editor, "edit_view": Role.editor, "delete": Role.editor}

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

    def get_list(self, *args: Any, **kwargs: Any) -> tuple[int, list[Row]]:
        count, rows = super().get_list(*args, **kwargs)
        used = (
            select(question_tag.c.tag_id, func.count())
            .where(question_tag.c.tag_id.in_([row.id for row in rows]))
            .group_by(question_tag.c.tag_id)
        )
        self._template_args["used"] = dict(db.session.execute(used).all())
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
            return self.render("admin/tags/form.html", form=form, row=tag, problems=[])
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
        return self.render("admin/tags/form.html", form=form, row=tag, problems=problems)

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
