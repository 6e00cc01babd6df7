"""The public errata."""

from __future__ import annotations

from itertools import groupby

from flask import render_template
from sqlalchemy.orm import Session

from cms.services import reading
from cms.web.public import page
from cms.web.public.filters import asked_number
from cms.web.public.questions import permalink

PAGE_SIZE = 30  # errata


@page("/corrections/")
def corrections(session: Session) -> str:
    """List the corrections below number `after`, the newest first, each question's together."""
    after = asked_number("after", "the number of a correction")
    found = reading.errata(session, before=after, limit=PAGE_SIZE + 1)
    shown = found[:PAGE_SIZE]
    return render_template(
        "public/corrections.html",
        questions=[
            (slug, stem, [each.correction for each in group])
            for (slug, stem), group in groupby(shown, key=lambda each: (each.slug, each.stem))
        ],
        first=after is None,
        following=shown[-1].correction.number if len(found) > PAGE_SIZE else None,
    )


@page("/corrections/<int:number>")
def correction(session: Session, number: int) -> str:
    """Show one correction, to be cited."""
    return render_template(
        "public/correction.html",
        erratum=reading.find_erratum(session, number),
        permalink=permalink("public.correction", number=number),
    )
