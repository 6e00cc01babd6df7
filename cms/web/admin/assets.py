"""The images of the bank: upload, list, look at and delete; and one in the text of an editor."""

from __future__ import annotations

from typing import Any

from flask import flash, jsonify, redirect, request
from flask.typing import ResponseReturnValue
from flask_admin import expose
from sqlalchemy import Select, not_
from sqlalchemy.orm import joinedload

from cms.errors import CmsError, InvalidInput
from cms.extensions import db
from cms.formats.assets import reference
from cms.models import Asset
from cms.services import assets
from cms.text import normalize_line
from cms.vocabulary import Role
from cms.web.admin.base import ListFilter, Row, TableView, actor, find, now, transaction
from cms.web.admin.forms import QuestionForm
from cms.web.sending import image_response

ADD_IMAGE = "add-image"
"""The button by which an image comes into a text without scripts."""

# Questions that a line names of those that show an image.
SHOWN_USERS = 3


class AssetsView(TableView):
    """Every image, with the questions whose history shows it."""

    title = "Images"
    noun = "image"
    search_hint = "Search descriptions and names"
    list_template = "admin/assets/list.html"
    column_list = ("alt", "used", "size", "width", "uploaded_by", "uploaded_at")
    column_labels = {
        "alt": "Image",
        "used": "Shown by",
        "size": "Bytes",
        "width": "Pixels",
        "uploaded_by": "By",
        "uploaded_at": "When",
    }
    column_sortable_list = (
        ("size", Asset.size),
        ("width", Asset.width),
        ("uploaded_at", Asset.uploaded_at),
    )
    column_filters = (
        ListFilter(
            "used",
            "Used",
            lambda value: assets.is_unused() if value == "no" else not_(assets.is_unused()),
            [("yes", "by a question"), ("no", "by none")],
        ),
    )
    loading = (joinedload(Asset.uploaded_by),)
    roles = {"delete": Role.editor}

    def search(self, query: Select[Any], words: str) -> Select[Any]:
        folded = Asset.alt.icontains(words, autoescape=True)
        return query.where(folded | Asset.name.startswith(words.lower(), autoescape=True))

    def get_list(self, *args: Any, **kwargs: Any) -> tuple[int, list[Row]]:
        count, rows = super().get_list(*args, **kwargs)
        users = assets.users_of(db.session(), [row.name for row in rows])
        self._template_args.update(users=users, SHOWN_USERS=SHOWN_USERS)
        return count, rows

    @expose("/new/", methods=("GET", "POST"))
    def upload_view(self) -> ResponseReturnValue:
        """Take an image in, and show what to write where it is to stand."""
        made, problem, words = None, None, request.form.get("image_words", "")
        if request.method == "POST":
            try:
                made = uploaded()
            except CmsError as error:
                problem = error
        return self.render("admin/assets/new.html", made=made, problem=problem, words=words)

    @expose("/upload", methods=("POST",))
    def upload(self) -> ResponseReturnValue:
        """Take an image in for a script; answer with what to put into the text, or the problem."""
        try:
            return jsonify(markdown=uploaded())
        except CmsError as error:
            return jsonify(problem=str(error))

    @expose("/<file>")
    def image(self, file: str) -> ResponseReturnValue:
        """Send an image, whether or not something public shows it."""
        response = image_response(assets.find_asset(db.session(), file, public=False))
        return response.make_conditional(request)

    @expose("/<id>/delete", methods=("POST",))
    def delete(self, id: str) -> ResponseReturnValue:
        asset = find(Asset, id, "image")
        try:
            with transaction() as session:
                assets.remove(session, asset, by=actor(), at=now())
        except CmsError as error:
            flash(str(error), "error")
        else:
            flash("Deleted the image.", "success")
        return redirect(self.get_url(".index_view", used="no"), 303)


def uploaded() -> str:
    """Keep the image of this request; return it as Markdown shows it.

    :raises InvalidInput: when it is no image that the bank keeps, or nobody described it
    """
    file = request.files.get("image")
    words = normalize_line(request.form.get("image_words", ""))
    if file is None or not file.filename:
        raise InvalidInput("Choose an image.", field="image")
    if not words:
        raise InvalidInput(
            "Describe the image: whoever cannot see it reads that instead.", field="image_words"
        )
    with transaction() as session:
        asset = assets.upload(session, file.read(), alt=words, by=actor(), at=now())
        return reference(asset.name, words)


def add_image(form: QuestionForm) -> None:
    """Put the image that came with a form at the end of the text that was chosen for it."""
    try:
        form.append(request.form.get("image_into", ""), uploaded())
    except CmsError as error:
        form.errors[""] = str(error)
