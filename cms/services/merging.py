"""Merging duplicates: one question goes, the other answers for it from then on.

Answers are not copied: whoever merges has both texts before them and takes over
what is worth it first. There is no undo.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from msgspec.structs import replace
from sqlalchemy import func, insert, select, update
from sqlalchemy.orm import Session

from cms.errors import NotFound, WrongState
from cms.models import Change, Correction, DeckMember, Question, Release, User, Withdrawal
from cms.services import shelf
from cms.services.audit import record
from cms.services.content import LISTED
from cms.services.decks import describe_members, keep_decks
from cms.services.duplicates import alike
from cms.services.membership import decks_naming, replace_member
from cms.services.permissions import needs_another, require
from cms.services.questions import lock_all, was_public
from cms.services.releases import open_release
from cms.services.rewriting import Rewriting, current_contents, rewrite
from cms.services.search import ranked
from cms.text import normalize_line
from cms.vocabulary import ChangeKind, CorrectionStatus, Origin, Role

OFFERED = 10


@dataclass(frozen=True, slots=True)
class Foresight:
    """What merging two questions would do.

    `tags` are the paths that join the survivor's, `live` says whether readers see
    them at once; `public` whether the duplicate's address leads to the survivor.
    """

    tags: list[str]
    live: bool
    public: bool
    corrections: int
    decks: int


def offer(session: Session, duplicate: Question, typed: str) -> list[Question]:
    """Return questions into which one may be merged: what reads the same, or what is looked for.

    `typed` is a number, an address, a uid or words.
    """
    alive = (
        select(Question)
        .where(
            Question.retired_at.is_(None),
            Question.merged_into_id.is_(None),
            Question.id != duplicate.id,
        )
        .options(LISTED)
    )
    typed = normalize_line(typed)
    if not typed:
        likely = alike(session, duplicate.stem, apart_from=duplicate.id, limit=OFFERED)
        return [question for question, _ in likely]
    [named] = describe_members(session, [typed])
    ids = list(session.scalars(select(Question.id).where(Question.uid == named.uid)))
    if typed.lstrip("#").isdecimal() and len(typed) < 10:
        ids.append(int(typed.lstrip("#")))
    ids += ranked(session, Question, typed)[: OFFERED * 2]
    found = {each.id: each for each in session.scalars(alive.where(Question.id.in_(ids)))}
    return [found[key] for key in dict.fromkeys(ids) if key in found][:OFFERED]


def foresee(session: Session, duplicate: Question, into: Question, *, by: User | None) -> Foresight:
    """Tell what merging would do.

    :raises WrongState: when the two cannot be merged
    """
    _refuse_state(duplicate, into)
    held = {tag.uid for tag in into.tags}
    filed = select(func.count()).where(Correction.question_id == duplicate.id)
    named = select(func.count()).where(DeckMember.question_uid == duplicate.uid)
    return Foresight(
        tags=[tag.slug for tag in duplicate.tags if tag.uid not in held],
        live=_goes_live(session, into, by),
        public=was_public(session, duplicate),
        corrections=session.scalar(filed) or 0,
        decks=session.scalar(named) or 0,
    )


def merge(
    session: Session,
    duplicate: Question,
    into: Question,
    *,
    seen: tuple[int, int],
    by: User | None,
    at: datetime,
) -> int | None:
    """Let `into` answer for `duplicate`; return the release, None if readers see no change.

    The duplicate's tags join the survivor's, its corrections become the
    survivor's, and in decks the survivor takes its place. What was public leads
    to the survivor from then on; the address of what never was is free of it.
    `seen` are the newest revisions of both that the actor looked at.

    :raises WrongState: when one of them was changed since, retired or merged
    :raises NotFound: when one of them was deleted meanwhile
    """
    require(by, Role.editor, "merge questions")
    if len(lock_all(session, [duplicate.id, into.id])) < len({duplicate.id, into.id}):
        raise NotFound("Somebody deleted one of the two questions meanwhile.")
    _refuse_state(duplicate, into)
    if (duplicate.latest_number, into.latest_number) != seen:
        raise WrongState(
            "Somebody changed one of the two questions since you looked. Nothing was merged: "
            "look at both again."
        )
    public = was_public(session, duplicate)
    decks = [] if public else decks_naming(session, duplicate.uid)
    work = _Merge(session, duplicate, into, by, at, public)
    work.move_tags()
    work.move_corrections()
    work.take_away()
    if decks:
        replace_member(session, work.open_release(), decks, duplicate.uid, into.uid, by=by, at=at)
    work.refresh()
    number = work.release.number if work.release else None
    record(
        session,
        by=by,
        at=at,
        action="question.merge",
        about=f"question:{duplicate.uid}",
        into=into.uid,
        tags=work.tags,
        corrections=work.moved,
        release=number,
    )
    session.flush()
    # Tags and corrections were written past the session's objects.
    session.expire_all()
    return number


def _refuse_state(duplicate: Question, into: Question) -> None:
    if duplicate.id == into.id:
        raise WrongState("A question cannot be merged into itself. Choose another one.")
    if duplicate.merged_into_id is not None:
        raise WrongState("This question was merged into another one already.")
    if into.merged_into_id is not None:
        raise WrongState(f"‘{into.stem}’ was merged itself. Choose the question that it became.")
    if into.retired_at is not None:
        raise WrongState(f"‘{into.stem}’ is retired. Un-retire it first, or choose another one.")


def _goes_live(session: Session, into: Question, by: User | None) -> bool:
    """Whether readers see at once what the survivor gets: where nothing of it waits."""
    return into.published_number == into.latest_number and not needs_another(session, by)


@dataclass(slots=True)
class _Merge:
    """A merge at work, on questions that are locked."""

    session: Session
    duplicate: Question
    into: Question
    by: User | None
    at: datetime
    public: bool
    release: Release | None = None
    tags: list[str] = field(default_factory=list)
    moved: list[str] = field(default_factory=list)
    what: ChangeKind | None = None

    def open_release(self) -> Release:
        """Return the one release, which says nothing of what was never public."""
        if self.release is None:
            gone = self.duplicate.stem if self.public else "a duplicate"
            self.release = open_release(
                self.session, by=self.by, at=self.at, summary=f"Merged {gone}"
            )
        return self.release

    def move_tags(self) -> None:
        """Give the survivor the duplicate's tags in a revision of its own."""
        contents = current_contents(self.session, [self.duplicate, self.into])
        before = contents[self.into.id]
        coming = set(contents[self.duplicate.id].tags) - set(before.tags)
        if not coming:
            return
        self.tags = sorted(coming)
        live = {}
        if _goes_live(self.session, self.into, self.by):
            live[self.into.id] = self.open_release()
            self.what = ChangeKind.published
        rewrite(
            self.session,
            [Rewriting(self.into, before, replace(before, tags=sorted({*before.tags, *coming})))],
            live=live,
            by=self.by,
            at=self.at,
            summary=f"Merged question {self.duplicate.id} into this one",
            origin=Origin.merge,
        )

    def move_corrections(self) -> None:
        """Give the survivor the duplicate's corrections, under the numbers that they have.

        What they say of the duplicate's own texts would be untrue of the
        survivor's: the audit keeps it.
        """
        fixed_in = self.into.published_number or self.into.latest_number
        moved = self.session.scalars(
            select(Correction).where(Correction.question_id == self.duplicate.id)
        ).all()
        for correction in moved:
            facts: dict[str, Any] = {
                name: getattr(correction, name)
                for name in ("answer_uid", "part", "proposed", "seen_in", "fixed_in")
            }
            record(
                self.session,
                by=self.by,
                at=self.at,
                action="correction.move",
                about=f"correction:{correction.uid}",
                question=self.into.uid,
                before={name: value for name, value in facts.items() if value is not None},
                merged=self.duplicate.uid,
            )
            self.moved.append(correction.uid)
            correction.question_id = self.into.id
            correction.answer_uid = correction.part = correction.proposed = None
            correction.seen_in = None
            accepted = correction.status == CorrectionStatus.accepted
            correction.fixed_in = fixed_in if accepted else None
            if accepted and self.into.published_number is not None:
                self.what = self.what or ChangeKind.refreshed
        self.session.flush()

    def take_away(self) -> None:
        """Retire the duplicate as merged; its public address leads to the survivor."""
        on_shelf = self.duplicate.published_number is not None
        self.duplicate.retired_at = self.duplicate.retired_at or self.at
        self.duplicate.merged_into = self.into
        self.duplicate.published_number = None
        self.duplicate.scheduled_number = self.duplicate.scheduled_at = None
        self.session.flush()
        if on_shelf:
            shelf.withdraw(self.session, [self.duplicate], self.open_release(), reason="")
        elif self.public:
            self._redirect()

    def _redirect(self) -> None:
        """Let the tombstone of what was public before name the survivor."""
        release = self.open_release()
        self.session.execute(
            update(Withdrawal)
            .where(Withdrawal.uid == self.duplicate.uid)
            .values(merged_into=self.into.uid, release=release.number, at=self.at)
        )
        change = {"release": release.number, "uid": self.duplicate.uid, "what": ChangeKind.merged}
        self.session.execute(insert(Change), [change])
        keep_decks(self.session, release, [self.duplicate.uid])

    def refresh(self) -> None:
        """Show readers what the survivor got, if they are to see it now."""
        if self.what is not None:
            shelf.refresh(self.session, [self.into.id], self.open_release(), self.what)
