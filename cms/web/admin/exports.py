"""'Export this list': the questions of a list of the desk, as it is filtered, in any format."""

from __future__ import annotations

from typing import Any

from flask import flash, redirect, request
from flask.typing import ResponseReturnValue
from flask_admin import expose
from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from cms.errors import InvalidInput
from cms.extensions import db
from cms.formats import FORMATS, Format, by_name
from cms.models import Question
from cms.services.draftexports import export_drafts
from cms.services.exporting import Selection, Stream, export_shelf
from cms.web.admin.base import TableView
from cms.web.sending import asked_options, export_head, send_file

# What of the questions is exported: as the desk has them, or as readers do.
WHAT = {"drafts": export_drafts, "shelf": export_shelf}
NOTHING = {
    "drafts": "No question belongs to this list, so there is nothing to export.",
    "shelf": "None of these questions is published, so readers have nothing of them to export.",
}


class ExportedList(TableView):
    """A list whose questions can be carried away."""

    def question_ids(self, matching: Select[Any]) -> Select[Any]:
        """Return a select of the ids of the questions that these rows are, or belong to."""
        raise NotImplementedError

    def export_formats(self) -> list[Format]:
        """Return the formats that can be written."""
        return [each for each in FORMATS.values() if each.write is not None]

    @expose("/export")
    def export_list(self) -> ResponseReturnValue:
        """Send the questions of the whole list as a file: `?format=`, `?what=drafts|shelf`."""
        format = by_name(request.args.get("format", "csv"))
        what = request.args.get("what", "drafts")
        if what not in WHAT:
            raise InvalidInput("Export either 'drafts' or the 'shelf'.", field="what")
        chosen = self.question_ids(self.whole())
        uids = select(Question.uid).where(Question.id.in_(chosen))
        # A session of its own: reading the working copy empties it round by round.
        with Session(db.engine) as session:
            stream: Stream = WHAT[what](
                session, format, Selection(among=uids), export_head(), asked_options(format)
            )
            if stream.total:
                name = f"{self.title.lower()}-{what}.{format.extension}"
                return send_file(stream.chunks, format, name)
        flash(NOTHING[what], "error")
        return redirect(self.get_url(".index_view", **self.address()), 303)
