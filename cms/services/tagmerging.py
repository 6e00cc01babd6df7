"""Merging tags: one goes, the other stands for it from then on. There is no undo.

A merge makes no revision and leaves nothing to publish: what the texts of the past
say by the uid of the merged tag means the survivor (`cms.services.aliases`), so no
text has changed, and nobody's draft goes public by it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import delete, exists, func, insert, select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from cms.errors import NotFound, WrongState
from cms.models import (
    Deck,
    PublicationTag,
    PublishedTag,
    Question,
    SlugRedirect,
    Tag,
    TagAlias,
    User,
    question_tag,
)
from cms.services.aliases import forget_paths
from cms.services.audit import record
from cms.services.chunks import chunks
from cms.services.deckfilters import contradicts_itself, filter_of, naming_tags, with_paths
from cms.services.permissions import require
from cms.services.tags import branch, is_public, publish_moves, too_long
from cms.vocabulary import Role

# PostgreSQL's word for a lock that somebody else holds.
_LOCK_NOT_AVAILABLE = "55P03"
_APART = {"synchronize_session": False}
BUSY = (
    "Somebody is giving this tag to questions, or is changing it, at this moment. Nothing was "
    "merged: try again."
)
GONE = "Somebody renamed, merged or deleted one of these tags meanwhile. Look at them again."


@dataclass(slots=True)
class _Plan:
    """What becomes of a tag and of those below it.

    `merged` pairs tags that go with those that stand for them, `moved` tags that
    stay with their new paths and the ids of their new parents; both from the top down.
    """

    merged: list[tuple[Tag, Tag]] = field(default_factory=list)
    moved: list[tuple[Tag, str, int | None]] = field(default_factory=list)

    def paths(self) -> dict[str, str]:
        """Return where each path of the branch leads."""
        found = {gone.slug: into.slug for gone, into in self.merged}
        return found | {tag.slug: path for tag, path, _ in self.moved}


@dataclass(frozen=True, slots=True)
class Foresight:
    """What merging a tag into another would do.

    `merged` and `moved` are pairs of a path and the one that it becomes. `questions`
    counts those at the desk that have a tag which goes; `both` those of them that
    have its survivor already. `published` counts the questions whose readers see
    other paths, `redirects` are the public paths that lead elsewhere from then on,
    `decks` those whose filter follows.
    """

    merged: list[tuple[str, str]]
    moved: list[tuple[str, str]]
    questions: int
    both: int
    published: int
    redirects: list[str]
    decks: list[Deck]


def foresee_merge(session: Session, tag: Tag, into: Tag) -> Foresight:
    """Tell what merging would do; nothing is locked or written.

    :raises WrongState: when the two cannot be merged
    """
    plan = _planned(session, tag, into)
    paths = plan.paths()
    decks = list(session.scalars(select(Deck).order_by(Deck.title, Deck.id)))
    naming = [deck for deck in decks if not paths.keys().isdisjoint(filter_of(deck).tags)]
    _refuse_emptied(naming, paths)
    gone = [each.id for each, _ in plan.merged]
    having = func.count(question_tag.c.question_id.distinct())
    public = is_public(session, tag.slug)
    return Foresight(
        merged=[(each.slug, survivor.slug) for each, survivor in plan.merged],
        moved=[(each.slug, path) for each, path, _ in plan.moved],
        questions=session.scalar(select(having).where(question_tag.c.tag_id.in_(gone))) or 0,
        both=_having_both(session, plan),
        published=session.scalar(select(func.count()).where(PublicationTag.tag == tag.slug)) or 0,
        redirects=_addresses(session, paths) if public else [],
        decks=naming,
    )


def merge_tag(
    session: Session, tag: Tag, into: Tag, *, by: User | None, at: datetime
) -> int | None:
    """Let `into` stand for `tag`; return the release, None if readers see no change.

    Questions that have the one get the other, tags below it move below the other, and
    merge in turn where there is one at their new path. Name and description of the
    survivors stay. Whatever names a merged tag by its uid, or by a path that
    nothing else has, means its survivor.

    :raises WrongState: when the two cannot be merged, or somebody uses the tag at this moment
    :raises NotFound: when one of them was deleted meanwhile
    """
    require(by, Role.editor, "merge tags")
    session.flush()
    plan = _lock(session, tag, into)
    paths = plan.paths()
    old, uids = tag.slug, [each.uid for each, _ in plan.merged]
    _refuse_emptied(naming_tags(session, paths), paths)
    questions = _count(session, plan)
    told = [
        {"slug": gone.slug, "name": gone.name, "description": gone.description}
        | {"into": into.uid, "into_slug": into.slug}
        for gone, into in plan.merged
    ]
    heirs = {gone.slug: into for gone, into in plan.merged}
    heirs |= {each.slug: each for each, _, _ in plan.moved}
    led_to = _is_led_to(session, uids)
    _move_questions(session, plan)
    _move_tags(session, plan)
    release = publish_moves(
        session,
        old,
        heirs,
        {*paths, *paths.values()},
        by=by,
        at=at,
        summary=f"Merged the tag {old} into {into.slug}",
        redirected=led_to,
    )
    number = release.number if release else None
    for uid, facts in zip(uids, told, strict=True):
        first = uid == uids[0]
        more = {"questions": questions, "moved": paths, "release": number} if first else {}
        record(session, by=by, at=at, action="tag.merge", about=f"tag:{uid}", **facts, **more)
    session.flush()
    # Questions and tags were written past the session's objects.
    session.expire_all()
    return number


# --- what becomes of what ---------------------------------------------------------------


def _planned(session: Session, tag: Tag, into: Tag) -> _Plan:
    if tag.id == into.id:
        raise WrongState("A tag cannot be merged into itself. Choose another one.")
    if into.slug.startswith(f"{tag.slug}/"):
        raise WrongState(
            f"‘{into.slug}’ stands below ‘{tag.slug}’, and would have to stand below itself. "
            f"Merge ‘{into.slug}’ into ‘{tag.slug}’ instead, and rename that."
        )
    going = branch(session, tag.slug)
    if tag not in going or into not in branch(session, into.slug):
        raise NotFound(GONE)
    # What moves away leaves its path to others that move.
    leaving = {each.id for each in going}
    there = {each.slug: each for each in branch(session, into.slug) if each.id not in leaving}
    plan = _Plan()
    parents: dict[str, int] = {}
    for each in going:
        path = into.slug + each.slug.removeprefix(tag.slug)
        survivor = there.get(path)
        if survivor is not None:
            plan.merged.append((each, survivor))
        else:
            plan.moved.append((each, path, parents[path.rpartition("/")[0]]))
        parents[path] = (survivor or each).id
    if faults := too_long(plan.paths()):
        raise WrongState(faults)
    return plan


def _refuse_emptied(decks: Iterable[Deck], paths: dict[str, str]) -> None:
    """Refuse what would leave a deck without a question that it can ever have."""
    for deck in decks:
        filter = filter_of(deck)
        if contradicts_itself(with_paths(filter, paths)) and not contradicts_itself(filter):
            raise WrongState(
                f"The deck ‘{deck.title}’ asks for one of the two tags and leaves out the other: "
                "merged, its filter would select nothing. Change that filter first."
            )


def _having_both(session: Session, plan: _Plan) -> int:
    """Return how many questions have both tags of a pair; the one of each is enough."""
    other = question_tag.alias()
    count = 0
    for gone, into in plan.merged:
        both = exists().where(
            other.c.question_id == question_tag.c.question_id, other.c.tag_id == into.id
        )
        found = select(func.count()).where(question_tag.c.tag_id == gone.id, both)
        count += session.scalar(found) or 0
    return count


def _addresses(session: Session, paths: Iterable[str]) -> list[str]:
    """Return which of these paths are public addresses."""
    found: list[str] = []
    for some in chunks(sorted(paths)):
        found += session.scalars(select(PublishedTag.slug).where(PublishedTag.slug.in_(some)))
    return sorted(found)


# --- writing ------------------------------------------------------------------------------


def _lock(session: Session, tag: Tag, into: Tag) -> _Plan:
    """Lock the questions, then the tags, and plan with both held.

    Who gives a tag to a question holds the question, and the tag after it. So nobody
    is waited for here once a question is held: whoever uses a tag at this moment is let go on.
    """
    plan = _planned(session, tag, into)
    held: set[int] = set()
    gone = [each.id for each, _ in plan.merged]
    for some in chunks(sorted(_having(session, gone))):
        locked = select(Question.id).where(Question.id.in_(some)).order_by(Question.id)
        held |= set(session.scalars(locked.with_for_update()))
    ids = sorted({each.id for pair in plan.merged for each in pair})
    ids = sorted({*ids, *(each.id for each, _, _ in plan.moved)})
    found: list[int] = []
    try:
        for some in chunks(ids):
            locked = select(Tag.id).where(Tag.id.in_(some)).order_by(Tag.id)
            found += session.scalars(locked.with_for_update(nowait=True))
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) != _LOCK_NOT_AVAILABLE:
            raise
        raise WrongState(BUSY) from error
    if found != ids:
        raise NotFound(GONE)
    # The objects are from before the locks.
    for some in chunks(ids):
        session.scalars(
            select(Tag).where(Tag.id.in_(some)).execution_options(populate_existing=True)
        ).all()
    again = _planned(session, tag, into)
    gone = [each.id for each, _ in again.merged]
    if again.paths() != plan.paths() or not _having(session, gone) <= held:
        raise WrongState(BUSY)
    return again


def _having(session: Session, tag_ids: Sequence[int]) -> set[int]:
    """Return the ids of the questions that have one of these tags."""
    found: set[int] = set()
    for some in chunks(tag_ids):
        having = select(question_tag.c.question_id).where(question_tag.c.tag_id.in_(some))
        found |= set(session.scalars(having))
    return found


def _count(session: Session, plan: _Plan) -> int:
    return len(_having(session, [gone.id for gone, _ in plan.merged]))


def _is_led_to(session: Session, uids: Sequence[str]) -> bool:
    """Whether a former address leads to one of these tags."""
    return any(
        session.scalar(
            select(exists().where(SlugRedirect.what == "tag", SlugRedirect.uid.in_(some)))
        )
        for some in chunks(uids)
    )


def _move_questions(session: Session, plan: _Plan) -> None:
    """Give questions the survivors in place of the merged tags, each once."""
    for gone, into in plan.merged:
        other = question_tag.alias()
        has_both = select(other.c.question_id).where(other.c.tag_id == into.id)
        session.execute(
            delete(question_tag).where(
                question_tag.c.tag_id == gone.id, question_tag.c.question_id.in_(has_both)
            )
        )
        session.execute(
            update(question_tag).where(question_tag.c.tag_id == gone.id).values(tag_id=into.id)
        )


def _move_tags(session: Session, plan: _Plan) -> None:
    """Leave an alias of each merged tag, and hang what stood below it below the survivor."""
    gone_ids = [gone.id for gone, _ in plan.merged]
    for gone, into in plan.merged:
        session.execute(
            update(TagAlias).where(TagAlias.tag_id == gone.id).values(tag_id=into.id),
            execution_options=_APART,
        )
        session.execute(
            update(SlugRedirect)
            .where(SlugRedirect.what == "tag", SlugRedirect.uid == gone.uid)
            .values(uid=into.uid),
            execution_options=_APART,
        )
        # Deleted below; until then no other tag may need its path.
        session.execute(
            update(Tag).where(Tag.id == gone.id).values(parent_id=None, slug=f"~{gone.id}"),
            execution_options=_APART,
        )
    # From the top down: a path is free once what had it has moved on.
    for tag, path, parent_id in plan.moved:
        session.execute(
            update(Tag).where(Tag.id == tag.id).values(slug=path, parent_id=parent_id),
            execution_options=_APART,
        )
    forget_paths(session, [*plan.paths(), *plan.paths().values()])
    taken = {path for _, path, _ in plan.moved}
    aliases = [
        {"uid": gone.uid, "slug": "" if gone.slug in taken else gone.slug, "tag_id": into.id}
        for gone, into in plan.merged
    ]
    session.execute(insert(TagAlias), aliases)
    for some in chunks(gone_ids):
        session.execute(delete(Tag).where(Tag.id.in_(some)), execution_options=_APART)
    for gone, _ in plan.merged:
        session.expunge(gone)
    for tag, _, _ in plan.moved:
        session.refresh(tag)
