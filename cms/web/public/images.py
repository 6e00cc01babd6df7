"""The images that live questions show. Their address says what they hold: it never changes."""

from __future__ import annotations

from flask import request
from flask.typing import ResponseReturnValue

from cms.services.assets import find_asset
from cms.web.public import route
from cms.web.sending import image_response
from cms.web.snapshots import shelf_session


@route("/assets/<name>")
def image(name: str) -> ResponseReturnValue:
    """Send an image that something public shows, to be kept for ever."""
    with shelf_session() as session:
        response = image_response(find_asset(session, name, public=True))
    response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    return response.make_conditional(request)
