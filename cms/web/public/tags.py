"""The tree of tags, and the questions below one."""

from __future__ import annotations

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from cms.errors import NotFound
from cms.services import listing, reading
from cms.services.listing import Selection
from cms.services.reading import Moved, PublicTag
from cms.web.pages import count_of
from cms.web.public import page
from cms.web.public.addresses import permalink
from cms.web.public.exports import writable
from cms.web.public.heads import ATOM, Alternate, describe
from cms.web.public.linkeddata import tag_data


@page("/tags/")
def tags(session: Session) -> str:
    """Show every tag of public questions, with counts."""
    tree = reading.all_tags(session)
    describe(
        f"{count_of(len(tree), 'tag')} to find questions by.", canonical=permalink("public.tags")
    )
    return render_template("public/tags.html", tags=tree)


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
    after = request.args.get("after")
    listed = listing.list_questions(session, selection, after)
    name = found.name or found.slug
    describe(
        found.description or f"{count_of(found.questions, 'question')} about {name}.",
        canonical=None if after else permalink("public.tag", path=path),
        alternates=[Alternate(url_for("public.tag_feed", path=path), ATOM, name)],
        data=tag_data(found, listed.questions),
    )
    return render_template(
        "public/tag.html",
        tag=found,
        children=reading.child_tags(session, found.slug),
        listing=listed,
        study=study_address(session, found.slug),
        formats=writable(),
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
