"""Decisions about corrections: accept, reject, hold, mark as a duplicate, open again.

Each is audited, and its reporter gets a note with the reason. Whoever decides
holds the locks of the questions first, then those of the corrections.
"""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from cms.errors import InvalidInput, NotAllowed, NotFound, WrongState
from cms.formats.item import LINE_LIMIT, CorrectionItem
from cms.models import Correction, Question, Revision, User
from cms.services import shelf
from cms.services.audit import record
from cms.services.blockers import own
from cms.services.content import content_of, find_revision
from cms.services.corrections import checked_item
from cms.services.inbox import notify
from cms.services.locking import lock_row
from cms.services.permissions import four_eyes, needs_another, require
from cms.services.proposals import checked_text, find_part, key_of, with_text
from cms.services.questions import lock, save, stale
from cms.services.releases import open_release
from cms.text import normalize_body, normalize_line
from cms.vocabulary import ChangeKind, CorrectionStatus, NotificationKind, Origin, Role

OPEN, HELD = CorrectionStatus.open, CorrectionStatus.held
UNDECIDED = (OPEN, HELD)

# From which states each decision leads, and to which one.
DECISIONS: Mapping[str, tuple[frozenset[CorrectionStatus], CorrectionStatus]] = {
    "accept": (frozenset({OPEN, HELD}), CorrectionStatus.accepted),
    "reject": (frozenset({OPEN, HELD}), CorrectionStatus.rejected),
    "duplicate": (frozenset({OPEN, HELD}), CorrectionStatus.duplicate),
    "hold": (frozenset({OPEN}), HELD),
    "reopen": (frozenset({HELD, CorrectionStatus.rejected, CorrectionStatus.duplicate}), OPEN),
}
_STATES = {
    OPEN: "is open",
    HELD: "is held",
    CorrectionStatus.accepted: "was accepted already",
    CorrectionStatus.rejected: "was rejected already",
    CorrectionStatus.duplicate: "was marked as a duplicate already",
}
# Characters of a claim that stand in the summary of the revision that fixes it.
SHOWN_CLAIM = 120
REASON_LIMIT = 4_000  # characters


def accept(
    session: Session,
    correction: Correction,
    *,
    fixed_in: int | None = None,
    credit: str | None = None,
    fix: str | None = None,
    by: User | None,
    at: datetime,
    reason: str = "",
) -> None:
    """Accept a correction and name the revision that has it right; by default the newest.

    Where that revision, or a later one, is published already, the erratum goes
    public at once, as a release of its own. `credit` and `fix` replace what the
    correction has; None leaves them.

    :raises WrongState: when it was decided before
    :raises NotFound: when there is no such revision
    :raises NotAllowed: when four eyes are demanded, and the actor filed it or gives readers
        words that nobody else has seen
    """
    _begin(session, correction, "accept", by=by)
    _accept(session, correction, fixed_in, credit=credit, fix=fix, by=by, at=at, reason=reason)


def accept_text(
    session: Session,
    correction: Correction,
    text: str,
    *,
    seen_version: int,
    credit: str | None = None,
    fix: str | None = None,
    by: User | None,
    at: datetime,
    reason: str = "",
) -> Revision:
    """Accept a correction by saving `text` in the part that it is about; return that revision.

    `seen_version` is the newest revision that the editor saw.

    :raises WrongState: when it was decided before, or its part is gone
    :raises StaleEdit: when somebody saved the question in between; nothing is written
    :raises InvalidContent: when the text breaks a rule of its part
    :raises InvalidInput: when the question reads like this already
    :raises NotAllowed: when four eyes are demanded and the actor filed it
    """
    _begin(session, correction, "accept", by=by)
    question = correction.question
    content = content_of(question)
    part = find_part(content, key_of(correction.part, correction.answer_uid))
    if part is None:
        raise WrongState("The text that this correction is about is gone. Mend it in the editor.")
    if question.latest_number != seen_version:
        mine = with_text(content, part, text)
        raise stale(session, question, mine=mine, seen_version=seen_version)
    if (changed := checked_text(content, part, text)) is None:
        raise InvalidInput(
            "The question reads like this already. Choose the revision that had it right first.",
            field="fixed_in",
        )
    revision = save(
        session,
        question,
        with_text(content, part, changed),
        seen_version=seen_version,
        by=by,
        at=at,
        summary=_summary(correction),
        origin=Origin.correction,
    )
    assert revision is not None
    _accept(
        session, correction, revision.number, credit=credit, fix=fix, by=by, at=at, reason=reason
    )
    return revision


