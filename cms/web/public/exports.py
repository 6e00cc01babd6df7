"""What readers carry away: the whole bank in every format, and the schema of its data."""

from __future__ import annotations

import msgspec
from flask import Response, g, render_template, request
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from cms.errors import NotFound
from cms.formats import FORMATS, by_extension
from cms.formats.schema import bank_schema
from cms.services import reading
from cms.services.exporting import Selection, export_shelf
from cms.web.public import REVALIDATE, etag, page, route
from cms.web.public.filters import asked_difficulty, asked_number, asked_tags
from cms.web.sending import asked_options, export_head, send_file


@page("/export/")
def exports(session: Session) -> str:
    """Explain the formats, and link the whole bank in each."""
    return render_template(
        "public/exports.html",
        counts=reading.counts(session),
        formats=[each for each in FORMATS.values() if each.write is not None],
    )


@page("/export/bank.<extension>")
def export_bank(session: Session, extension: str) -> ResponseReturnValue:
    """Send the bank, narrowed by `tag`, `difficulty` and `since`, as a file.

    It is written in full before the first byte goes out: a slow client holds
    no database connection.
    """
    format = by_extension(f"bank.{extension}")
    if format is None or format.extension != extension or format.write is None:
        raise NotFound(f"There is no export “.{extension[:40]}”.")
    tag = etag(g.bank.release)
    if request.if_none_match.contains_weak(tag):
        return Response(status=304, headers={"ETag": f'"{tag}"'})
    options = asked_options(format)
    stream = export_shelf(session, format, _selection(), export_head(), options)
    return send_file(stream.chunks, format, f"bank.{extension}")


@route("/schema/question-bank-1.json")
def schema() -> Response:
    """Return the JSON Schema of the JSON formats."""
    body = msgspec.json.format(msgspec.json.encode(bank_schema()))
    response = Response(body, mimetype="application/schema+json")
    response.headers["Cache-Control"] = REVALIDATE
    response.add_etag()
    response.make_conditional(request)
    return response


def _selection() -> Selection:
    return Selection(
        tags=asked_tags(),
        difficulty=asked_difficulty(),
        since=asked_number("since", "the number of a release"),
    )
