"""The verbs of bulk operations: what can be done is done, the rest is left with a reason."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import msgspec
from msgspec.structs import replace
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from cms.errors import CmsError, NotPublishable, WrongState
from cms.formats.item import Content
from cms.models import BulkRow, Change, ImportWarning, Question, Release, User, Withdrawal
from cms.services import publishing, shelf
from cms.services.audit import record
from cms.services.chunks import chunks
from cms.services.operations.keeping import keep_rows
from cms.services.operations.states import Kept, State, packed, state_of
from cms.services.permissions import needs_another, require_writer
from cms.services.questions import (
    MERGED,
    STANDS_IN,
    WAS_PUBLIC,
    answers_for_others,
    lock_all,
    move,
)
from cms.services.releases import open_release
from cms.services.rewriting import Rewriting, current_contents, rewrite
from cms.services.scheduling import clear_schedule, set_schedule
from cms.services.warnings import acknowledge, is_open
from cms.vocabulary import ChangeKind, Difficulty, Origin, RowAction, Stage


@dataclass(slots=True)
class Work:
    """A bulk operation at work: its questions in rounds, and what became of each.

    `rows` has the keys of the operation's rows by question id, `given` its
    arguments as a verb needs them, `told` what it does, in words.
    """

    session: Session
    operation: int
    rows: dict[int, int]
    given: dict[str, Any]
    told: str
    by: User | None
    at: datetime
    release: Release | None = None
    _fates: list[dict[str, Any]] = field(default_factory=list)

    def rounds(self) -> Iterator[list[Question]]:
        """Yield the questions, locked; what became of a round is written after it."""
        for ids in chunks(sorted(self.rows)):
            yield lock_all(self.session, ids)
            self.write()

    def all(self) -> list[Question]:
        """Return the questions at once, locked."""
        rounds = chunks(sorted(self.rows))
        return [question for ids in rounds for question in lock_all(self.session, ids)]

    def done(
        self, question: Question, was: State, *, number: int | None = None, **more: Any
    ) -> None:
        """Say that a question was changed; it is already in the state that is left."""
        kept = Kept(was=was, left=state_of(question), **more)
        self._put(question, RowAction.update, number=number, before=packed(kept))

    def leave(self, question: Question, reason: str, action: RowAction = RowAction.error) -> None:
        """Say why a question was left as it is."""
        self._put(question, action, message=reason)

    def _put(self, question: Question, action: RowAction, **fate: Any) -> None:
        row = {"message": "", "number": None, "before": None, **fate}
        self._fates.append({"id": self.rows[question.id], "action": action, **row})

    def write(self) -> None:
        """Write what became of the questions so far."""
        self.session.flush()
        if self._fates:
            self.session.execute(update(BulkRow), self._fates)
        self._fates = []

    def open_release(self) -> Release:
        """Return the operation's one release."""
        if self.release is None:
            self.release = open_release(self.session, by=self.by, at=self.at, summary=self.told)
        return self.release


Perform = Callable[[Work], None]


def publish(work: Work) -> None:
    """Publish all that can be, in one release."""
    questions = work.all()
    was = {question.id: state_of(question) for question in questions}
    reasons: dict[str, str] = {}
    for some_questions in chunks(questions):
        uids = [question.uid for question in some_questions]
        reasons |= dict(
            work.session.execute(
                select(Withdrawal.uid, Withdrawal.reason).where(Withdrawal.uid.in_(uids))
            ).all()
        )
    result = publishing.publish(work.session, questions, by=work.by, at=work.at)
    if result.release is not None:
        work.release = work.session.get_one(Release, result.release)
    for question in result.published:
        work.done(question, was[question.id], withdrawn=reasons.get(question.uid, ""))
    for question in result.unchanged:
        work.leave(question, "Readers see this text already.", RowAction.unchanged)
    refused = {refusal.slug: " ".join(refusal.reasons) for refusal in result.refused}
    for question in questions:
        if question.slug in refused:
            work.leave(question, refused[question.slug])
    work.write()


