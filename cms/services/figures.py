"""The bank in figures: questions by status, tag and difficulty, corrections by week.

A small bank is counted whenever somebody looks. Counting a large one takes
seconds, so a worker does it, and keeps the figures with the newest event of the
audit that they know of: every change writes one, so a newer one says that they
are out of date. All numbers are those of the lists with the same filters.
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import (
    ColumnElement,
    ColumnExpressionArgument,
    Select,
    and_,
    case,
    exists,
    func,
    literal,
    not_,
    or_,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import InstrumentedAttribute, Session

from cms.models import AuditEvent, Correction, Figures, Question, Tag, question_tag
from cms.services import queues
from cms.services.statuses import STATUSES
from cms.vocabulary import CorrectionStatus, Difficulty

COUNTED_AT_ONCE = 2_000
"""Questions of a bank that is counted in every request: some hundredths of a second."""
WEEKS = 12
"""Weeks of corrections, the current one among them."""
SHOWN_TAGS = 20
RENEWED_AFTER = timedelta(minutes=1)
"""How long figures are kept although something has changed."""
RENEWED_ANYWAY = timedelta(hours=1)
"""When they are counted anew in any case: a long transaction commits an event with an old key."""

NO_DIFFICULTY = "none"
DIFFICULTIES = (*(each.value for each in Difficulty), NO_DIFFICULTY)
COUNTED_STATUSES = ("draft", "in_review", "published", "changed", "retired")

# The one row of the table.
_KEY = 1
_WEEK = re.compile(r"\d{4}-W\d{2}")


class Tally(Struct, frozen=True):
    """How many questions there are in a part of the bank.

    `by_status` is by the names of `COUNTED_STATUSES`, `by_difficulty` by those of
    `DIFFICULTIES`; `published` is what of the latter readers have.
    """

    questions: int
    by_status: dict[str, int]
    by_difficulty: dict[str, int]
    published: dict[str, int]


class WeekFigures(Struct, frozen=True):
    """How many corrections were opened and decided in an ISO week ('2026-W47') of UTC."""

    week: str
    opened: int
    decided: int


class BankFigures(Struct, frozen=True):
    """The bank, counted when the newest event of its audit was `event`.

    `tags` is by path, those with the most questions first, at most `SHOWN_TAGS`: the
    tags at the top, or, where there is but one, it and those right below it. A
    question with a tag counts for those above it. `more_tags` are left out.
    `past_review` is of questions that somebody was to look at again.
    """

    event: int
    all: Tally
    tags: dict[str, Tally]
    more_tags: int
    untagged: Tally
    weeks: list[WeekFigures]
    open_corrections: int
    past_review: int


@dataclass(frozen=True, slots=True)
class Counted:
    """Figures, when they were counted, and whether something was done since."""

    figures: BankFigures
    at: datetime
    outdated: bool = False


def is_untagged() -> ColumnElement[bool]:
    """Whether a question has no tag at all."""
    return not_(exists().where(question_tag.c.question_id == Question.id))


# --- weeks -----------------------------------------------------------------------------


def week_of(day: date) -> str:
    """Return the ISO week of a day: '2026-W47'."""
    year, week, _ = day.isocalendar()
    return f"{year:04}-W{week:02}"


def week_span(week: str) -> tuple[datetime, datetime]:
    """Return when a week begins and when the next one does, in UTC.

    :raises ValueError: when there is no such week
    """
    if not _WEEK.fullmatch(week):
        raise ValueError(week)
    begin = datetime.combine(date.fromisoformat(f"{week}-1"), time(), UTC)
    try:
        return begin, begin + timedelta(days=7)
    except OverflowError as error:
        raise ValueError(week) from error


def in_week(moment: InstrumentedAttribute[Any], week: str) -> ColumnElement[bool]:
    """Whether a moment is in an ISO week of UTC.

    :raises ValueError: when there is no such week
    """
    begin, end = week_span(week)
    return and_(moment >= begin, moment < end)


def weeks_until(day: date) -> list[str]:
    """Return the last `WEEKS` weeks, that of `day` being the last."""
    return [week_of(day - timedelta(weeks=ago)) for ago in reversed(range(WEEKS))]


# --- counting --------------------------------------------------------------------------


def count(session: Session, *, at: datetime) -> BankFigures:
    """Count the whole bank, in seven queries; `at` tells which week is the current one."""
    event = newest_event(session)
    tags, more_tags = _tags(session)
    return BankFigures(
        event=event,
        all=_tally(session),
        tags=tags,
        more_tags=more_tags,
        untagged=_tally(session, is_untagged()),
        weeks=_weeks(session, weeks_until(at.astimezone(UTC).date())),
        open_corrections=_number(session, Correction.status == CorrectionStatus.open),
        past_review=_number(session, queues.is_past_review()),
    )


def newest_event(session: Session) -> int:
    """Return the key of the audit's newest event; 0 where nothing was ever done."""
    return session.scalar(select(func.max(AuditEvent.id))) or 0


def _number(session: Session, condition: ColumnElement[bool]) -> int:
    return session.scalar(select(func.count()).where(condition)) or 0


def _how_many(condition: ColumnExpressionArgument[bool]) -> ColumnElement[int]:
    """The number of a group's rows that fit."""
    return func.count(case((condition, 1)))


def _columns(part: ColumnElement[Any]) -> Select[Any]:
    """Select what a tally is made of, for each part of the bank and each difficulty."""
    numbers = [_how_many(STATUSES[name][1]()) for name in COUNTED_STATUSES]
    return select(part, Question.difficulty, func.count(), *numbers).group_by(
        part, Question.difficulty
    )


