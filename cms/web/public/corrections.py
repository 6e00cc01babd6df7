"""The public errata."""

from __future__ import annotations

from itertools import groupby

from flask import current_app, render_template, url_for
from sqlalchemy.orm import Session

from cms.services import reading
from cms.web.public import page
from cms.web.public.addresses import permalink
from cms.web.public.filters import asked_number
from cms.web.public.heads import ATOM, Alternate, describe
from cms.web.public.linkeddata import correction_data
from cms.web.public.plaintext import visible_text

PAGE_SIZE = 30  # errata


@page("/corrections/")
def corrections(session: Session) -> str:
    """List the corrections below number `after`, the newest first, each question's together."""
    after = asked_number("after", "the number of a correction")
    found = reading.errata(session, before=after, limit=PAGE_SIZE + 1)
    shown = found[:PAGE_SIZE]
    describe(
        "What was claimed here, or in what was imported, and turned out to be wrong: "
        "on record, with the source that shows it.",
        canonical=permalink("public.corrections") if after is None else None,
        alternates=[_feed()],
    )
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
    erratum = reading.find_erratum(session, number)
    address = permalink("public.correction", number=number)
    describe(
        visible_text(erratum.correction.claim),
        canonical=address,
        kind="article",
        alternates=[_feed()],
        data=correction_data(erratum),
    )
    return render_template("public/correction.html", erratum=erratum, permalink=address)


def _feed() -> Alternate:
    name = current_app.config["SITE_NAME"]
    return Alternate(url_for("public.corrections_feed"), ATOM, f"{name}: corrections")
