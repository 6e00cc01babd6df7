"""The public site: read-only, from the shelf alone, complete without scripts.

Every page answers GET and HEAD. What it shows depends on its address, the
release and the build, and its ETag says so: `cms.web.cache` may keep it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import Blueprint, Response, current_app, g, make_response
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from cms.extensions import read_engine
from cms.services import reading

REVALIDATE = "public, max-age=0, must-revalidate"

View = Callable[..., ResponseReturnValue]

public = Blueprint("public", __name__)


def route(rule: str, **options: Any) -> Callable[[View], View]:
    """Register a view for GET and HEAD; any other method, OPTIONS included, is a 405."""
    return public.route(rule, methods=["GET"], provide_automatic_options=False, **options)


def page(rule: str, **options: Any) -> Callable[[View], View]:
    """Register a view of the shelf: it gets a session whose one transaction is its snapshot."""

    def register(view: View) -> View:
        @route(rule, **options)
        @wraps(view)
        def respond(**arguments: Any) -> Response:
            with Session(read_engine()) as session:
                g.bank = reading.bank(session)
                response = make_response(view(session, **arguments))
            if response.status_code == 200:
                response.set_etag(etag(g.bank.release))
            response.headers["Cache-Control"] = REVALIDATE
            return response

        return respond

    return register


def etag(release: int) -> str:
    """Return what identifies a public response of this address, without quotes."""
    return f"{release}-{current_app.config['BUILD']}"


@public.app_context_processor
def _release_of_the_page() -> dict[str, Any]:
    """Give templates the release that the page was read in; pages not of the shelf have none."""
    return {"bank": g.get("bank")}


# The views register themselves on the blueprint.
from cms.web.public import (  # noqa: E402, F401
    corrections,
    decks,
    exports,
    home,
    interviews,
    probes,
    questions,
    study,
    tags,
)
