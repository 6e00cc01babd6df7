"""The API, version 1: the shelf as JSON, for programs. Read-only, like the public site.

Every list comes a page at a time: `next` in the body and the `Link` header have
the address of the following one. Errors are problem documents (RFC 9457). A
response depends on address, release and build alone, and its ETag says so.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import msgspec
from flask import Blueprint, Response, g, request
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from cms.errors import InvalidInput
from cms.web.public.addresses import permalink
from cms.web.public.filters import asked_number
from cms.web.snapshots import REVALIDATE, of_the_shelf

PREFIX = "/api/v1"
PAGE_SIZE = 30  # rows of a page, unless `limit` says otherwise
PAGE_LIMIT = 100  # the most that `limit` may say

DataView = Callable[..., msgspec.Struct | ResponseReturnValue]

api = Blueprint("api", __name__, url_prefix=PREFIX)


class Page(msgspec.Struct, kw_only=True):
    """What every list says besides its rows: the release, and the address of the next page."""

    release: int
    next: str | None


def data(rule: str) -> Callable[[DataView], DataView]:
    """Register a view of the shelf; a Struct that it returns is sent as JSON."""

    def register(view: DataView) -> DataView:
        @wraps(view)
        def sent(session: Session, **arguments: Any) -> ResponseReturnValue:
            found = view(session, **arguments)
            if not isinstance(found, msgspec.Struct):
                return found
            response = Response(msgspec.json.encode(found), mimetype="application/json")
            if isinstance(found, Page) and found.next:
                response.headers["Link"] = f'<{found.next}>; rel="next"'
            return response

        api.route(rule, methods=["GET"], provide_automatic_options=False)(of_the_shelf(sent))
        return view

    return register


def asked_limit() -> int:
    """Return how many rows a page may have.

    :raises InvalidInput: when `limit` is not a number from 1 to PAGE_LIMIT
    """
    limit = asked_number("limit", "a number of rows")
    if limit is None:
        return PAGE_SIZE
    if not 1 <= limit <= PAGE_LIMIT:
        raise InvalidInput(f"'limit' has to be a number from 1 to {PAGE_LIMIT}.", field="limit")
    return limit


def following(after: object) -> str:
    """Return the address of the page behind `after`; the rest of it is that of this page."""
    asked = request.args.to_dict(flat=False) | {"after": [str(after)]}
    return permalink(str(request.endpoint), **asked)


@api.after_request
def _for_every_program(response: Response) -> Response:
    """Let scripts of other sites read it, too: nothing in it depends on who asks."""
    response.headers.setdefault("Cache-Control", REVALIDATE)
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.headers["Access-Control-Expose-Headers"] = "ETag, Link"
    return response


def release() -> int:
    """Return the number of the release that this response is of."""
    number: int = g.bank.release
    return number


# The views register themselves on the blueprint.
from cms.web.api import description, views  # noqa: E402, F401
