"""What readers carry away: the whole bank or a deck in every format, and the data's schema."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
from flask import Response, g, render_template, request
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session
from werkzeug.http import http_date

from cms.errors import NotFound
from cms.formats import FORMATS, Format, by_extension
from cms.formats.format import Purpose
from cms.formats.schema import bank_schema, table_schema
from cms.services import reading
from cms.services.exporting import Selection, export_shelf
from cms.web.conditions import status_of
from cms.web.keptfiles import kept_files
from cms.web.pages import count_of
from cms.web.public import page, route, text_response
from cms.web.public.addresses import permalink
from cms.web.public.filters import asked_difficulty, asked_number, asked_query, asked_tags
from cms.web.public.heads import describe
from cms.web.public.linkeddata import export_data
from cms.web.sending import asked_options, export_head, send_kept
from cms.web.snapshots import etag, modified


@page("/export/")
def exports(session: Session) -> str:
    """Explain the formats, and link the whole bank in each."""
    counts = reading.counts(session)
    describe(
        f"{count_of(counts.questions, 'question')} as a file, in {len(writable())} formats. "
        "The same release always gives the same file.",
        canonical=permalink("public.exports"),
        data=export_data(g.bank, counts, writable()),
    )
    return render_template(
        "public/exports.html",
        counts=counts,
        groups=[(each, [f for f in writable() if f.purpose is each]) for each in Purpose],
    )


@page("/export/bank.<extension>")
def export_bank(session: Session, extension: str) -> ResponseReturnValue:
    """Send the bank, narrowed by `q`, `tag`, `difficulty` and `since`, as a file."""
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

    It is written in full before the first byte goes out, once for each release: a slow
    client holds no database connection.
    """
    format = by_extension(f"{name}.{extension}")
    if format is None or format.extension != extension or format.write is None:
        raise NotFound(f"There is no export “.{extension[:40]}”.")
    options = asked_options(format)
    # This also finds what there is not: no condition makes a 304 of a deck that does not exist.
    stream = export_shelf(session, format, selection, export_head(), options)
    tag, changed = etag(g.bank.release), modified(g.bank)
    status = status_of(request.environ, f'"{tag}"', http_date(changed))
    if status != 200:
        return Response(status=status, headers={"ETag": f'"{tag}"'})
    key = format.name, selection, tuple(options.items())
    file = kept_files().open(tag, key, lambda: stream.chunks)
    return send_kept(file, format.media_type, f"{name}.{extension}", etag=tag, modified=changed)


@route("/schema/question-bank-1.json")
def schema() -> Response:
    """Return the JSON Schema of the JSON formats."""
    return _described(bank_schema(), "application/schema+json")


@route("/schema/question-bank-csv-1.json")
def csv_schema() -> Response:
    """Return the Table Schema of the CSV format."""
    return _described(table_schema(), "application/json")


def _described(document: dict[str, Any], media_type: str) -> Response:
    return text_response(msgspec.json.format(msgspec.json.encode(document)), media_type)


def _selection() -> Selection:
    return Selection(
        query=asked_query(),
        tags=asked_tags(),
        difficulty=asked_difficulty(),
        since=asked_number("since", "the number of a release"),
    )
