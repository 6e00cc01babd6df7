"""Likely duplicates: questions whose stems read alike, found without comparing every pair.

A stem is sketched by MinHash over the trigrams of the words that carry its
meaning; bands of the sketch are kept in a table, and only stems that share a
band are compared. A worker sketches what is new or was reworded; a pair that
somebody marked as different stays so, whatever is found later.
"""

import itertools
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache

from rapidfuzz import fuzz
from rensa import RMinHash
from sqlalchemy import (
    Select,
    and_,
    delete,
    exists,
    func,
    insert,
    not_,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Session, aliased, load_only

from cms.errors import NotFound, WrongState
from cms.models import LikelyDuplicate, Question, StemBand, User
from cms.services.audit import record
from cms.services.chunks import chunks
from cms.services.content import LISTED
from cms.services.locking import lock_row
from cms.services.permissions import require
from cms.services.queues import alive
from cms.text import stem_key
from cms.vocabulary import Role

LIKELY = 85
"""The least similarity, of 100, at which two stems count as likely the same."""

# Ten bands of three: of two stems that share 60 % of their trigrams 91 in 100 are found, of
# two that share 30 % 24 in 100, and those are sorted out by comparing their words.
_BANDS, _ROWS, _SEED = 10, 3, 20_261_126
# Stems of one band that a stem is compared with: more share one only where a bank repeats a
# phrase, and comparing all of those would cost the square of their number.
_COMPARED = 50
# Stems that one transaction of a worker sketches.
_AT_ONCE = 200
# Any constant: it names the advisory lock of the sketches.
_LOCK = 0x73_6B_65_74

# Words that say how something is asked, not what about; and the ends of "what's", "don't".
_FRAME = frozenset(
    """
    a an and any are as at be between by can could describe did do does explain for from give
    have how i in is it its ll me mean meant now of on one or re s should some t tell that the
    their them then there they this to us use used using ve was we what when where which why will
    with would you your
    """.split()  # noqa: SIM905 (a list of them would be sixty lines)
)

# What a list shows of a question, its state included.

_PLURAL = re.compile(r"(?<=\w{3})(?<!s)s$")


def essence(stem: str) -> str:
    """Return the words of a stem that say what it asks about, in the singular; else all of them."""
    words = stem_key(stem).split()
    telling = [_PLURAL.sub("", word) for word in words if word not in _FRAME]
    return " ".join(telling or words)


def similarity(one: str, other: str) -> int:
    """Return how alike two stems read, 0 to 100, whatever the order of their words."""
    return _alike(essence(one), essence(other))


def _alike(one: str, other: str) -> int:
    return round(fuzz.token_sort_ratio(one, other))


def bands(stem: str) -> list[int]:
    """Return the bands of a stem's sketch: numbers of 63 bits, the same on every machine."""
    text = f" {essence(stem)} "
    sketch = RMinHash(num_perm=_BANDS * _ROWS, seed=_SEED)
    sketch.update([text[start : start + 3] for start in range(len(text) - 2)] or [text])
    rows = sketch.digest()
    found = []
    for band in range(_BANDS):
        number = band
        for row in rows[band * _ROWS : (band + 1) * _ROWS]:
            number = (number * 0x1_0000_01B3 + row) % (2**63 - 25)
        found.append(number)
    return found


def alike(
    session: Session, stem: str, *, apart_from: int | None = None, limit: int = 5
) -> list[tuple[Question, int]]:
    """Return the living questions that likely ask the same as `stem`, the most alike first."""
    key = stem_key(stem)
    if not key:
        return []
    # What was written a moment ago has no sketch yet, but may read exactly the same.
    same = select(Question.id).where(Question.stem_key == key).limit(_COMPARED)
    near = {*session.scalars(same)}.union(*_members(session, bands(stem)).values())
    candidates = session.scalars(
        select(Question)
        .where(Question.id.in_(near), Question.id != (apart_from or 0), alive())
        .options(LISTED)
    ).all()
    scored = [(question, similarity(stem, question.stem)) for question in candidates]
    likely = [pair for pair in scored if pair[1] >= LIKELY]
    return sorted(likely, key=lambda pair: (-pair[1], pair[0].id))[:limit]


def unsketched(session: Session) -> bool:
    """Whether some stem is new, or was reworded, and nobody looked for its likes."""
    return bool(session.scalar(select(exists().where(not_(Question.sketched)))))


def find_some(session: Session, *, at: datetime) -> int:
    """Sketch some of the stems that are new or were reworded, and note whom they read like.

    Returns how many were looked at; 0 when every stem is sketched, or another worker
    is at it: neither would see the other's stems, and a pair of both would be missed.
    """
    on_postgresql = session.get_bind().dialect.name == "postgresql"
    if on_postgresql and not session.scalar(select(func.pg_try_advisory_xact_lock(_LOCK))):
        return 0
    questions = session.scalars(
        select(Question)
        .where(not_(Question.sketched))
        .options(load_only(Question.stem))
        .order_by(Question.id)
        .limit(_AT_ONCE)
        .with_for_update(skip_locked=True)
    ).all()
    if not questions:
        return 0
    ids = [question.id for question in questions]
    session.execute(delete(StemBand).where(StemBand.question_id.in_(ids)))
    sketches = {question.id: bands(question.stem) for question in questions}
    session.execute(
        insert(StemBand),
        [
            {"band": band, "question_id": key}
            for key, found in sketches.items()
            for band in sorted(set(found))
        ],
    )
    _forget_pairs(session, ids)
    _note_pairs(session, sketches, at)
    session.execute(
        update(Question)
        .where(Question.id.in_(ids))
        .values(sketched=True)
        .execution_options(synchronize_session=False)
    )
    session.flush()
    return len(ids)


def pairs(*, different: bool = False) -> Select[LikelyDuplicate]:
    """Select the pairs of living questions that wait for a decision, the most alike first.

    Or those that somebody told apart, where `different` ones are wanted.
    """
    first, second = aliased(Question), aliased(Question)
    return (
        select(LikelyDuplicate)
        .join(first, first.id == LikelyDuplicate.first_id)
        .join(second, second.id == LikelyDuplicate.second_id)
        .where(
            LikelyDuplicate.different_at.is_not(None)
            if different
            else LikelyDuplicate.different_at.is_(None),
            *(
                and_(each.retired_at.is_(None), each.merged_into_id.is_(None))
                for each in (first, second)
            ),
        )
        .order_by(
            LikelyDuplicate.similarity.desc(), LikelyDuplicate.first_id, LikelyDuplicate.second_id
        )
    )


def count_waiting(session: Session, limit: int) -> int:
    """Return how many pairs wait for a decision, at most `limit`."""
    return session.scalar(_counting(limit)) or 0


@cache
def _counting(limit: int) -> Select[int]:
    """Return what counts the pairs that wait: every page of the desk asks for the same."""
    some = pairs().with_only_columns(LikelyDuplicate.first_id).order_by(None).limit(limit)
    return select(func.count()).select_from(some.subquery())


def find_pair(session: Session, first: int, second: int) -> LikelyDuplicate:
    """Return a pair by its questions' keys.

    :raises NotFound: when the two are no such pair, or no longer
    """
    pair = session.get(LikelyDuplicate, (first, second))
    if pair is None:
        raise NotFound("These two are no likely duplicates any more: one of them was reworded.")
    return pair


def mark_different(
    session: Session, pair: LikelyDuplicate, *, by: User | None, at: datetime
) -> None:
    """Say that two questions ask different things, for good.

    :raises WrongState: when somebody said so already
    """
    require(by, Role.editor, "decide on likely duplicates")
    lock_row(session, pair, "pair")
    if pair.different_at is not None:
        raise WrongState("These two were marked as different already.")
    pair.different_at = at
    pair.different_by_id = by.id if by else None
    _tell(session, pair, "duplicate.different", by=by, at=at)


def offer_again(session: Session, pair: LikelyDuplicate, *, by: User | None, at: datetime) -> None:
    """Take back that two questions ask different things.

    :raises WrongState: when nobody said so
    """
    require(by, Role.editor, "decide on likely duplicates")
    lock_row(session, pair, "pair")
    if pair.different_at is None:
        raise WrongState("These two are not marked as different.")
    pair.different_at = pair.different_by_id = None
    _tell(session, pair, "duplicate.offer", by=by, at=at)


def _tell(
    session: Session, pair: LikelyDuplicate, action: str, *, by: User | None, at: datetime
) -> None:
    about = f"question:{pair.first.uid}"
    record(session, by=by, at=at, action=action, about=about, other=pair.second.uid)
    session.flush()


def _members(session: Session, found: Iterable[int]) -> dict[int, list[int]]:
    """Return the questions that have each band, of each the newest alone."""
    members: dict[int, list[int]] = defaultdict(list)
    for some in chunks(sorted(set(found))):
        place = func.row_number().over(
            partition_by=StemBand.band, order_by=StemBand.question_id.desc()
        )
        ranked = (
            select(StemBand.band, StemBand.question_id, place.label("place"))
            .where(StemBand.band.in_(some))
            .subquery()
        )
        newest = select(ranked.c.band, ranked.c.question_id).where(ranked.c.place <= _COMPARED)
        for band, key in session.execute(newest):
            members[band].append(key)
    return members


def _forget_pairs(session: Session, ids: Sequence[int]) -> None:
    """Drop what was found of stems that are looked at anew, but for decisions."""
    session.execute(
        delete(LikelyDuplicate).where(
            or_(LikelyDuplicate.first_id.in_(ids), LikelyDuplicate.second_id.in_(ids)),
            LikelyDuplicate.different_at.is_(None),
        )
    )


def _note_pairs(session: Session, sketches: Mapping[int, list[int]], at: datetime) -> None:
    """Note which living questions read like these, by what they share a band with."""
    members = _members(session, itertools.chain.from_iterable(sketches.values()))
    beside = {
        key: {other for band in found for other in members[band]} - {key}
        for key, found in sketches.items()
    }
    stems = _living_stems(session, {*sketches, *itertools.chain.from_iterable(beside.values())})
    known = _known_pairs(session, sketches)
    pairs = {
        (min(key, other), max(key, other)): score
        for key, others in beside.items()
        for other in others
        if key in stems and other in stems
        if (score := _alike(stems[key], stems[other])) >= LIKELY
    }
    rows = [
        {"first_id": first, "second_id": second, "similarity": score, "found_at": at}
        for (first, second), score in pairs.items()
        if (first, second) not in known
    ]
    if rows:
        session.execute(insert(LikelyDuplicate), rows)


def _living_stems(session: Session, ids: Iterable[int]) -> dict[int, str]:
    """Return what the living ones of these questions ask about."""
    found: dict[int, str] = {}
    for some in chunks(sorted(ids)):
        rows = session.execute(
            select(Question.id, Question.stem).where(Question.id.in_(some), alive())
        )
        found |= {key: essence(stem) for key, stem in rows}
    return found


def _known_pairs(session: Session, ids: Iterable[int]) -> set[tuple[int, int]]:
    """Return the pairs that are noted of these questions: those that somebody told apart."""
    some = list(ids)
    either = or_(LikelyDuplicate.first_id.in_(some), LikelyDuplicate.second_id.in_(some))
    noted = select(LikelyDuplicate.first_id, LikelyDuplicate.second_id).where(either)
    return {(first, second) for first, second in session.execute(noted)}
