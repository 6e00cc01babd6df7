"""Corrections on their way to the shelf: which are public, their numbers, their public rows."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, delete, func, insert, or_, select, update
from sqlalchemy.orm import Session, selectinload

from cms.formats.item import CorrectionItem
from cms.models import AuditEvent, Correction, PublishedCorrection, Release
from cms.services.content import source_items
from cms.vocabulary import CorrectionStatus

RESTORE = "bank.restore"
"""The audit's action of a bank that was replaced by a backup."""


def public_corrections(session: Session, published: dict[int, int]) -> dict[int, list[Correction]]:
    """Return the errata of questions at their published revisions; number the new ones."""
    found = list(
        session.scalars(
            select(Correction)
            .where(
                Correction.question_id.in_(published),
                Correction.status == CorrectionStatus.accepted,
                Correction.fixed_in.is_not(None),
            )
            .options(selectinload(Correction.sources))
            .order_by(Correction.decided_at, Correction.id)
        )
    )
    public = [c for c in found if c.fixed_in is not None and c.fixed_in <= published[c.question_id]]
    unnumbered = [correction for correction in public if correction.number is None]
    if unnumbered:
        # The release counter's lock makes this the only transaction that gives numbers.
        for number, correction in enumerate(unnumbered, highest_number(session) + 1):
            correction.number = number
        session.flush()
    grouped: dict[int, list[Correction]] = defaultdict(list)
    for correction in sorted(public, key=lambda c: c.number or 0):
        grouped[correction.question_id].append(correction)
    return grouped


def highest_number(session: Session) -> int:
    """Return the highest number that was ever given, also to what was purged or replaced."""
    held = session.scalar(select(func.max(Correction.number))) or 0
    telling = AuditEvent.action.in_(("question.purge", RESTORE))
    events = session.scalars(select(AuditEvent.data).where(telling))
    gone: list[int] = [data.get("highest_correction", 0) for data in events]
    return max(held, *gone, 0)


def free_duplicates(session: Session, going: ColumnElement[bool]) -> None:
    """Let go the duplicates of corrections that are about to be deleted."""
    session.execute(
        update(Correction)
        .where(Correction.duplicate_of_id.in_(select(Correction.id).where(going)))
        .values(duplicate_of_id=None)
    )


def correction_item(correction: Correction) -> CorrectionItem:
    """Return a correction as formats carry it."""
    return CorrectionItem(
        uid=correction.uid,
        number=correction.number,
        kind=correction.kind,
        claim=correction.claim,
        explanation=correction.explanation,
        fix=correction.fix,
        status=correction.status,
        answer=correction.answer_uid,
        credit=correction.credit,
        sources=source_items(correction.sources),
        decided_at=correction.decided_at,
        fixed_in=correction.fixed_in,
    )


def put_corrections(
    session: Session,
    rows: Sequence[Any],
    corrections: dict[int, list[Correction]],
    release: Release,
) -> None:
    # One that came from another question, by a merge, leaves that one's errata.
    moved = [each.number for group in corrections.values() for each in group]
    session.execute(
        delete(PublishedCorrection).where(
            or_(
                PublishedCorrection.question_uid.in_([row.uid for row in rows]),
                PublishedCorrection.number.in_(moved),
            )
        )
    )
    values = [
        {
            "number": correction.number,
            "uid": correction.uid,
            "question_uid": row.uid,
            "kind": correction.kind,
            "document": msgspec.json.encode(correction_item(correction)).decode(),
            "decided_at": correction.decided_at,
            "release": release.number,
        }
        for row in rows
        for correction in corrections.get(row.id, [])
    ]
    if values:
        session.execute(insert(PublishedCorrection), values)