def retire(work: Work) -> None:
    """Retire what is published, in one release."""
    questions = work.all()
    was = {question.id: state_of(question) for question in questions}
    public = [question for question in questions if question.published_number is not None]
    if public:
        number = publishing.retire(work.session, public, by=work.by, at=work.at)
        work.release = work.session.get_one(Release, number)
    for question in questions:
        if was[question.id].published_number is None:
            work.leave(question, "It is not published.")
        else:
            work.done(question, was[question.id])
    work.write()


def delete_drafts(work: Work) -> None:
    """Delete what was never public; the rows keep all that an undo puts back."""
    session = work.session
    for questions in work.rounds():
        uids = [question.uid for question in questions]
        public = set(session.scalars(select(Change.uid).where(Change.uid.in_(uids))))
        standing_in = answers_for_others(session, [question.id for question in questions])
        gone: list[Question] = []
        for question in questions:
            try:
                require_writer(work.by, question)
                if question.uid in public:
                    raise WrongState(WAS_PUBLIC)
                if question.id in standing_in:
                    raise WrongState(STANDS_IN)
            except CmsError as error:
                work.leave(question, str(error))
            else:
                gone.append(question)
        ids = [question.id for question in gone]
        contents = current_contents(session, gone)
        kept = keep_rows(session, ids)
        for question in gone:
            work.done(question, state_of(question), rows=kept[question.id])
            record(
                session,
                by=work.by,
                at=work.at,
                action="question.delete",
                about=f"question:{question.uid}",
                content=msgspec.to_builtins(contents[question.id]),
                operation=work.operation,
            )
            session.expunge(question)
        session.execute(
            delete(Question)
            .where(Question.id.in_(ids))
            .execution_options(synchronize_session=False)
        )


def acknowledge_warnings(work: Work) -> None:
    """Acknowledge every open import warning."""
    for questions in work.rounds():
        found: dict[int, list[ImportWarning]] = defaultdict(list)
        for warning in work.session.scalars(
            select(ImportWarning)
            .where(
                ImportWarning.question_id.in_([question.id for question in questions]),
                is_open(),
            )
            .order_by(ImportWarning.id)
            .with_for_update()
        ):
            found[warning.question_id].append(warning)
        for question in questions:
            was, warnings = state_of(question), found[question.id]
            for warning in warnings:
                acknowledge(work.session, warning, by=work.by, at=work.at)
            if warnings:
                work.done(question, was, warnings=[warning.id for warning in warnings])
            else:
                work.leave(question, "It has no open warning.", RowAction.unchanged)


# --- what changes a state alone ---------------------------------------------------------


def _each(change: Callable[[Work, Question], None]) -> Perform:
    """Make of a change to one locked question one for many; its refusal leaves that one alone."""

    def perform(work: Work) -> None:
        for questions in work.rounds():
            for question in questions:
                was = state_of(question)
                try:
                    change(work, question)
                except NotPublishable as error:
                    work.leave(question, " ".join(error.reasons))
                    continue
                except CmsError as error:
                    work.leave(question, str(error))
                    continue
                if state_of(question) == was:
                    work.leave(question, "It is so already.", RowAction.unchanged)
                else:
                    work.done(question, was)

    return perform


def _set_care(column: str, action: str) -> Perform:
    """Make a verb that gives a living question a value of its care."""

    def change(work: Work, question: Question) -> None:
        if question.merged_into_id is not None:
            raise WrongState(MERGED)
        if question.retired_at is not None:
            raise WrongState("This question is retired. Un-retire it first.")
        value = work.given[column]
        if getattr(question, column) == value:
            return
        setattr(question, column, value)
        record(
            work.session,
            by=work.by,
            at=work.at,
            action=action,
            about=f"question:{question.uid}",
            operation=work.operation,
            **{column: value.isoformat() if isinstance(value, date) else value},
        )

    return _each(change)