def reject(
    session: Session, correction: Correction, *, reason: str, by: User | None, at: datetime
) -> None:
    """Reject a correction, with the reason that its reporter will read.

    :raises WrongState: when it was decided before
    :raises InvalidInput: when no reason is given
    """
    _begin(session, correction, "reject", by=by)
    _demand(reason, "Say why: the reporter will want to know.")
    _decide(session, correction, "reject", by=by, at=at, reason=reason)


def hold(
    session: Session, correction: Correction, *, reason: str, by: User | None, at: datetime
) -> None:
    """Put a correction aside, with what it waits for; it stays undecided.

    :raises WrongState: when it is not open
    :raises InvalidInput: when no reason is given
    """
    _begin(session, correction, "hold", by=by)
    _demand(reason, "Say what it waits for: others will want to know.")
    _decide(session, correction, "hold", by=by, at=at, reason=reason)


def mark_duplicate(
    session: Session,
    correction: Correction,
    of: Correction,
    *,
    credit_too: bool = False,
    by: User | None,
    at: datetime,
    reason: str = "",
) -> None:
    """Say that a correction reports what another one does, of this question or of another.

    With `credit_too` whoever is to be credited for this one is for that one, too.

    :raises WrongState: when it was decided before
    :raises InvalidInput: when that one is this one, or leads back to it
    :raises NotAllowed: when four eyes are demanded and readers would see the credit at once
    """
    if of.id == correction.id:
        raise InvalidInput("A correction is no duplicate of itself.", field="duplicate_of")
    _begin(session, correction, "duplicate", by=by, beside=of)
    if correction.id in _originals(session, of):
        raise InvalidInput(
            "That one is marked as a duplicate of this one. Choose the one that is to stay.",
            field="duplicate_of",
        )
    correction.duplicate_of_id = of.id
    if credit_too and correction.credit and correction.credit not in of.credit.split(", "):
        if _is_public(of) and needs_another(session, by):
            raise NotAllowed(
                "Readers would see that credit at once, and nobody else has seen it. "
                "Mark the duplicate without it."
            )
        both = ", ".join(filter(None, (of.credit, correction.credit)))
        of.credit = both if len(both) <= LINE_LIMIT else of.credit
        _refresh_public(session, of, by=by, at=at)
    _decide(session, correction, "duplicate", by=by, at=at, reason=reason, of=of.uid)


def reopen(
    session: Session, correction: Correction, *, by: User | None, at: datetime, reason: str = ""
) -> None:
    """Open a correction again that was held, rejected or marked as a duplicate.

    :raises WrongState: when it is open, or was accepted
    """
    _begin(session, correction, "reopen", by=by)
    correction.duplicate_of_id = None
    _decide(session, correction, "reopen", by=by, at=at, reason=reason)


def _begin(
    session: Session,
    correction: Correction,
    verb: str,
    *,
    by: User | None,
    beside: Correction | None = None,
) -> None:
    """Lock what is decided about, in everybody's order, and let pass who may decide this.

    :raises WrongState: when the decision does not fit the state that it has by now
    """
    require(by, Role.editor, "decide on corrections")
    both = [each for each in (correction, beside) if each is not None]
    held = {each.question_id for each in both}
    for key in sorted(held):
        question = session.get(Question, key)
        if question is None:
            raise NotFound("Somebody deleted this correction's question meanwhile.")
        lock(session, question)
    for each in sorted(both, key=lambda each: each.id):
        lock_row(session, each, "correction")
    if {each.question_id for each in both} != held:
        raise WrongState("This correction moved to another question meanwhile. Look at it again.")
    states, _ = DECISIONS[verb]
    if correction.status not in states:
        raise WrongState(f"This correction {_STATES[correction.status]}.")
    filed_it = by is not None and correction.reporter_id == by.id
    if verb == "accept" and filed_it and four_eyes(session):
        raise NotAllowed("You filed this correction, so somebody else has to accept it.")


