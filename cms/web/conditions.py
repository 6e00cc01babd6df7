"""Conditional requests (RFC 9110, section 13): what the copy that a reader has makes of one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from werkzeug.http import parse_date


def status_of(environ: Mapping[str, Any], etag: str, modified: str) -> int:
    """Return what a GET or HEAD comes to: 200, 304 (the reader has it) or 412.

    `environ` is the WSGI environment; `etag`, in quotes, and `modified`, an HTTP
    date or nothing, are the response's headers. As section 13.2.2 has it, a
    date is read only where no ETag was sent: it cannot tell two releases of one
    second, or two builds, apart. A date that cannot be read says nothing.
    """
    required = environ.get("HTTP_IF_MATCH")
    if required is not None:
        if not _names(required, etag):
            return 412
    elif _is_later(modified, environ.get("HTTP_IF_UNMODIFIED_SINCE")):
        return 412
    held = environ.get("HTTP_IF_NONE_MATCH")
    if held is not None:
        return 304 if _names(held, etag, weakly=True) else 200
    since = environ.get("HTTP_IF_MODIFIED_SINCE")
    if since is None or not modified:
        return 200
    if since == modified:
        return 304
    return 304 if parse_date(since) and not _is_later(modified, since) else 200


def _names(field: str, etag: str, *, weakly: bool = False) -> bool:
    """Whether a list of ETags holds this one; compared `weakly` a 'W/' does not count."""
    if field == etag:
        return True
    named = (each.strip() for each in field.split(","))
    return any((each.removeprefix("W/") if weakly else each) in {etag, "*"} for each in named)


def _is_later(modified: str, than: str | None) -> bool:
    """Whether both are dates, and the first one is later."""
    if than is None:
        return False
    first, second = parse_date(modified), parse_date(than)
    return first is not None and second is not None and first > second
