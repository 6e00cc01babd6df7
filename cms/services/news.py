"""Who is told of what happens to questions: a note for each person, however many questions."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import InstrumentedAttribute, Session

from cms.models import Question, Revision, User
from cms.services.chunks import chunks
from cms.services.inbox import notify
from cms.vocabulary import NotificationKind, Role, Stage

Concerned = Iterator[tuple[int | None, Question]]
"""Keys of accounts, or None, each with a question that concerns it; a pair may come again."""
Audience = Callable[[Session, Sequence[Question]], Concerned]


def _assignees(_session: Session, questions: Sequence[Question]) -> Concerned:
    return ((question.assignee_id, question) for question in questions)


def _reviewers(_session: Session, questions: Sequence[Question]) -> Concerned:
    """Yield the reviewers of what waits for review."""
    for question in questions:
        if question.stage == Stage.in_review:
            yield question.reviewer_id, question


def _readers(session: Session, questions: Sequence[Question]) -> Concerned:
    """Yield who reads what was submitted: the reviewer, or an assignee who is an editor."""
    assignees = {question.assignee_id for question in questions if question.reviewer_id is None}
    found = select(User).where(User.id.in_(assignees - {None}))
    editors = {user.id for user in session.scalars(found) if user.role.includes(Role.editor)}
    for question in questions:
        if question.reviewer_id is not None or question.assignee_id in editors:
            yield question.reviewer_id or question.assignee_id, question


def _authors(number: InstrumentedAttribute[int] | InstrumentedAttribute[int | None]) -> Audience:
    """Make of a column that numbers a revision those who wrote that one, and the assignees."""

    def concerned(session: Session, questions: Sequence[Question]) -> Concerned:
        written = (
            select(Revision.question_id, Revision.author_id)
            .join(Revision.question)
            .where(Question.id.in_([each.id for each in questions]), Revision.number == number)
        )
        authors = dict(session.execute(written).all())
        for question in questions:
            yield authors.get(question.id), question
            yield question.assignee_id, question

    return concerned


@dataclass(frozen=True, slots=True)
class Topic:
    """A kind of news, and whom it concerns."""

    kind: NotificationKind
    audience: Audience


ASSIGNED = Topic(NotificationKind.assigned, _assignees)
TO_REVIEW = Topic(NotificationKind.review, _reviewers)
SUBMITTED = Topic(NotificationKind.review, _readers)
RETURNED = Topic(NotificationKind.returned, _authors(Question.latest_number))
PUBLISHED = Topic(NotificationKind.published, _authors(Question.published_number))


@dataclass(slots=True)
class _Share:
    """What of the news one person gets: how many questions, and the last of them."""

    question: Question
    count: int = 1


@dataclass(slots=True)
class Bulletin:
    """News of one topic, gathered round by round, then sent as one note to each person."""

    session: Session
    topic: Topic
    _shares: dict[int, _Share] = field(default_factory=dict)

    def add(self, questions: Sequence[Question]) -> None:
        """Gather whom these questions, which were not added before, concern."""
        for user_id, question in self.topic.audience(self.session, questions):
            if user_id is None:
                continue
            share = self._shares.setdefault(user_id, _Share(question))
            if share.question is not question:
                share.question = question
                share.count += 1

    def send(self, *, by: User | None, at: datetime, reason: str = "") -> None:
        """Put a note into each inbox: about the question, or saying how many there are."""
        for user_id, share in sorted(self._shares.items()):
            alone = share.count == 1
            notify(
                self.session,
                [user_id],
                self.topic.kind,
                by=by,
                at=at,
                question=share.question if alone else None,
                words=reason if alone else f"{share.count:,} questions",
            )


def tell(
    session: Session,
    topic: Topic,
    questions: Sequence[Question],
    *,
    by: User | None,
    at: datetime,
    reason: str = "",
) -> None:
    """Tell everybody concerned, at once."""
    bulletin = Bulletin(session, topic)
    for some in chunks(questions):
        bulletin.add(some)
    bulletin.send(by=by, at=at, reason=reason)
