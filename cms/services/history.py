"""A question's past: its revisions, which of them are the same, and what changed between two."""

from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import TypeVar

import msgspec
from msgspec.structs import replace
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cms.formats.item import Content, OptionItem, content_hash
from cms.models import Question, Revision
from cms.services.aliases import merged_uids
from cms.services.chunks import CHUNK
from cms.services.diff import PartDiff, compare

_ANSWER = "answers/"

Key = TypeVar("Key", bound=Hashable)


@dataclass(slots=True)
class Difference:
    """What happened to one thing between two revisions: to a field, an answer or an option.

    `what` says of an answer or an option that it was added, removed or moved; it is empty
    where only the parts differ. `parts` are those with something to show.
    """

    label: str
    what: str = ""
    parts: list[PartDiff] = field(default_factory=list)


def history(session: Session, question: Question) -> list[Revision]:
    """Return every revision of the question, the newest first."""
    return list(
        session.scalars(
            select(Revision).filter_by(question_id=question.id).order_by(Revision.number.desc())
        )
    )


def first_alike(session: Session, revisions: Sequence[Revision]) -> dict[int, int]:
    """Return the number of the first revision that says the same, where there is an earlier one.

    The revisions are of one question; the keys are their numbers.
    """
    if not revisions:
        return {}
    merged = merged_uids(session)
    if merged:
        return _alike_since_merges(session, revisions, merged)
    first = dict(
        session.execute(
            select(Revision.content_hash, func.min(Revision.number))
            .where(
                Revision.question_id == revisions[0].question_id,
                Revision.content_hash.in_({each.content_hash for each in revisions}),
            )
            .group_by(Revision.content_hash)
        ).all()
    )
    return {
        each.number: first[each.content_hash]
        for each in revisions
        if first[each.content_hash] < each.number
    }


def _alike_since_merges(
    session: Session, revisions: Sequence[Revision], merged: Mapping[str, str]
) -> dict[int, int]:
    """Return the same where tags were merged: the hash of a text before that names other uids."""
    rows = session.execute(
        select(Revision.number, Revision.content_hash, Revision.content)
        .where(
            Revision.question_id == revisions[0].question_id,
            Revision.number <= max(each.number for each in revisions),
        )
        .order_by(Revision.number)
        .execution_options(yield_per=CHUNK)
    )
    first: dict[str, int] = {}
    found: dict[int, int] = {}
    for number, known_hash, text in rows:
        content = msgspec.json.decode(text, type=Content)
        if merged.keys().isdisjoint(content.tags):
            hash = known_hash
        else:
            tags = sorted({merged.get(uid, uid) for uid in content.tags})
            hash = content_hash(replace(content, tags=tags))
        found[number] = first.setdefault(hash, number)
    return {
        each.number: found[each.number] for each in revisions if found[each.number] < each.number
    }


def differences(old: Content, new: Content) -> list[Difference]:
    """Return what differs, thing by thing, in reading order. Give tags as slugs: they are read."""
    changed = compare(old, new)
    found: dict[str, Difference] = {}
    held = {answer.uid for answer in old.answers}
    kept = {answer.uid for answer in new.answers}
    for part in changed:
        if not part.key.startswith(_ANSWER):
            if part.key == "options":
                told = enumerate(_options(old.options, new.options))
                found |= {f"options/{number}": each for number, each in told}
            elif part.key != "order":
                found[part.key] = Difference(part.label, parts=[part])
            continue
        uid, _, name = part.key.removeprefix(_ANSWER).partition("/")
        thing = found.setdefault(uid, Difference(part.label.partition(":")[0]))
        if name == "body":
            thing.label = part.label
        if uid not in held or uid not in kept:
            thing.what = "removed" if uid in held else "added"
            if name == "label":
                # Its name says so already.
                continue
        thing.parts.append(part)
    for uid, label, what in _moved(old, new):
        found.setdefault(uid, Difference(label)).what = what
    return list(found.values())


def _moved(old: Content, new: Content) -> list[tuple[str, str, str]]:
    """Return the answers that changed places with others: uid, name, and from where to where."""
    before = [answer.uid or "" for answer in old.answers]
    after = [answer.uid or "" for answer in new.answers]
    displaced = _displaced(before, after)
    return [
        (
            uid,
            f"Answer {place}" + (f" ‘{answer.label}’" if answer.label else ""),
            f"moved from place {before.index(uid) + 1} to {place}",
        )
        for place, answer in enumerate(new.answers, start=1)
        if (uid := answer.uid or "") in displaced
    ]


def _displaced(before: Sequence[Key], after: Sequence[Key]) -> set[Key]:
    """Return the keys of both that do not stand in the one order that most of them kept."""
    both = set(before) & set(after)
    left = [key for key in before if key in both]
    right = [key for key in after if key in both]
    blocks = SequenceMatcher(None, left, right, autojunk=False).get_matching_blocks()
    return both - {key for block in blocks for key in left[block.a : block.a + block.size]}


# --- options: they are known by their text, and one that was reworded by its turn ------


def _options(old: Sequence[OptionItem], new: Sequence[OptionItem]) -> Iterator[Difference]:
    """Yield what happened to each option that is not as it was."""
    before, after = _by_text(old), _by_text(new)
    left, right = list(before), list(after)
    displaced = _displaced(left, right)
    gone = [key for key in left if key not in after]
    for place, (key, option) in enumerate(after.items(), start=1):
        was_key = key if key in before else gone.pop(0) if gone else None
        was = before[was_key] if was_key else None
        what = "" if was else "added"
        if key in displaced:
            what = f"moved from place {left.index(key) + 1} to {place}"
        parts = list(_parts_of(f"Option {place}", was, option))
        if what or parts:
            yield Difference(f"Option {place}", what, parts)
    for key in gone:
        label = f"Option {left.index(key) + 1}"
        yield Difference(label, "removed", list(_parts_of(label, before[key], None)))


def _by_text(options: Sequence[OptionItem]) -> dict[tuple[str, int], OptionItem]:
    seen: Counter[str] = Counter()
    found = {}
    for option in options:
        found[option.text, seen[option.text]] = option
        seen[option.text] += 1
    return found


def _parts_of(label: str, old: OptionItem | None, new: OptionItem | None) -> Iterator[PartDiff]:
    """Yield what differs of an option; of one that is new or gone, all that it says."""
    for name, read in (
        ("", lambda option: option.text),
        (": correct", lambda option: "right" if option.correct else "wrong"),
        (": feedback", lambda option: option.feedback),
    ):
        before, after = (read(option) if option else "" for option in (old, new))
        if before != after:
            yield PartDiff("options", label + name, before, after)
