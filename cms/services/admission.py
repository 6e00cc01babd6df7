"""What content must be like to be saved: whole by itself, and nothing in it another question's."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from cms.errors import InvalidContent
from cms.formats.checks import Fault, refuse_faults
from cms.formats.item import Content
from cms.formats.normalizing import normalized
from cms.models import Answer, Question
from cms.services.addresses import RESERVED, slug_owners
from cms.services.chunks import chunks


def checked(content: Content) -> Content:
    """Return `content` normalized, without answers in which nothing was written.

    :raises InvalidContent: with every fault and its remedy
    """
    content = normalized(content)
    content.answers = [
        answer
        for answer in content.answers
        if answer.label or answer.body or answer.applies_to or answer.sources
    ]
    refuse_faults(content)
    return content


def refuse_taken(session: Session, content: Content) -> None:
    """Let content pass whose slug and uids no other question has.

    :raises InvalidContent: with every fault and its remedy
    """
    if found := taken_faults(session, [content]):
        raise InvalidContent(found[content.uid or ""])


def taken_faults(session: Session, contents: Sequence[Content]) -> dict[str, list[Fault]]:
    """Return what keeps contents from being saved because others have it, by their uids.

    Contents with nothing of the kind are left out.
    """
    found: dict[str, list[Fault]] = defaultdict(list)
    slugs = slug_owners(session, [content.slug for content in contents])
    uids = [answer.uid for content in contents for answer in content.answers if answer.uid]
    owners: dict[str, str] = {}
    for some in chunks(uids):
        answers = select(Answer.uid, Question.uid).join(Answer.question)
        owners |= dict(session.execute(answers.where(Answer.uid.in_(some))).all())
    for content in contents:
        assert content.uid is not None
        if content.slug and slugs.get(content.slug, set()) - {content.uid}:
            whose = (
                "a page of the site" if content.slug in RESERVED else "another question's address"
            )
            problem = f"'{content.slug}' is, or was, {whose}. Choose another."
            found[content.uid].append(("slug", problem))
        for index, answer in enumerate(content.answers):
            if answer.uid and owners.get(answer.uid, content.uid) != content.uid:
                problem = "Another question's answer has this uid."
                found[content.uid].append((f"answers[{index}].uid", problem))
    return dict(found)
