"""The public intake: readers without an account report errors of the public text.

A report is an open correction of the revision that the reader saw; nothing of
it is public before an editor decides. Of the reader the bank keeps what they
typed, and for an hour that somebody reported from their address.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from cms.errors import InvalidContent, NotFound
from cms.models import Correction, Question, Revision
from cms.services import throttles
from cms.services.content import revision_content
from cms.services.corrections import open_correction
from cms.services.proposals import find_part, key_of
from cms.services.throttles import Limit

HOUR = timedelta(hours=1)
FROM_ADDRESS = Limit("report", 5, HOUR)
OF_ALL = Limit("reports", 60, HOUR)

# Characters that a reader may send; editors may file more.
LIMITS: Mapping[str, int] = {"claim": 2_000, "explanation": 5_000, "credit": 100}
# … and by how many a proposed text may be longer than the one that it replaces.
GROWTH = 10_000
MOST_SOURCES = 5


def live_question(session: Session, uid: str) -> Question:
    """Return a question that is public.

    :raises NotFound: when it is not, or not any more
    """
    question = session.scalar(select(Question).where(Question.uid == uid))
    if question is None or question.published_number is None:
        raise NotFound("This question is not public any more.")
    return question


def seen_revision(session: Session, question: Question, number: int) -> int:
    """Return the revision that a reader saw: `number` if it was ever public, else today's."""
    was_public = session.scalar(
        select(Revision.number).where(
            Revision.question_id == question.id,
            Revision.number == number,
            Revision.release.is_not(None),
        )
    )
    assert question.published_number is not None
    return was_public or question.published_number


def report(
    session: Session, question: Question, address: str, filed: Mapping[str, Any], *, at: datetime
) -> Correction:
    """File what a reader sent from an IP address; `filed` are arguments of `open_correction`.

    :raises InvalidContent: when a field breaks a rule, or is longer than readers may send
    :raises TooManyAttempts: after 5 reports in an hour from this address, or 60 of everybody's
    """
    _refuse_long(session, question, filed)
    correction = open_correction(session, question, **filed, from_reader=True, by=None, at=at)
    # Whoever counts keeps others from counting, log-ins too, until the transaction ends.
    throttles.count(
        session,
        [
            (FROM_ADDRESS, FROM_ADDRESS.subject(throttles.address_key(address))),
            (OF_ALL, OF_ALL.subject("all")),
        ],
        refusal="Too many corrections were sent lately. Yours still stands in the form below.",
        at=at,
    )
    return correction


def _refuse_long(session: Session, question: Question, filed: Mapping[str, Any]) -> None:
    found = [
        (name, f"It has {len(filed[name]):,} characters, the limit is {limit:,}. Shorten it.")
        for name, limit in LIMITS.items()
        if len(filed[name]) > limit
    ]
    if len(filed["sources"]) > MOST_SOURCES:
        found.append(("", f"It names more than {MOST_SOURCES} sources. Keep the best ones."))
    seen = revision_content(session, question, filed["seen_in"])
    part = find_part(seen, key_of(filed["part"], filed["answer_uid"]))
    if part and len(filed["proposed"]) > len(part.text) + GROWTH:
        found.append(("proposed", f"It adds more than {GROWTH:,} characters. Shorten it."))
    if found:
        raise InvalidContent(found)
