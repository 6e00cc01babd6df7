"""Addresses as others take them along: in citations, feeds and sitemaps."""

from __future__ import annotations

from typing import Any

from flask import current_app, request, url_for

from cms.web.pages import is_addressed


def permalink(endpoint: str, **values: Any) -> str:
    """Return the address to cite: absolute where the site's own is set, never by the request."""
    return f"{current_app.config['BASE_URL']}{url_for(endpoint, **values)}"


def absolute(endpoint: str, **values: Any) -> str:
    """Return an absolute address, for what means nothing without one: feeds and sitemaps."""
    return f"{site_root()}{url_for(endpoint, **values)}"


def images_place() -> str:
    """Return what the addresses of images begin with in a file that is taken away.

    A frozen site that does not know its own address can only say where they stand beside it.
    """
    if not is_addressed():
        return "../assets/"
    return absolute("public.image", name="-").removesuffix("-")


def site_root() -> str:
    """Return what absolute addresses begin with, without a slash at the end.

    Where the site's own address is not set, it is the host that was asked:
    one of the trusted ones, since Flask refuses every other. The cache keeps
    what is made with it for that host alone.
    """
    return current_app.config["BASE_URL"] or f"{request.scheme}://{request.host}"
