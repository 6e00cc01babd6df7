"""Corrections: open, accept, reject. An accepted one is public with the revision that fixes it."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from cms.errors import InvalidContent, InvalidInput, WrongState
from cms.formats.checks import faults as content_faults
from cms.formats.item import CorrectionItem, Item, SourceItem
from cms.formats.normalizing import normalized
from cms.models import Correction, Question, User
from cms.services import shelf
from cms.services.audit import record
from cms.services.content import find_revision, source_rows
from cms.services.permissions import require
from cms.services.questions import lock
from cms.services.releases import open_release
from cms.text import normalize_body
from cms.vocabulary import ChangeKind, CorrectionKind, CorrectionStatus, Role

UNDECIDED = (CorrectionStatus.open, CorrectionStatus.held)


def open_correction(
    session: Session,
    question: Question,
    *,
    kind: CorrectionKind,
    claim: str,
    explanation: str = "",
    fix: str = "",
    answer_uid: str | None = None,
    sources: Sequence[SourceItem] = (),
    credit: str = "",
    by: User | None,
    at: datetime,
) -> Correction:
    """File a correction of what the question says now; nothing is public before it is accepted.

    :raises InvalidContent: when a field breaks a rule
    """
    require(by, Role.contributor, "file corrections")
    item = _checked(
        CorrectionItem(
            kind=kind,
            claim=claim,
            explanation=explanation,
            fix=fix,
            answer=answer_uid,
            credit=credit,
            sources=list(sources),
        )
    )
    if item.answer is not None and item.answer not in {a.uid for a in question.answers}:
        raise InvalidContent([("answer", "This question has no such answer any more.")])
    correction = Correction(
        question_id=question.id,
        seen_in=question.latest_number,
        kind=item.kind,
        claim=item.claim,
        explanation=item.explanation,
        fix=item.fix,
        answer_uid=item.answer,
        credit=item.credit,
        status=CorrectionStatus.open,
        reporter_id=by.id if by else None,
        created_at=at,
        sources=source_rows(item.sources),
    )
    session.add(correction)
    session.flush()
    record(
        session,
        by=by,
        at=at,
        action="correction.open",
        about=f"correction:{correction.uid}",
        question=question.uid,
        kind=item.kind,
    )
    session.flush()
    return correction


def accept(
    session: Session,
    correction: Correction,
    *,
    fixed_in: int | None = None,
    by: User | None,
    at: datetime,
    reason: str = "",
) -> None:
    """Accept a correction and name the revision that has it right; by default the newest.

    Where that revision, or a later one, is published already, the erratum goes
    public at once, as a release of its own.

    :raises WrongState: when it was decided before
    :raises NotFound: when there is no such revision
    """
    _decidable(session, correction, by=by)
    question = correction.question
    lock(session, question)
    number = fixed_in or question.latest_number
    find_revision(session, question, number)
    correction.fixed_in = number
    _decide(session, correction, CorrectionStatus.accepted, by=by, at=at, reason=reason)
    if question.published_number is not None and number <= question.published_number:
        release = open_release(session, by=by, at=at, summary=f"Corrected {question.stem}")
        shelf.refresh(session, [question.id], release, ChangeKind.refreshed)


def reject(
    session: Session, correction: Correction, *, reason: str, by: User | None, at: datetime
) -> None:
    """Reject a correction, with the reason that its reporter will read.

    :raises WrongState: when it was decided before
    :raises InvalidInput: when no reason is given
    """
    _decidable(session, correction, by=by)
    if not reason.strip():
        raise InvalidInput("Say why: the reporter will want to know.", field="reason")
    _decide(session, correction, CorrectionStatus.rejected, by=by, at=at, reason=reason)


def _checked(item: CorrectionItem) -> CorrectionItem:
    """Return a correction normalized, checked by the same rules as in every file."""
    prefix = "corrections[0]."
    carrier = normalized(Item(stem="-", corrections=[item]))
    found = [(path.removeprefix(prefix), text) for path, text in content_faults(carrier)]
    if found:
        raise InvalidContent(found)
    return carrier.corrections[0]


def _decidable(session: Session, correction: Correction, *, by: User | None) -> None:
    require(by, Role.editor, "decide on corrections")
    session.refresh(correction, with_for_update=True)
    if correction.status not in UNDECIDED:
        raise WrongState(f"This correction was {correction.status.value} already.")


def _decide(
    session: Session,
    correction: Correction,
    status: CorrectionStatus,
    *,
    by: User | None,
    at: datetime,
    reason: str,
) -> None:
    correction.status = status
    correction.decided_by_id = by.id if by else None
    correction.decided_at = at
    correction.reason = normalize_body(reason)
    record(
        session,
        by=by,
        at=at,
        action=f"correction.{'accept' if status == CorrectionStatus.accepted else 'reject'}",
        about=f"correction:{correction.uid}",
        question=correction.question.uid,
        fixed_in=correction.fixed_in,
        reason=correction.reason,
    )
    session.flush()