def _tallies(session: Session, statement: Select[Any]) -> dict[Any, Tally]:
    found: dict[Any, Tally] = {}
    for part, difficulty, questions, *numbers in session.execute(statement):
        if part not in found:
            found[part] = _nothing()
        before, level = found[part], difficulty.value if difficulty else NO_DIFFICULTY
        by_status = dict(zip(COUNTED_STATUSES, numbers, strict=True))
        found[part] = Tally(
            questions=before.questions + questions,
            by_status={name: before.by_status[name] + by_status[name] for name in by_status},
            by_difficulty=before.by_difficulty | {level: questions},
            published=before.published | {level: by_status["published"]},
        )
    return found


def _nothing() -> Tally:
    levels = dict.fromkeys(DIFFICULTIES, 0)
    return Tally(0, dict.fromkeys(COUNTED_STATUSES, 0), levels, levels)


def _tally(session: Session, *conditions: ColumnElement[bool]) -> Tally:
    found = _tallies(session, _columns(literal(0).label("part")).where(*conditions))
    return next(iter(found.values()), _nothing())


def _tags(session: Session) -> tuple[dict[str, Tally], int]:
    """Return the tallies of the tags to show, and how many others have questions."""
    top = session.scalars(select(Tag.id).where(Tag.parent_id.is_(None)).limit(2)).all()
    first = or_(Tag.id == top[0], Tag.parent_id == top[0]) if len(top) == 1 else None
    chosen = Tag.parent_id.is_(None) if first is None else first
    below = select(Tag.id.label("shown"), Tag.id.label("tag")).where(chosen)
    tree = below.cte("tree", recursive=True)
    tree = tree.union_all(select(tree.c.shown, Tag.id).join(tree, Tag.parent_id == tree.c.tag))
    # A question with two tags below one counts for that once.
    pairs = (
        select(tree.c.shown, question_tag.c.question_id)
        .join(question_tag, question_tag.c.tag_id == tree.c.tag)
        .distinct()
        .cte("pair")
    )
    fullest = session.execute(
        select(Tag.id, Tag.slug, func.count().over())
        .join(pairs, pairs.c.shown == Tag.id)
        .group_by(Tag.id, Tag.slug)
        .order_by(func.count().desc(), Tag.slug)
        .limit(SHOWN_TAGS)
    ).all()
    slugs = {id: slug for id, slug, _ in fullest}
    tallies = _tallies(
        session,
        _columns(pairs.c.shown)
        .join(pairs, pairs.c.question_id == Question.id)
        .where(pairs.c.shown.in_(slugs)),
    )
    more = fullest[0][2] - len(fullest) if fullest else 0
    return {slug: tallies[id] for id, slug in slugs.items()}, more


def _weeks(session: Session, weeks: list[str]) -> list[WeekFigures]:
    """Return the figures of each week; the table of corrections is read once."""
    moments = (Correction.created_at, Correction.decided_at)
    first, _ = week_span(weeks[0])
    numbers = session.execute(
        select(*(_how_many(in_week(moment, week)) for week in weeks for moment in moments)).where(
            or_(*(moment >= first for moment in moments))
        )
    ).one()
    return [
        WeekFigures(week, *numbers[2 * place : 2 * place + 2]) for place, week in enumerate(weeks)
    ]


# --- keeping ---------------------------------------------------------------------------


def current(session: Session, *, at: datetime) -> Counted | None:
    """Return the figures to show: counted now, or the kept ones of a large bank.

    None where nobody has counted a large bank yet.
    """
    if is_small(session):
        return Counted(count(session, at=at), at)
    kept = _kept(session)
    if kept is None:
        return None
    return Counted(kept.figures, kept.at, kept.figures.event != newest_event(session))


def is_small(session: Session) -> bool:
    """Whether the bank can be counted in a request."""
    some = select(Question.id).limit(COUNTED_AT_ONCE + 1).subquery()
    return (session.scalar(select(func.count()).select_from(some)) or 0) <= COUNTED_AT_ONCE


def is_due(session: Session, *, at: datetime) -> bool:
    """Whether a large bank should be counted anew."""
    kept = _kept(session)
    if kept is not None:
        age = at - kept.at
        if age < RENEWED_AFTER:
            return False
        changed = kept.figures.event != newest_event(session)
        another_week = week_of(kept.at.date()) != week_of(at.astimezone(UTC).date())
        if not (changed or another_week or age >= RENEWED_ANYWAY):
            return False
    return not is_small(session)


def keep(session: Session, figures: BankFigures, *, at: datetime) -> None:
    """Keep figures for whoever looks next; older ones never take the place of newer ones."""
    values = {"figures": msgspec.to_builtins(figures), "event": figures.event, "counted_at": at}
    again = (
        update(Figures)
        .where(Figures.id == _KEY, Figures.counted_at <= at)
        .values(**values)
        .execution_options(synchronize_session=False)
    )
    if session.scalar(select(Figures.id).where(Figures.id == _KEY)) is not None:
        session.execute(again)
        return
    try:
        with session.begin_nested():
            session.add(Figures(id=_KEY, **values))
    except IntegrityError:
        # Another worker counted at this moment, too.
        session.execute(again)


def _kept(session: Session) -> Counted | None:
    """Return what was kept; nothing where another version of this program kept it otherwise."""
    row = session.execute(
        select(Figures.figures, Figures.counted_at).where(Figures.id == _KEY)
    ).one_or_none()
    if row is None:
        return None
    try:
        return Counted(msgspec.convert(row.figures, BankFigures), row.counted_at)
    except msgspec.ValidationError:
        return None
