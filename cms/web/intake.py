"""The intake of readers' corrections: the one door through which the public writes.

It is there only where CMS_PUBLIC_CORRECTIONS is on. Its pages have a form, so
they are made for one reader at a time and kept by nobody. A form that lacks
something is shown again with status 200, as at the desk.
"""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
from flask import Blueprint, current_app, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from cms.errors import InvalidInput, NotFound, TooManyAttempts, WrongState
from cms.extensions import db, read_engine
from cms.formats.item import Item
from cms.services import finding, reading
from cms.services import intake as service
from cms.services.content import revision_content
from cms.services.proposals import parts_of
from cms.services.reading import Moved, PublicQuestion, Withdrawn
from cms.vocabulary import CorrectionKind
from cms.web.filing import FilingForm

KINDS = [
    (CorrectionKind.factual.value, "Something is not true"),
    (CorrectionKind.outdated.value, "It was true once, but is out of date"),
    (CorrectionKind.technical.value, "The code or a command does not work"),
    (CorrectionKind.editorial.value, "The words are unclear or damaged"),
]
# What the fields are called here.
NAMES = {
    "kind": "What is wrong with it?",
    "claim": "The passage that is wrong",
    "explanation": "What is true instead",
    "sources[0].url": "Where it can be checked",
    "credit": "Your name",
}
# What people do not see and leave empty; programs that fill in every field do not.
TRAP = "website"

intake = Blueprint("intake", __name__)


@intake.route("/questions/<slug>/correct", methods=["GET", "POST"])
def correct(slug: str) -> ResponseReturnValue:
    """Take in what a reader found wrong with a question."""
    with Session(read_engine()) as session:
        g.bank = reading.bank(session)
        try:
            found = reading.find_question(session, slug)
        except NotFound:
            meant = finding.meant_by(session, slug)
            return render_template("public/question_not_found.html", suggestions=meant), 404
    if isinstance(found, Moved):
        return redirect(url_for(".correct", slug=found.slug), 301)
    if isinstance(found, Withdrawn):
        return render_template("public/question_withdrawn.html", question=found), 410
    item = msgspec.json.decode(found.document, type=Item)
    if request.method != "POST":
        return _page(found, FilingForm.opened(parts_of(item), item.revision or 0))
    if request.form.get(TRAP):
        current_app.logger.info("A correction filled in what only programs see.")
        return redirect(url_for(".thanks", slug=slug), 303)
    return _take_in(found, item)


@intake.route("/questions/<slug>/correct/thanks")
def thanks(slug: str) -> ResponseReturnValue:
    """Say what will become of a report."""
    return render_template("public/correct_thanks.html", slug=slug)


def _take_in(found: PublicQuestion, item: Item) -> ResponseReturnValue:
    session = db.session()
    question = service.live_question(session, item.uid or "")
    seen = request.form.get("seen_in", "")
    number = int(seen) if seen.isdecimal() and len(seen) < 10 else 0
    number = service.seen_revision(session, question, number)
    form = FilingForm.posted(
        parts_of(revision_content(session, question, number)), number, request.form
    )
    status, headers = 200, {}
    try:
        filed = form.filing() | {"credit": form.credit}
        service.report(session, question, request.remote_addr or "", filed, at=datetime.now(UTC))
        session.commit()
        return redirect(url_for(".thanks", slug=found.slug), 303)
    except InvalidInput as error:
        form.refuse(error)
    except TooManyAttempts as error:
        form.errors[""] = str(error)
        status, headers = 429, {"Retry-After": str(error.wait)}
    except WrongState as error:
        form.errors[""] = str(error)
    except IntegrityError:
        form.errors[""] = "This form was sent twice at this moment. Send it once more."
    session.rollback()
    return _page(found, form), status, headers


def _page(found: PublicQuestion, form: FilingForm) -> str:
    return render_template(
        "public/correct.html",
        question=found,
        form=form,
        names=form.names() | NAMES,
        kinds=KINDS,
        limits=service.LIMITS,
        trap=TRAP,
    )
