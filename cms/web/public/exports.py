"""What readers carry away: the whole bank or a deck in every format, and the data's schema."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from tempfile import SpooledTemporaryFile

import msgspec
from flask import Response, current_app, g, render_template, request
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session
from werkzeug.wsgi import FileWrapper

from cms.errors import NotFound
from cms.formats import FORMATS, Format, by_extension
from cms.formats.schema import bank_schema
from cms.services import reading
from cms.services.exporting import Head, Selection, export_shelf
from cms.web.public import REVALIDATE, etag, page, route
from cms.web.public.filters import asked_difficulty, asked_number, asked_tags

# Bytes of an export that stay in memory while it is written; more goes to a file.
SPOOL = 1_000_000


@page("/export/")
def exports(session: Session) -> str:
    """Explain the formats, and link the whole bank in each."""
    return render_template(
        "public/exports.html",
        counts=reading.counts(session),
        formats=writable(),
    )


@page("/export/bank.<extension>")
def export_bank(session: Session, extension: str) -> ResponseReturnValue:
    """Send the bank, narrowed by `tag`, `difficulty` and `since`, as a file."""
    return _sent(session, "bank", extension, _selection())


@page("/decks/<slug>.<extension>")
def export_deck(session: Session, slug: str, extension: str) -> ResponseReturnValue:
    """Send a deck, narrowed like the bank, as a file."""
    # No slug has a dot: whatever follows the first one is the extension, 'md.zip' too.
    slug, _, extension = f"{slug}.{extension}".partition(".")
    return _sent(session, slug, extension, replace(_selection(), deck=slug))


def writable() -> list[Format]:
    """Return the formats that readers can carry a selection away in."""
    return [each for each in FORMATS.values() if each.write is not None]


def _sent(session: Session, name: str, extension: str, selection: Selection) -> ResponseReturnValue:
    """Send a selection as the file `<name>.<extension>`.

    It is written in full before the first byte goes out: a slow client holds
    no database connection.
    """
    format = by_extension(f"{name}.{extension}")
    if format is None or format.extension != extension or format.write is None:
        raise NotFound(f"There is no export “.{extension[:40]}”.")
    tag = etag(g.bank.release)
    if request.if_none_match.contains_weak(tag):
        return Response(status=304, headers={"ETag": f'"{tag}"'})
    stream = export_shelf(session, format, selection, _head(), _options(format))
    with ExitStack() as stack:
        spool = stack.enter_context(SpooledTemporaryFile(max_size=SPOOL))
        spool.writelines(stream.chunks)
        size = spool.tell()
        spool.seek(0)
        response = Response(content_type=format.media_type)
        if size <= SPOOL:
            response.data = spool.read()
        else:
            response.response = FileWrapper(spool, 65_536)
            # From here on the file is closed with the response.
            response.call_on_close(stack.pop_all().close)
    response.content_length = size
    response.headers["Content-Disposition"] = f'attachment; filename="{name}.{extension}"'
    return response


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


def _head() -> Head:
    return Head(current_app.config["SITE_NAME"], current_app.config["BASE_URL"])


def _options(format: Format) -> dict[str, bool]:
    """Read the format's own switches, such as `bom=1`."""
    return {name: request.args.get(name) == "1" for name in format.options}