submit = _each(
    lambda work, question: move(work.session, question, Stage.in_review, by=work.by, at=work.at)
)
return_to_draft = _each(
    lambda work, question: move(work.session, question, Stage.draft, by=work.by, at=work.at)
)
unretire = _each(
    lambda work, question: publishing.revive(work.session, question, by=work.by, at=work.at)
)
publish_at = _each(
    lambda work, question: set_schedule(
        work.session,
        question,
        number=question.latest_number,
        when=work.given["when"],
        by=work.by,
        at=work.at,
    )
)
unschedule = _each(
    lambda work, question: clear_schedule(work.session, question, by=work.by, at=work.at)
)
set_review_date = _set_care("review_by", "question.review_by")
assign = _set_care("assignee_id", "question.assign")


# --- what changes the text ----------------------------------------------------------------


def _rewriting(change: Callable[[Content, dict[str, Any]], Content], unchanged: str) -> Perform:
    """Make a verb that changes tags or difficulty.

    What is published without unpublished changes goes live at once. Where there
    are some, the change joins them and waits; so it does where somebody else has
    to publish it.
    """

    def perform(work: Work) -> None:
        went_live: list[int] = []
        waits = needs_another(work.session, work.by)
        for questions in work.rounds():
            changed, was = _changed(work, questions, change, unchanged)
            live = {
                question.id: work.open_release()
                for question in (each.question for each in changed)
                if not waits and question.published_number == question.latest_number
            }
            rewrite(
                work.session,
                changed,
                live=live,
                by=work.by,
                at=work.at,
                summary=work.told,
                origin=Origin.bulk,
                operation=work.operation,
            )
            for each in changed:
                done = each.question
                work.done(done, was[done.id], number=done.latest_number)
            went_live += live
        if work.release is not None:
            count = len(went_live)
            things = "question" if count == 1 else "questions"
            work.release.summary = f"{work.told}: {count:,} {things}"
            shelf.refresh(work.session, went_live, work.release, ChangeKind.published)

    return perform


def _changed(
    work: Work,
    questions: Sequence[Question],
    change: Callable[[Content, dict[str, Any]], Content],
    unchanged: str,
) -> tuple[list[Rewriting], dict[int, State]]:
    """Return who gets which new content, and the state before; the others are left alone."""
    contents = current_contents(work.session, questions)
    changed: list[Rewriting] = []
    for question in questions:
        before = contents[question.id]
        try:
            require_writer(work.by, question)
            if question.merged_into_id is not None:
                raise WrongState(MERGED)
        except CmsError as error:
            work.leave(question, str(error))
            continue
        after = change(before, work.given)
        if after == before:
            work.leave(question, unchanged, RowAction.unchanged)
        else:
            changed.append(Rewriting(question, before, after))
    return changed, {each.question.id: state_of(each.question) for each in changed}


def _with_tag(content: Content, given: dict[str, Any]) -> Content:
    return replace(content, tags=sorted({*content.tags, given["tag"]}))


def _without_tag(content: Content, given: dict[str, Any]) -> Content:
    return replace(content, tags=[uid for uid in content.tags if uid != given["tag"]])


def _with_other_tag(content: Content, given: dict[str, Any]) -> Content:
    if given["tag"] not in content.tags:
        return content
    return replace(content, tags=sorted({*content.tags, given["other"]} - {given["tag"]}))


def _with_difficulty(content: Content, given: dict[str, Any]) -> Content:
    value = given["difficulty"]
    return replace(content, difficulty=Difficulty(value) if value else None)


add_tag = _rewriting(_with_tag, "It has this tag already.")
remove_tag = _rewriting(_without_tag, "It does not have this tag.")
replace_tag = _rewriting(_with_other_tag, "It does not have this tag.")
set_difficulty = _rewriting(_with_difficulty, "It has this difficulty already.")
