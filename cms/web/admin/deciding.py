"""A correction's page: what was claimed, the proposed text over today's, and the decision.

Whatever is refused leads to the page anew, with all that was typed: an edited
text is laid over what others saved meanwhile.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flask import flash, redirect, request
from flask.typing import ResponseReturnValue
from flask_admin import expose
from flask_login import current_user
from markupsafe import Markup
from sqlalchemy import select
from sqlalchemy.orm import Session, load_only

from cms.errors import (
    CmsError,
    InvalidContent,
    InvalidInput,
    NotAllowed,
    NotPublishable,
    StaleEdit,
)
from cms.extensions import db
from cms.models import Correction, Question
from cms.services import deciding, publishing, triage
from cms.services.content import content_of
from cms.services.permissions import four_eyes
from cms.services.proposals import Proposal, Standing, find_part, key_of, proposal_of, weigh
from cms.text import normalize_text
from cms.web.admin.base import GuardedView, actor, find, now, transaction, way_back
from cms.web.admin.editor import opened, rendered
from cms.web.admin.steps import published
from cms.web.errors import error_page

OFFERED_REVISIONS = 50
# The other corrections of the question that are offered as originals of a duplicate.
OFFERED_ORIGINALS = 30
NEW_REVISION = "new"
LOGGED_OUT = (
    "Your log-in ended, so nothing was saved. Log in again in another tab, go back to this form "
    "and send it again; or copy what you typed."
)
DONE = {
    "accept": "Accepted.",
    "publish": "Accepted.",
    "reject": "Rejected.",
    "hold": "Held: it waits apart from the open ones.",
    "duplicate": "Marked as a duplicate.",
    "reopen": "Open again.",
}

_ID = re.compile(r"(?:.*/corrections/)?#?(\d{1,10})/?")
_FIELDS = ("text", "fixed_in", "fix", "credit", "reason", "duplicate_of", "credit_too")
_NAMES = {
    "text": "The text",
    "fixed_in": "Right as of",
    "fix": "Fixed",
    "credit": "Credit",
    "reason": "Reason",
    "duplicate_of": "Duplicate of",
}


@dataclass
class DecisionForm:
    """A decision as typed; `errors` maps a field's name to what is wrong and what to do."""

    text: str = ""
    fixed_in: str = ""
    fix: str = ""
    credit: str = ""
    reason: str = ""
    duplicate_of: str = ""
    credit_too: str = ""
    seen_version: int = 0
    errors: dict[str, str] = field(default_factory=dict)

    @classmethod
    def posted(cls, data: Mapping[str, str]) -> DecisionForm:
        """Return what a browser sent; absent fields are empty."""
        form = cls()
        for name in _FIELDS:
            setattr(form, name, normalize_text(data.get(name, "")))
        seen = data.get("seen_version", "")
        form.seen_version = int(seen) if seen.isdecimal() and len(seen) < 10 else 0
        return form

    @property
    def names(self) -> Mapping[str, str]:
        return _NAMES

    def refuse(self, error: InvalidInput) -> None:
        """Put an error's messages beside the fields that they name; '' is the form as a whole."""
        faults = error.faults if isinstance(error, InvalidContent) else [(error.field, str(error))]
        for path, problem in faults:
            name = "text" if path == "proposed" else path or ""
            self.errors.setdefault(name if name in _NAMES else "", problem)


class DecisionPages(GuardedView):
    """The pages on which corrections are decided; `CorrectionsView` adds list and filing."""

    @expose("/next")
    def next_view(self) -> ResponseReturnValue:
        """Go to the correction that is open for longest."""
        return redirect(self._following())

    @expose("/<id>/", methods=("GET", "POST"))
    def details_view(self, id: str) -> ResponseReturnValue:
        correction = find(Correction, id, "correction")
        key = correction.id
        if request.method != "POST":
            return self._page(correction)
        form, verb = DecisionForm.posted(request.form), request.form.get("op", "")
        if verb == "compare":
            return self._page(correction, form)
        status = 200
        try:
            if verb not in DONE:
                raise InvalidInput("Press one of the buttons below to decide.")
            with transaction() as session:
                _perform(session, correction, verb, form)
        except StaleEdit as error:
            form.errors[""] = (
                f"{error.by} saved the question meanwhile. Nothing was decided yet and nothing "
                "is lost: your text was laid over theirs. Look at it and decide again."
            )
        except InvalidInput as error:
            form.refuse(error)
        except NotAllowed as error:
            form.errors[""], status = str(error), 403
        except CmsError as error:
            if db.session.get(Correction, key) is None:
                raise
            form.errors[""] = str(error)
        else:
            return self._done(correction, verb, form)
        return self._page(correction, form), status

    def _done(self, correction: Correction, verb: str, form: DecisionForm) -> ResponseReturnValue:
        """Say what came of it, and go on: to where one came from, else to the next open one."""
        here = self.get_url(".details_view", id=correction.id)
        where = f" in revision {correction.fixed_in}" if verb in {"accept", "publish"} else ""
        words = DONE[verb][:-1] + where
        flash(Markup('{}. <a href="{}">Look at it</a>').format(words, here), "success")
        if verb == "publish":
            _publish(correction, form)
        if verb == "reopen":
            return redirect(here, 303)
        return redirect(way_back() or self._following(correction), 303)

    def _following(self, correction: Correction | None = None) -> str:
        """Return the address of the open correction to go on with; of the list if none is open."""
        found = triage.next_open(db.session(), correction)
        if found is None:
            flash("No correction is open.", "info")
            return str(self.get_url(".index_view"))
        return str(self.get_url(".details_view", id=found))

    def _page(self, correction: Correction, form: DecisionForm | None = None) -> str:
        session, question = db.session(), correction.question
        key = key_of(correction.part, correction.answer_uid)
        part = find_part(content_of(question), key)
        proposal = proposal_of(session, correction)
        undecided = correction.status in deciding.UNDECIDED
        if form is None:
            form = _opened(correction, proposal, part.text if part else "")
        elif part is not None and not (proposal and form.text == proposal.draft):
            typed = weigh(session, question, key, seen_in=form.seen_version, proposed=form.text)
            if typed.standing != Standing.there:
                proposal, form.text = typed, typed.draft
        form.seen_version = question.latest_number
        return self.render(
            "admin/corrections/details.html",
            correction=correction,
            question=question,
            form=form,
            part=part,
            key=key,
            proposal=proposal,
            undecided=undecided,
            own=four_eyes(session) and correction.reporter_id == actor().id,
            place=triage.place_of(session, correction) if undecided else None,
            originals=_originals(session, correction),
            offered_revisions=_offered(question, proposal),
            url=way_back(),
            rendered=rendered(opened(question)),
        )

    def ask_to_log_in(self) -> ResponseReturnValue:
        """Ask for a log-in; who sent a form gets back what they typed."""
        if request.method == "POST" and not current_user.is_authenticated:
            return error_page(401, LOGGED_OUT)
        return super().ask_to_log_in()


