"""The tree of tags, and the questions below one."""

from __future__ import annotations

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from cms.errors import NotFound
from cms.services import listing, reading
from cms.services.listing import Selection
from cms.services.reading import Moved, PublicTag
from cms.web.public import page


@page("/tags/")
def tags(session: Session) -> str:
    """Show every tag of public questions, with counts."""
    return render_template("public/tags.html", tags=reading.all_tags(session))


@page("/tags/<path:path>")
def tag(session: Session, path: str) -> ResponseReturnValue:
    """Show a tag and the questions below it, from `after` on."""
    return show_tag(session, path)


def show_tag(session: Session, path: str) -> ResponseReturnValue:
    """Return a tag's page, or lead to where it is now.

    :raises NotFound: when no public question has it
    """
    found = reading.find_tag(session, path.strip("/"))
    if isinstance(found, Moved) or found.slug != path:
        return redirect(url_for("public.tag", path=found.slug), 301)
    selection = Selection(tags=(found.slug,))
    return render_template(
        "public/tag.html",
        tag=found,
        children=reading.child_tags(session, found.slug),
        listing=listing.list_questions(session, selection, request.args.get("after")),
        study=study_address(session, found.slug),
    )


def has_tag(session: Session, path: str) -> bool:
    """Whether some public question has this tag under this path."""
    try:
        return isinstance(reading.find_tag(session, path), PublicTag)
    except NotFound:
        return False


def study_address(session: Session, path: str) -> str:
    """Return where a tag is studied; below it, a tag that is named 'study' has that address."""
    if has_tag(session, f"{path}/study"):
        return url_for("public.study_questions", tag=path)
    return url_for("public.study_tag", path=path)
