"""Errors as pages: the one table of statuses, and what each page tells the person to do.

Addresses under /api/ and those that end in .json get a problem document
(RFC 9457) instead. No page shows a traceback or a database's words.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable, Mapping

from flask import Flask, Response, current_app, jsonify, make_response, render_template, request
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException, SecurityError, default_exceptions

from cms.errors import (
    CmsError,
    InvalidInput,
    NotAllowed,
    NotFound,
    StaleEdit,
    TooManyAttempts,
    WrongState,
)
from cms.extensions import db

STATUSES: Mapping[type[CmsError], int] = {
    InvalidInput: 422,
    NotAllowed: 403,
    NotFound: 404,
    WrongState: 409,
    StaleEdit: 409,
    TooManyAttempts: 429,
    CmsError: 500,
}

# Status: the page's heading, and what to do where the error itself does not say.
PAGES: Mapping[int, tuple[str, str]] = {
    400: (
        "This request cannot be understood",
        "Go back, reload the page and try again.",
    ),
    401: ("Please log in", "This is for people with an account. Log in and try again."),
    403: (
        "You may not do this",
        "Your account's role does not include it. Ask an administrator of this bank.",
    ),
    404: (
        "There is nothing at this address",
        "Check the address, or search for what you are looking for.",
    ),
    405: (
        "This address does not take that kind of request",
        "Go back and use the page's own links and buttons.",
    ),
    409: ("Something changed in between", "Go back, reload the page and look again."),
    410: (
        "This was withdrawn",
        "It was public once and is no longer. Search for what has taken its place.",
    ),
    413: (
        "That is too much at once",
        "Nothing was saved. Send a smaller file, or split a long text into several answers.",
    ),
    415: ("That kind of file is not taken here", "Send one of the formats that the page names."),
    422: ("That cannot be accepted", "Go back, correct what you entered and send it again."),
    429: ("Too many attempts", "Wait some minutes and try again."),
    500: (
        "Something is broken here",
        "Nothing was saved, and the error is in the server's log. Try again; "
        "if it happens again, tell whoever runs this bank the time and the address.",
    ),
    503: (
        "The bank is busy",
        "Its database did not answer in time. Nothing was saved. Wait a few seconds and try again.",
    ),
}
DISK_FULL = (
    "The server has no room left to write. Nothing was saved, and what was saved before is safe. "
    "Tell whoever runs this bank, and keep your text until it has room again."
)
STALE_FORM = (
    "Nothing was saved. The form is older than your log-in, or its cookie did not come with it. "
    "Open the form anew and send it again; if that does not help, let your browser keep "
    "cookies of this site."
)
UNKNOWN_HOST = (
    "This server does not answer to the name in the address. "
    "Whoever runs it can add the name to CMS_TRUSTED_HOSTS."
)

_WERKZEUGS_WORDS = {error.description for error in default_exceptions.values()}

# What the system says where a file finds no room: on the disk, of a person's share, by a limit.
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})

# Seconds after which a client may try again what the database was too busy for.
RETRY_AFTER = "10"
# What was typed is shown again where a form failed, whatever was at fault …
_GIVES_BACK = frozenset({400, 401, 403, 404, 409, 410, 422, 500, 503})
# … but no field whose name says that it is a secret.
_SECRETS = ("password", "token", "secret", "current", "repeat")


def init_errors(app: Flask) -> None:
    """Register the handlers of everything that can be raised."""
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(CSRFError, lambda _error: error_page(400, STALE_FORM))
    # Flask builds no addresses for such a host, so that no page has its frame.
    app.register_error_handler(
        SecurityError, lambda _error: error_page(400, UNKNOWN_HOST, framed=False)
    )
    app.register_error_handler(CmsError, _domain_error)
    app.register_error_handler(OperationalError, _unavailable)
    app.register_error_handler(PoolTimeout, _unavailable)
    app.register_error_handler(OSError, _system_error)


def status_of(error: CmsError) -> int:
    """Return the HTTP status of a domain error."""
    return next(STATUSES[cls] for cls in type(error).__mro__ if cls in STATUSES)


def error_page(
    status: int,
    message: str = "",
    headers: Iterable[tuple[str, str]] = (),
    *,
    framed: bool = True,
) -> Response:
    """Return an error as a page, or as a problem document where data was asked for.

    `message` says what is wrong and what to do; without one the status's own
    words do. A page is `framed` like every other of the site unless the server
    itself is at fault: then it asks neither the database nor the routes for anything.
    """
    # A failed transaction holds SQLite's write lock, and nothing can be read in it.
    db.session.rollback()
    title, advice = PAGES.get(status, PAGES[400 if status < 500 else 500])
    message = message or advice
    if wants_data():
        response = jsonify(type="about:blank", title=title, status=status, detail=message)
        response.content_type = "application/problem+json"
    else:
        template = "errors/framed.html" if framed and status < 500 else "errors/bare.html"
        response = make_response(
            render_template(
                template, status=status, title=title, message=message, typed=_typed(status)
            )
        )
    response.status_code = status
    response.headers.extend(headers)
    return response


def _http_error(error: HTTPException) -> Response | HTTPException:
    status = error.code
    if error.response is not None or status is None or status < 400:
        return error
    if status == 500:
        # Flask has logged it. Its description is for developers.
        return error_page(500)
    own_words = "" if error.description in _WERKZEUGS_WORDS else error.description
    kept = [(name, value) for name, value in error.get_headers() if name != "Content-Type"]
    return error_page(status, own_words or "", kept)


def _domain_error(error: CmsError) -> Response:
    status = status_of(error)
    if status == 500:
        current_app.logger.error("An error of the domain has no status.", exc_info=error)
        return error_page(500)
    if status == 422 and request.method in {"GET", "HEAD"}:
        # There is no content to be unprocessable: the address itself is wrong.
        status = 400
    headers = [("Retry-After", str(error.wait))] if isinstance(error, TooManyAttempts) else []
    return error_page(status, str(error), headers)


def _unavailable(error: OperationalError | PoolTimeout) -> Response:
    current_app.logger.error("The database failed: %s", error, exc_info=error)
    message = DISK_FULL if _disk_is_full(error) else ""
    return error_page(503, message, [("Retry-After", RETRY_AFTER)])


def _system_error(error: OSError) -> Response:
    if error.errno not in _NO_ROOM:
        raise error
    current_app.logger.error("A file could not be written: %s", error, exc_info=error)
    return error_page(503, DISK_FULL, [("Retry-After", RETRY_AFTER)])


def _disk_is_full(error: OperationalError | PoolTimeout) -> bool:
    """Whether SQLite (SQLITE_FULL) or PostgreSQL (class 53100, disk_full) ran out of room."""
    cause = getattr(error, "orig", None)
    return getattr(cause, "sqlstate", None) == "53100" or "disk is full" in str(cause)


def wants_data() -> bool:
    """Whether the address is one of data, not of a page."""
    return request.path.startswith("/api/") or request.path.endswith(".json")


def _typed(status: int) -> list[tuple[str, str]]:
    """Return the texts of a form that failed, so that its person can copy them."""
    if request.method != "POST" or status not in _GIVES_BACK:
        return []
    return [
        (name, value)
        for name, value in request.form.items(multi=True)
        if value.strip() and not any(word in name.lower() for word in _SECRETS)
    ]