def _perform(session: Session, correction: Correction, verb: str, form: DecisionForm) -> None:
    """Let the services decide.

    :raises CmsError: when they refuse
    """
    who: dict[str, Any] = {"reason": form.reason, "by": actor(), "at": now()}
    told: dict[str, Any] = {"credit": form.credit, "fix": form.fix}
    if verb == "duplicate":
        deciding.mark_duplicate(
            session, correction, _original(form), credit_too=bool(form.credit_too), **who
        )
    elif verb not in {"accept", "publish"}:
        getattr(deciding, verb)(session, correction, **who)
    elif form.fixed_in == NEW_REVISION:
        seen = form.seen_version
        deciding.accept_text(session, correction, form.text, seen_version=seen, **told, **who)
    else:
        number = _number(form)
        _refuse_edited(session, correction, form)
        deciding.accept(session, correction, fixed_in=number, **told, **who)


def _number(form: DecisionForm) -> int:
    if not form.fixed_in.isdecimal() or len(form.fixed_in) > 9:
        raise InvalidInput("Choose the revision that has it right.", field="fixed_in")
    return int(form.fixed_in)


def _refuse_edited(session: Session, correction: Correction, form: DecisionForm) -> None:
    """Let pass who did not edit the text that accepting an earlier revision would drop."""
    part = find_part(
        content_of(correction.question), key_of(correction.part, correction.answer_uid)
    )
    proposal = proposal_of(session, correction)
    given = {part.text if part else "", proposal.draft if proposal else ""}
    if form.text.strip() not in {"", *(text.strip() for text in given)}:
        raise InvalidInput(
            "You edited the text. Choose the new revision with that text, or undo your edit.",
            field="fixed_in",
        )


def _original(form: DecisionForm) -> Correction:
    found = _ID.fullmatch(form.duplicate_of.strip())
    original = db.session.get(Correction, min(int(found[1]), 2**31 - 1)) if found else None
    if original is None:
        raise InvalidInput(
            "There is no such correction. Give the number in the address of its page at the desk.",
            field="duplicate_of",
        )
    return original


def _publish(correction: Correction, form: DecisionForm) -> None:
    """Publish the text that the page showed, or the one that it made; nothing that came since."""
    made = form.fixed_in == NEW_REVISION and correction.fixed_in
    try:
        with transaction() as session:
            release = publishing.publish_seen(
                session,
                correction.question,
                number=made or form.seen_version,
                by=actor(),
                at=now(),
            )
    except NotPublishable as error:
        flash(f"Not published. {' '.join(error.reasons)}", "error")
    except CmsError as error:
        flash(f"Not published. {error}", "error")
    else:
        if release is not None:
            flash(*published(release))


def _opened(correction: Correction, proposal: Proposal | None, today: str) -> DecisionForm:
    """Return the form as it is first shown: as the reporter would have it."""
    form = DecisionForm(fix=correction.fix, credit=correction.credit, text=today)
    standing = proposal.standing if proposal else None
    if proposal is not None and standing in {Standing.applies, Standing.overlaps}:
        form.fixed_in, form.text = NEW_REVISION, proposal.draft
    elif proposal is not None and proposal.first_in is not None:
        form.fixed_in = str(proposal.first_in)
    return form


def _offered(question: Question, proposal: Proposal | None) -> list[int]:
    numbers = list(range(question.latest_number, 0, -1))[:OFFERED_REVISIONS]
    first = proposal.first_in if proposal else None
    return numbers if first is None or first in numbers else [*numbers, first]


def _originals(session: Session, correction: Correction) -> list[Correction]:
    """Return the other corrections of the same question, the newest first."""
    return list(
        session.scalars(
            select(Correction)
            .where(Correction.question_id == correction.question_id, Correction.id != correction.id)
            .options(load_only(Correction.claim, Correction.status))
            .order_by(Correction.id.desc())
            .limit(OFFERED_ORIGINALS)
        )
    )
