"""The first page: what the bank is, and what changed."""

from __future__ import annotations

from flask import render_template
from sqlalchemy.orm import Session

from cms.services import listing, reading
from cms.web.public import page

RECENT = 8  # questions in the list of recent changes
TOP_TAGS = 12  # tags under the search box


@page("/")
def home(session: Session) -> str:
    """Show the bank's size, its top tags and its latest changes."""
    return render_template(
        "public/home.html",
        counts=reading.counts(session),
        tags=sorted(reading.child_tags(session), key=lambda tag: -tag.questions)[:TOP_TAGS],
        recent=listing.list_questions(session, listing.Selection()).questions[:RECENT],
    )
