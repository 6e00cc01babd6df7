"""The working copy: create, save, submit, delete a draft, restore a revision.

Every save appends a Revision. Whoever saves names the revision that they saw:
somebody else's save in between is a StaleEdit, never an overwrite.
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec
from msgspec.structs import replace
from sqlalchemy import exists, select
from sqlalchemy.orm import Session, defer

from cms.errors import InvalidContent, StaleEdit, WrongState
from cms.formats.item import Content, content_hash
from cms.models import Change, Correction, Option, Question, Revision, Tag, User, new_uid
from cms.services import news
from cms.services.addresses import free_slug
from cms.services.admission import checked, refuse_taken
from cms.services.aliases import current_uids, living_uids
from cms.services.assets import note_uses
from cms.services.audit import record
from cms.services.content import (
    answer_row,
    content_of,
    decode,
    derived,
    find_revision,
    link_checks,
    option_items,
    option_values,
    revision_content,
)
from cms.services.errata import free_duplicates
from cms.services.locking import lock_row
from cms.services.permissions import require, require_writer
from cms.services.warnings import settle
from cms.text import normalize_line
from cms.vocabulary import Origin, Role, Stage

REASON_LIMIT = 500  # characters of why a question was returned
SUMMARY_LIMIT = 440  # characters of why a revision was restored
MERGED = "This question was merged into another one; edit that one."
STANDS_IN = "Another question was merged into this one, which answers for it. Retire it instead."
WAS_PUBLIC = "This question was public, so its address and its history stay. Retire it instead."


def create(
    session: Session,
    content: Content,
    *,
    by: User | None,
    at: datetime,
    summary: str = "",
    origin: Origin = Origin.edit,
) -> Question:
    """Add a draft with its first revision. Uids and slug are made where `content` has none.

    :raises InvalidContent: when the content breaks a rule, or its slug or a uid is taken
    """
    require(by, Role.contributor, "write questions")
    content = checked(content)
    content.tags = current_uids(session, content.tags)
    uid = content.uid or new_uid()
    content = replace(content, uid=uid, slug=content.slug or free_slug(session, content.stem, uid))
    refuse_taken(session, content)
    question = Question(
        uid=uid,
        stage=Stage.draft,
        created_by_id=by.id if by else None,
        created_at=at,
    )
    _write(session, question, content, at)
    session.add(question)
    session.flush()
    _append(session, question, by=by, at=at, summary=summary, origin=origin)
    record(session, by=by, at=at, action="question.create", about=f"question:{uid}")
    session.flush()
    return question


def save(
    session: Session,
    question: Question,
    content: Content,
    *,
    seen_version: int,
    by: User | None,
    at: datetime,
    summary: str = "",
    origin: Origin = Origin.edit,
    batch_id: int | None = None,
) -> Revision | None:
    """Replace the working copy by `content` and append a revision; None if nothing changed.

    `seen_version` is the number of the newest revision that the editor saw.
    What is public stays as it is until the question is published again.

    :raises StaleEdit: when somebody saved in between; nothing is written
    :raises InvalidContent: when the content breaks a rule, or its slug or a uid is taken
    """
    require_writer(by, question)
    lock(session, question)
    if question.merged_into_id is not None:
        raise WrongState(MERGED)
    content = checked(replace(content, uid=question.uid, slug=content.slug or question.slug))
    content.tags = current_uids(session, content.tags)
    current = content_of(question)
    if same(content, current):
        return None
    if question.latest_number != seen_version:
        raise stale(session, question, mine=content, seen_version=seen_version)
    refuse_taken(session, content)
    _write(session, question, content, at)
    session.flush()
    revision = _append(
        session, question, by=by, at=at, summary=summary, origin=origin, batch_id=batch_id
    )
    settle(session, question, revision.number, before=current, after=content, by=by, at=at)
    record(
        session,
        by=by,
        at=at,
        action="question.save",
        about=f"question:{question.uid}",
        revision=revision.number,
        origin=origin,
    )
    session.flush()
    return revision


def stale(session: Session, question: Question, *, mine: Content, seen_version: int) -> StaleEdit:
    """Return the error that shows mine, theirs and the base."""
    latest = find_revision(session, question, question.latest_number)
    base = session.scalar(select(Revision).filter_by(question_id=question.id, number=seen_version))
    return StaleEdit(
        mine=mine,
        theirs=content_of(question),
        base=decode(base) if base else None,
        by=str(latest.author or "The command line"),
    )


def restore(
    session: Session,
    question: Question,
    number: int,
    *,
    seen_version: int,
    by: User | None,
    at: datetime,
    summary: str = "",
) -> Revision | None:
    """Make an earlier revision's content the newest one; the address stays as it is.

    Tags that were deleted since are left out, merged ones are what they became.
    None if nothing would change.
    """
    told = f"Restored revision {number}"
    summary = normalize_line(summary)[:SUMMARY_LIMIT]
    content = revision_content(session, question, number)
    known = sorted(set(living_uids(session, content.tags).values()))
    return save(
        session,
        question,
        replace(content, slug=question.slug, tags=known),
        seen_version=seen_version,
        by=by,
        at=at,
        summary=f"{told}: {summary}" if summary else told,
        origin=Origin.restore,
    )


def submit(session: Session, question: Question, *, by: User | None, at: datetime) -> None:
    """Put a draft, or a published question with unpublished changes, in review."""
    lock(session, question)
    move(session, question, Stage.in_review, by=by, at=at)
    session.flush()
    news.tell(session, news.SUBMITTED, [question], by=by, at=at)


def return_to_draft(
    session: Session, question: Question, *, by: User | None, at: datetime, reason: str = ""
) -> None:
    """Take a question out of review, for more work; those who worked on it read the reason."""
    reason = normalize_line(reason)[:REASON_LIMIT]
    lock(session, question)
    move(session, question, Stage.draft, by=by, at=at, reason=reason)
    session.flush()
    news.tell(session, news.RETURNED, [question], by=by, at=at, reason=reason)


def move(
    session: Session,
    question: Question,
    to: Stage,
    *,
    by: User | None,
    at: datetime,
    reason: str = "",
) -> None:
    """Move a question, which is locked, to the other stage; the caller flushes, and tells."""
    require(by, Role.contributor, "submit questions")
    before = Stage.draft if to == Stage.in_review else Stage.in_review
    if question.retired_at is not None:
        raise WrongState("This question is retired. Un-retire it first.")
    if question.stage != before:
        raise WrongState(f"This question is not in the stage '{before.value}' any more.")
    if question.published_number is not None and not question.has_unpublished_changes:
        raise WrongState("Everything in this question is published; there is nothing to review.")
    question.stage = to
    action = "question.submit" if to == Stage.in_review else "question.return"
    said = {"reason": reason} if reason else {}
    record(session, by=by, at=at, action=action, about=f"question:{question.uid}", **said)


def was_public(session: Session, question: Question) -> bool:
    """Whether any release ever published this question."""
    return bool(session.scalar(select(exists().where(Change.uid == question.uid))))


def answers_for_others(session: Session, ids: Sequence[int]) -> set[int]:
    """Return those of the questions into which others were merged."""
    into = Question.merged_into_id
    merged = session.scalars(select(into).where(into.in_(ids)).distinct())
    return {key for key in merged if key is not None}


def delete_draft(
    session: Session,
    question: Question,
    *,
    by: User | None,
    at: datetime,
    seen_version: int | None = None,
) -> None:
    """Delete a question that was never public; the audit keeps its whole content.

    `seen_version` is the revision that was looked at, None for whichever is the newest.

    :raises WrongState: when it was public: such a question is retired instead; or when
        somebody saved it since it was looked at
    """
    require_writer(by, question)
    lock(session, question)
    if was_public(session, question):
        raise WrongState(WAS_PUBLIC)
    if answers_for_others(session, [question.id]):
        raise WrongState(STANDS_IN)
    if seen_version not in {None, question.latest_number}:
        newest = find_revision(session, question, question.latest_number)
        raise WrongState(
            f"{newest.author or 'The command line'} saved revision {newest.number} of this draft "
            "since you opened it, so it was not deleted. Look at it again first."
        )
    record(
        session,
        by=by,
        at=at,
        action="question.delete",
        about=f"question:{question.uid}",
        content=msgspec.to_builtins(content_of(question)),
        tags=[tag.slug for tag in question.tags],
    )
    free_duplicates(session, Correction.question_id == question.id)
    session.delete(question)
    session.flush()


def lock(session: Session, question: Question) -> None:
    """Read the question anew and keep others from changing it until the transaction ends.

    :raises NotFound: when somebody deleted it meanwhile
    """
    lock_row(session, question, "question")


def lock_all(session: Session, ids: Sequence[int]) -> list[Question]:
    """Read questions anew, without their long texts, and keep others from changing them.

    They are locked in one order, so that two who do so never wait for each other.
    """
    session.flush()
    return list(
        session.scalars(
            select(Question)
            .where(Question.id.in_(ids))
            .options(defer(Question.context), defer(Question.search_text))
            .order_by(Question.id)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
    )


def same(content: Content, current: Content) -> bool:
    """Whether a save would change nothing; a new answer has no uid yet and is a change."""
    return replace(content, tags=sorted(content.tags)) == current


def _write(session: Session, question: Question, content: Content, at: datetime) -> None:
    """Put `content` into the rows of the working copy."""
    assert content.slug is not None
    question.slug = content.slug
    question.stem = content.stem
    question.context = content.context
    question.difficulty = content.difficulty
    for name, value in derived(content).items():
        setattr(question, name, value)
    question.updated_at = at
    tags = list(session.scalars(select(Tag).where(Tag.uid.in_(content.tags)).order_by(Tag.slug)))
    if len(tags) != len(set(content.tags)):
        raise InvalidContent([("tags", "One of these tags was deleted. Choose the tags again.")])
    question.tags = tags
    existing = {answer.uid: answer for answer in question.answers}
    checks = link_checks(source for answer in question.answers for source in answer.sources)
    question.answers = [
        answer_row(existing.get(item.uid or ""), item, position, checks)
        for position, item in enumerate(content.answers)
    ]
    if option_items(question.options) != content.options:
        question.options = [Option(**values) for values in option_values(content.options)]


def _append(
    session: Session,
    question: Question,
    *,
    by: User | None,
    at: datetime,
    summary: str,
    origin: Origin,
    batch_id: int | None = None,
) -> Revision:
    """Append the working copy as a revision."""
    content = content_of(question)
    question.latest_number = (question.latest_number or 0) + 1
    revision = Revision(
        question_id=question.id,
        number=question.latest_number,
        content=msgspec.json.encode(content).decode(),
        content_hash=content_hash(content),
        author_id=by.id if by else None,
        created_at=at,
        summary=summary,
        origin=origin,
        batch_id=batch_id,
    )
    session.add(revision)
    note_uses(session, [(question.id, revision.content)])
    return revision