def _accept(
    session: Session,
    correction: Correction,
    number: int | None,
    *,
    credit: str | None,
    fix: str | None,
    by: User | None,
    at: datetime,
    reason: str,
) -> None:
    question = correction.question
    number = number or question.latest_number
    find_revision(session, question, number)
    correction.fixed_in = number
    told = checked_item(
        CorrectionItem(
            kind=correction.kind,
            claim=correction.claim,
            fix=correction.fix if fix is None else fix,
            credit=correction.credit if credit is None else credit,
        )
    )
    reworded = (told.fix, told.credit) != (correction.fix, correction.credit)
    if (
        reworded
        and needs_another(session, by)
        and (_is_public(correction) or not own(session, question, by=by))
    ):
        raise NotAllowed(
            "Readers could see your words before anybody else has. Accept the correction as it "
            "was filed, or save its fix as a revision of yours, which somebody else publishes."
        )
    correction.fix, correction.credit = told.fix, told.credit
    _decide(session, correction, "accept", by=by, at=at, reason=reason, fixed_in=number)
    _refresh_public(session, correction, by=by, at=at)


def _refresh_public(
    session: Session, correction: Correction, *, by: User | None, at: datetime
) -> None:
    """Show readers an erratum as it is now, where they see the revision that fixes it."""
    if not _is_public(correction):
        return
    question = correction.question
    release = open_release(session, by=by, at=at, summary=f"Corrected {question.stem}")
    shelf.refresh(session, [question.id], release, ChangeKind.refreshed)


def _is_public(correction: Correction) -> bool:
    """Whether readers see the revision that fixes it, or a later one."""
    number, published = correction.fixed_in, correction.question.published_number
    return number is not None and published is not None and number <= published


def _decide(
    session: Session,
    correction: Correction,
    verb: str,
    *,
    by: User | None,
    at: datetime,
    reason: str,
    **data: str | int,
) -> None:
    if len(reason) > REASON_LIMIT:
        raise InvalidInput(
            f"It has {len(reason):,} characters, the limit is {REASON_LIMIT:,}. Shorten it.",
            field="reason",
        )
    _, status = DECISIONS[verb]
    correction.status = status
    decided = status not in UNDECIDED
    correction.decided_by_id = by.id if by and decided else None
    correction.decided_at = at if decided else None
    correction.reason = normalize_body(reason)
    record(
        session,
        by=by,
        at=at,
        action=f"correction.{verb}",
        about=f"correction:{correction.uid}",
        question=correction.question.uid,
        reason=correction.reason,
        **data,
    )
    notify(
        session,
        [correction.reporter_id],
        NotificationKind.decided,
        by=by,
        at=at,
        question=correction.question,
        correction=correction,
        words=correction.reason,
    )
    session.flush()


def _originals(session: Session, correction: Correction) -> set[int]:
    """Return the ids of a correction, of the one that it repeats, and so on."""
    found: set[int] = set()
    key: int | None = correction.id
    while key is not None and key not in found:
        found.add(key)
        key = session.scalar(select(Correction.duplicate_of_id).where(Correction.id == key))
    return found


def _demand(reason: str, message: str) -> None:
    if not normalize_body(reason).strip():
        raise InvalidInput(message, field="reason")


def _summary(correction: Correction) -> str:
    """Return what the history says of the revision that fixes a correction."""
    claim = normalize_line(correction.claim)
    shown = claim if len(claim) <= SHOWN_CLAIM else f"{claim[: SHOWN_CLAIM - 1]}…"
    return f"Correction: {shown}"
