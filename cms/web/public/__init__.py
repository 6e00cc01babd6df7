"""The public site: read-only, from the shelf alone, complete without scripts.

Every page answers GET and HEAD. What it shows depends on its address, the
release and the build, and its ETag says so: `cms.web.cache` may keep it.
What it says varies by no header of a request: each form has its own address.
The cache alone looks at one, to send pages compressed to whoever takes them so.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import Blueprint, Response, g, render_template, request

from cms.web.pages import frozen
from cms.web.public.heads import PageHead
from cms.web.snapshots import REVALIDATE, View, of_the_shelf

public = Blueprint("public", __name__)


def route(rule: str, **options: Any) -> Callable[[View], View]:
    """Register a view for GET and HEAD; any other method, OPTIONS included, is a 405."""
    return public.route(rule, methods=["GET"], provide_automatic_options=False, **options)


def page(rule: str, **options: Any) -> Callable[[View], View]:
    """Register a view of the shelf: it gets a session whose one transaction is its snapshot."""

    def register(view: View) -> View:
        answer = of_the_shelf(view)

        @route(rule, **options)
        @wraps(view)
        def respond(**arguments: Any) -> Response:
            response = answer(**arguments)
            if response.status_code == 200 and "head" in g and (links := ", ".join(g.head.links())):
                response.headers["Link"] = links
            return response

        return respond

    return register


def text_response(body: str | bytes, media_type: str) -> Response:
    """Return what depends on address and build alone; 304 where the reader has it."""
    response = Response(body, mimetype=media_type)
    response.add_etag()
    response.make_conditional(request)
    return response


@public.after_request
def _revalidate(response: Response) -> Response:
    """Let everything public be kept, errors and redirects too, and be asked for again."""
    response.headers.setdefault("Cache-Control", REVALIDATE)
    return response


@public.after_request
def _lead_on(response: Response) -> Response:
    """Make a page of a redirect that is to stand in a file, where no header leads on."""
    if frozen() and response.status_code == 301:
        response.set_data(render_template("public/moved.html", address=response.location))
    return response


@public.app_context_processor
def _of_the_page() -> dict[str, Any]:
    """Give templates the release that the page was read in, and what its head says.

    Pages that are not of the shelf have neither.
    """
    return {"bank": g.get("bank"), "head": g.get("head", PageHead())}


# The views register themselves on the blueprint.
from cms.web.public import (  # noqa: E402, F401
    corrections,
    decks,
    exports,
    feeds,
    home,
    images,
    interviews,
    probes,
    questions,
    robots,
    sitemap,
    study,
    tags,
)
