"""Publish and retire: the one door between the working copy and the shelf."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import exists, select, update
from sqlalchemy.orm import Session

from cms.errors import NotFound, NotPublishable, WrongState
from cms.models import ImportWarning, Question, Revision, User
from cms.services import news, shelf
from cms.services.audit import record, record_all
from cms.services.blockers import reasons, with_open_warnings
from cms.services.chunks import chunks
from cms.services.content import find_revision
from cms.services.permissions import require
from cms.services.questions import lock, lock_all
from cms.services.releases import open_release
from cms.services.warnings import is_open
from cms.vocabulary import ChangeKind, Role, Stage


@dataclass(slots=True)
class Published:
    """What a publishing did. `release` is None when nothing became or stayed to become public."""

    release: int | None = None
    published: list[Question] = field(default_factory=list)
    unchanged: list[Question] = field(default_factory=list)
    refused: list[NotPublishable] = field(default_factory=list)


def publish(
    session: Session,
    questions: Sequence[Question],
    *,
    by: User | None,
    at: datetime,
    force: bool = False,
    numbers: Mapping[int, int] | None = None,
) -> Published:
    """Put the newest revision of each question on the shelf, all in one release.

    `numbers` names an earlier revision for some, by the questions' ids; what was
    saved since then stays unpublished. What cannot go public is refused with its
    reasons, the others are published. `force` acknowledges open import warnings
    (audited); it never publishes a question without an answer.

    :raises NotAllowed: when the actor is no editor
    """
    require(by, Role.editor, "publish questions")
    pinned = numbers or {}
    result = Published()
    ready: list[Question] = []
    for some in chunks(questions):
        ids = [question.id for question in some]
        lock_all(session, ids)
        chosen = {each.id: pinned.get(each.id, each.latest_number) for each in some}
        refused = reasons(session, some, chosen, by=by, acknowledged=force)
        for question in some:
            if question.published_number == chosen[question.id]:
                result.unchanged.append(question)
            elif question.id in refused:
                result.refused.append(NotPublishable(question.slug, refused[question.id]))
            else:
                ready.append(question)
        if force:
            damaged = with_open_warnings(session, ids)
            _acknowledge(session, damaged & {question.id for question in ready}, by=by, at=at)
    if not ready:
        session.flush()
        return result
    count = len(ready)
    summary = f"Published {ready[0].stem}" if count == 1 else f"Published {count} questions"
    release = open_release(session, by=by, at=at, summary=summary)
    for question in ready:
        question.published_number = pinned.get(question.id, question.latest_number)
        if not question.has_unpublished_changes:
            question.stage = Stage.draft
            # What was to be done until then is done.
            question.due_on = None
        question.scheduled_number = question.scheduled_at = None
    session.flush()
    for some in chunks(ready):
        record_all(
            session,
            by=by,
            at=at,
            action="question.publish",
            told={
                f"question:{each.uid}": {
                    "revision": each.published_number,
                    "release": release.number,
                }
                for each in some
            },
        )
    ids = [question.id for question in ready]
    for some_ids in chunks(ids):
        session.execute(
            update(Revision)
            .where(
                Revision.question_id.in_(some_ids),
                Revision.release.is_(None),
                exists().where(
                    Question.id == Revision.question_id,
                    Question.published_number == Revision.number,
                ),
            )
            .values(release=release.number)
            .execution_options(synchronize_session=False)
        )
    shelf.refresh(session, ids, release, ChangeKind.published)
    news.tell(session, news.PUBLISHED, ready, by=by, at=at)
    result.release = release.number
    result.published = ready
    return result


def publish_seen(
    session: Session, question: Question, *, number: int, by: User | None, at: datetime
) -> int | None:
    """Publish the revision that somebody looked at; return the release, None if it is public.

    :raises WrongState: when it is not the newest one any more; nothing is published then
    :raises NotPublishable: with what keeps it from going public
    """
    lock(session, question)
    require_newest(session, question, number)
    done = publish(session, [question], by=by, at=at)
    if done.refused:
        raise done.refused[0]
    return done.release


def require_newest(session: Session, question: Question, number: int) -> None:
    """Let pass whoever looked at the newest revision of a question, which is locked.

    :raises WrongState: when somebody saved since
    """
    if question.latest_number == number:
        return
    author = find_revision(session, question, question.latest_number).author
    raise WrongState(
        f"{author or 'The command line'} saved revision {question.latest_number} since you "
        "looked. Nothing goes public before you have seen that, too."
    )


def blockers(
    session: Session, question: Question, number: int | None = None, *, by: User | None = None
) -> list[str]:
    """Return why the actor cannot publish a revision, by default the newest; else nothing."""
    chosen = {question.id: number or question.latest_number}
    return reasons(session, [question], chosen, by=by).get(question.id, [])


def retire(
    session: Session,
    questions: Sequence[Question],
    *,
    by: User | None,
    at: datetime,
    reason: str = "",
) -> int:
    """Take published questions off the shelf in one release; return its number.

    Their addresses answer 410 from then on, and exports name them as withdrawn.

    :raises WrongState: when one of them is not published; nothing is retired then
    """
    require(by, Role.editor, "retire questions")
    for some in chunks(sorted(question.id for question in questions)):
        found = lock_all(session, some)
        if len(found) < len(set(some)):
            raise NotFound("Somebody deleted one of these questions meanwhile.")
        for question in found:
            if question.published_number is None:
                raise WrongState(f"'{question.stem}' is not published, so it cannot be retired.")
    summary = f"Retired {questions[0].stem}" if len(questions) == 1 else f"Retired {len(questions)}"
    release = open_release(session, by=by, at=at, summary=summary)
    for question in questions:
        question.retired_at = at
        question.published_number = None
        question.scheduled_number = question.scheduled_at = None
        record(
            session,
            by=by,
            at=at,
            action="question.retire",
            about=f"question:{question.uid}",
            release=release.number,
            reason=reason,
        )
    session.flush()
    shelf.withdraw(session, questions, release, reason=reason)
    return release.number


def unretire(session: Session, question: Question, *, by: User | None, at: datetime) -> None:
    """Make a retired question a draft again; its tombstone stays until it is published.

    :raises WrongState: when it is not retired, or was merged into another question
    """
    lock(session, question)
    revive(session, question, by=by, at=at)
    session.flush()


def revive(session: Session, question: Question, *, by: User | None, at: datetime) -> None:
    """Un-retire a question that is locked; the caller flushes."""
    require(by, Role.editor, "un-retire questions")
    if question.retired_at is None:
        raise WrongState("This question is not retired.")
    if question.merged_into_id is not None:
        raise WrongState("This question was merged into another one, which answers for it.")
    question.retired_at = None
    question.stage = Stage.draft
    record(session, by=by, at=at, action="question.unretire", about=f"question:{question.uid}")


def _acknowledge(session: Session, ids: set[int], *, by: User | None, at: datetime) -> None:
    if not ids:
        return
    session.execute(
        update(ImportWarning)
        .where(ImportWarning.question_id.in_(ids), is_open())
        .values(acknowledged_at=at, acknowledged_by_id=by.id if by else None)
        .execution_options(synchronize_session="fetch")
    )
    for uid in session.scalars(select(Question.uid).where(Question.id.in_(ids))):
        record(
            session,
            by=by,
            at=at,
            action="warning.acknowledge",
            about=f"question:{uid}",
            forced=True,
        )
