"""The tree of tags, and the questions below one."""

from __future__ import annotations

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from cms.services import listing, reading
from cms.services.listing import Selection
from cms.services.reading import Moved
from cms.web.public import page


@page("/tags/")
def tags(session: Session) -> str:
    """Show every tag of public questions, with counts."""
    return render_template("public/tags.html", tags=reading.all_tags(session))


@page("/tags/<path:path>")
def tag(session: Session, path: str) -> ResponseReturnValue:
    """Show a tag and the questions below it, from `after` on."""
    found = reading.find_tag(session, path.strip("/"))
    if isinstance(found, Moved) or found.slug != path:
        return redirect(url_for("public.tag", path=found.slug), 301)
    selection = Selection(tags=(found.slug,))
    return render_template(
        "public/tag.html",
        tag=found,
        children=reading.child_tags(session, found.slug),
        listing=listing.list_questions(session, selection, request.args.get("after")),
    )
