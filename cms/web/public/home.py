"""The first page: what the bank is, and what changed."""

from __future__ import annotations

from flask import render_template
from sqlalchemy.orm import Session

from cms.services import listing, reading
from cms.web.public import page

# Questions in the list of recent changes.
RECENT = 8


@page("/")
def home(session: Session) -> str:
    """Show the bank's size, its top tags and its latest changes."""
    return render_template(
        "public/home.html",
        counts=reading.counts(session),
        tags=reading.child_tags(session),
        recent=listing.list_questions(session, listing.Selection()).questions[:RECENT],
    )
