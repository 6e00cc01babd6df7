"""Responses made of the shelf: each of one snapshot, identified by release and build."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import wraps
from typing import Any

from flask import Response, current_app, g, make_response, request
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from cms.extensions import read_engine
from cms.freezing import SNAPSHOT
from cms.services import reading
from cms.services.reading import Bank

REVALIDATE = "public, max-age=0, must-revalidate"

View = Callable[..., ResponseReturnValue]


def of_the_shelf(view: View) -> Callable[..., Response]:
    """Return a view that gets a session, whose one transaction is its snapshot.

    `g.bank` is the release that it sees; a 200 carries that release as its ETag.
    """

    @wraps(view)
    def respond(**arguments: Any) -> Response:
        with shelf_session() as session:
            g.bank = reading.bank(session)
            response = make_response(view(session, **arguments))
        if response.status_code == 200:
            response.set_etag(etag(g.bank.release))
            response.last_modified = modified(g.bank)
        return response

    return respond


def shelf_session() -> Session:
    """Return a session on the shelf: of its own snapshot, or of the one that a freeze holds."""
    return Session(request.environ.get(SNAPSHOT) or read_engine())


def etag(release: int) -> str:
    """Return what identifies a public response of this address, without quotes."""
    return f"{release}-{current_app.config['BUILD']}"


def modified(bank: Bank) -> datetime:
    """Return when a public page may have changed last: with its release, or when the site started.

    A start can bring another build or other settings. Who sends dates alone asks once more
    then; an ETag still tells that nothing changed.
    """
    started: datetime = current_app.config["STARTED_AT"]
    return started if bank.released_at is None else max(bank.released_at, started)
