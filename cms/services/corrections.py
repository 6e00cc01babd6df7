"""Corrections: filed by whoever sees an error, public with the revision that fixes it.

What becomes of them is decided in `cms.services.deciding`.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from cms.errors import InvalidContent, WrongState
from cms.formats.checks import faults as content_faults
from cms.formats.item import Content, CorrectionItem, Item, SourceItem
from cms.formats.normalizing import normalized
from cms.models import Correction, Question, User
from cms.services.assets import note_uses
from cms.services.audit import record
from cms.services.content import revision_content, source_rows
from cms.services.inbox import notify
from cms.services.permissions import require
from cms.services.proposals import checked_text, find_part, key_of
from cms.services.questions import lock
from cms.vocabulary import CorrectionKind, CorrectionStatus, NotificationKind, Role, TextPart

READER = "reader"
"""What an event's 'from' says where somebody without an account filed a correction."""

NAMELESS = "Somebody"
"""What a reader who gave no name is called."""


def open_correction(
    session: Session,
    question: Question,
    *,
    kind: CorrectionKind,
    claim: str,
    explanation: str = "",
    fix: str = "",
    part: TextPart | None = None,
    answer_uid: str | None = None,
    proposed: str | None = None,
    seen_in: int | None = None,
    sources: Sequence[SourceItem] = (),
    credit: str = "",
    uid: str | None = None,
    from_reader: bool = False,
    by: User | None,
    at: datetime,
) -> Correction:
    """File a correction; nothing is public before it is accepted.

    `proposed` is the whole text of the named part as it should be, `seen_in`
    the revision that the reporter saw, by default the newest one. `from_reader`
    tells a reader without an account, known by the name to credit, from the
    command line. With a `uid` that the question's correction has already, that
    one is returned: a form that is sent twice files one correction. Where it says
    something else by then, that is refused, and not lost.

    :raises InvalidContent: when a field breaks a rule
    :raises NotFound: when there is no such revision, or somebody deleted the question meanwhile
    :raises WrongState: when the question was merged into another one, or the form filed
        something else before
    """
    require(by, Role.contributor, "file corrections")
    item = checked_item(
        CorrectionItem(
            uid=uid,
            kind=kind,
            claim=claim,
            explanation=explanation,
            fix=fix,
            answer=answer_uid,
            credit=credit,
            sources=list(sources),
        )
    )
    reporter_id = by.id if by else None
    lock(session, question)
    if item.uid is not None and (filed := _filed(session, item.uid)):
        if (filed.question_id, filed.reporter_id) != (question.id, reporter_id):
            raise WrongState("This form filed another correction. Open it anew.")
        seen = revision_content(session, question, seen_in or filed.seen_in or 1)
        text = _proposed(seen, key_of(part, item.answer), proposed)
        sent = item.kind, item.claim, item.explanation, text
        if (filed.kind, filed.claim, filed.explanation, filed.proposed) != sent:
            raise WrongState(
                "This form was sent before, in other words, and that correction is filed. "
                "Open the form anew to file this one, too."
            )
        return filed
    if question.merged_into_id is not None:
        raise WrongState("This question was merged into another one. File the correction there.")
    seen_in = seen_in or question.latest_number
    seen = revision_content(session, question, seen_in)
    correction = Correction(
        uid=item.uid,
        question_id=question.id,
        seen_in=seen_in,
        kind=item.kind,
        claim=item.claim,
        explanation=item.explanation,
        fix=item.fix,
        answer_uid=item.answer,
        part=part or (TextPart.body if item.answer else None),
        proposed=_proposed(seen, key_of(part, item.answer), proposed),
        credit=item.credit,
        status=CorrectionStatus.open,
        reporter_id=reporter_id,
        reporter_name=(item.credit or NAMELESS) if from_reader else "",
        created_at=at,
        sources=source_rows(item.sources),
    )
    session.add(correction)
    session.flush()
    said = "\n".join((item.claim, item.explanation, item.fix, correction.proposed or ""))
    note_uses(session, [(question.id, said)])
    record(
        session,
        by=by,
        at=at,
        action="correction.open",
        about=f"correction:{correction.uid}",
        question=question.uid,
        kind=item.kind,
        **({"from": READER} if from_reader else {}),
    )
    notify(
        session,
        [question.assignee_id],
        NotificationKind.correction,
        by=by,
        at=at,
        question=question,
        correction=correction,
    )
    session.flush()
    return correction


def checked_item(item: CorrectionItem) -> CorrectionItem:
    """Return a correction normalized, checked by the same rules as in every file.

    :raises InvalidContent: with every fault and its remedy
    """
    prefix = "corrections[0]."
    carrier = normalized(Item(stem="-", corrections=[item]))
    found = [(path.removeprefix(prefix), text) for path, text in content_faults(carrier)]
    if found:
        raise InvalidContent(found)
    return carrier.corrections[0]


def _filed(session: Session, uid: str) -> Correction | None:
    return session.scalar(select(Correction).where(Correction.uid == uid))


def _proposed(seen: Content, key: str, text: str | None) -> str | None:
    """Return the proposed text of a part, checked; None without one, or if it changes nothing."""
    part = find_part(seen, key)
    if key and part is None:
        raise InvalidContent([("answer", "This question has no such answer any more.")])
    if text is None:
        return None
    if part is None:
        raise InvalidContent([("proposed", "Choose which text is to read like this.")])
    return checked_text(seen, part, text)
