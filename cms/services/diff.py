"""What differs between two texts, word by word, for people to read. Pure text logic."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from cms.formats.item import AnswerItem, Content, OptionItem

# Comparing costs the square of the pieces at worst: longer stretches count as wholly replaced.
COMPARED_PIECES = 2_000

# Lines that stay in sight beside a change, and the fewest that are worth folding away.
SHOWN_LINES = 3
FOLDED_LINES = 6

# Addresses, versions and dotted names are words: half of one that changed says nothing.
_PIECES = re.compile(r"\w+(?:[.:/@-]\w+)*|\n|[^\S\n]+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of text: 'same', 'removed' (only in the old text) or 'added' (only in the new)."""

    kind: str
    text: str

    def folded(self, *, first: bool, last: bool) -> tuple[str, str, str]:
        """Return the text in three: what stays in sight, the lines to fold away, what stays again.

        `first` and `last` say that no change comes before it, or after it. What is
        short, or no 'same' stretch, stays in sight as a whole.
        """
        lines = _lines(self.text)
        start = 0 if first else SHOWN_LINES
        end = len(lines) - (0 if last else SHOWN_LINES)
        if self.kind != "same" or end - start < FOLDED_LINES:
            return self.text, "", ""
        return "".join(lines[:start]), "".join(lines[start:end]), "".join(lines[end:])


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a content: its name for people, and its text."""

    label: str
    text: str


@dataclass(frozen=True, slots=True)
class PartDiff:
    """A part that differs. `key` names it as in `parts`."""

    key: str
    label: str
    old: str
    new: str

    @property
    def segments(self) -> list[Segment]:
        return words(self.old, self.new)


@dataclass(frozen=True, slots=True)
class Conflict:
    """A part that two people left different; `base` is None where their start is not known."""

    key: str
    label: str
    base: str | None
    theirs: str
    mine: str

    @property
    def only_theirs(self) -> bool:
        """Whether it is known that they alone changed this part."""
        return self.base is not None and self.mine == self.base

    @property
    def only_mine(self) -> bool:
        """Whether it is known that I alone changed this part."""
        return self.base is not None and self.theirs == self.base

    @property
    def segments_of_theirs(self) -> list[Segment]:
        return words(self.mine if self.base is None else self.base, self.theirs)

    @property
    def segments_of_mine(self) -> list[Segment]:
        return words(self.theirs if self.base is None else self.base, self.mine)

    @property
    def segments_over_theirs(self) -> list[Segment]:
        return words(self.theirs, self.mine)


def words(old: str, new: str) -> list[Segment]:
    """Return how `old` becomes `new`: 'same' and 'removed' joined give `old`, the others `new`.

    Lines are matched first, then the words of lines that changed.
    """
    found: list[Segment] = []
    for same, before, after in _matched(_lines(old), _lines(new)):
        if same:
            _extend(found, "same", before)
            continue
        for equal, removed, added in _matched(_PIECES.findall(before), _PIECES.findall(after)):
            if equal:
                _extend(found, "same", removed)
            else:
                _extend(found, "removed", removed)
                _extend(found, "added", added)
    return found


def parts(content: Content) -> dict[str, Part]:
    """Return the parts of a content in reading order, by a key that is the same in every version.

    Answers are known by uid, new ones by their place. Give tags as slugs: they are read.
    """
    found = {
        "stem": Part("Stem", content.stem),
        "context": Part("Context", content.context),
        "difficulty": Part("Difficulty", content.difficulty or ""),
        "tags": Part("Tags", ", ".join(sorted(content.tags))),
        "slug": Part("Address", content.slug or ""),
    }
    for index, answer in enumerate(content.answers):
        key = f"answers/{answer.uid or index}"
        name = f"Answer {index + 1}" + (f" ‘{answer.label}’" if answer.label else "")
        found[f"{key}/body"] = Part(name, answer.body)
        found[f"{key}/label"] = Part(f"{name}: label", answer.label)
        found[f"{key}/applies_to"] = Part(f"{name}: applies to", answer.applies_to)
        found[f"{key}/sources"] = Part(f"{name}: sources", _sources(answer))
    found["options"] = Part("Options", told_options(content.options))
    order = (answer.label or answer.body[:60] for answer in content.answers)
    found["order"] = Part("Order of the answers", "\n".join(order))
    return found


def compare(old: Content, new: Content) -> list[PartDiff]:
    """Return the parts in which two contents differ."""
    return [
        PartDiff(key, label, before, after)
        for key, label, before, after in _pairs(old, new)
        if before != after
    ]


def conflicts(*, mine: Content, theirs: Content, base: Content | None) -> list[Conflict]:
    """Return the parts that `mine` and `theirs` have differently, beside what both started from."""
    start = parts(base) if base else None
    return [
        Conflict(
            key=change.key,
            label=change.label,
            base=None if start is None else start.get(change.key, Part("", "")).text,
            theirs=change.old,
            mine=change.new,
        )
        for change in compare(theirs, mine)
    ]


def _pairs(old: Content, new: Content) -> Iterator[tuple[str, str, str, str]]:
    before, after = parts(old), parts(new)
    blank = Part("", "")
    same_answers = {answer.uid for answer in old.answers} == {a.uid for a in new.answers}
    for key, part in (after | {k: v for k, v in before.items() if k not in after}).items():
        # Where answers came or went, the order says nothing more.
        if key != "order" or _reordered(old, new, same_answers):
            yield key, part.label, before.get(key, blank).text, after.get(key, blank).text


def _reordered(old: Content, new: Content, same_answers: bool) -> bool:
    return same_answers and [a.uid for a in old.answers] != [a.uid for a in new.answers]


def told_options(options: Sequence[OptionItem]) -> str:
    """Return options as people read them: a line or more for each, the right ones ticked."""
    told = []
    for option in options:
        told.append(f"[{'x' if option.correct else ' '}] {option.text}")
        if option.feedback:
            told.append(f"    → {option.feedback}")
    return "\n".join(told)


def _sources(answer: AnswerItem) -> str:
    return "\n".join(
        " · ".join(filter(None, (source.title, source.url, str(source.accessed_on or ""))))
        for source in answer.sources
    )


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


def _matched(old: Sequence[str], new: Sequence[str]) -> Iterator[tuple[bool, str, str]]:
    """Yield stretches in order: whether they are the same, the old text, the new text."""
    start = 0
    while start < min(len(old), len(new)) and old[start] == new[start]:
        start += 1
    end = 0
    while end < min(len(old), len(new)) - start and old[-1 - end] == new[-1 - end]:
        end += 1
    head, tail = "".join(old[:start]), "".join(old[len(old) - end :])
    left, right = old[start : len(old) - end], new[start : len(new) - end]
    if head:
        yield True, head, head
    if max(len(left), len(right)) > COMPARED_PIECES:
        yield False, "".join(left), "".join(right)
    else:
        for tag, i, j, k, m in SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
            yield tag == "equal", "".join(left[i:j]), "".join(right[k:m])
    if tail:
        yield True, tail, tail


def _extend(segments: list[Segment], kind: str, text: str) -> None:
    if not text:
        return
    if segments and segments[-1].kind == kind:
        segments[-1] = Segment(kind, segments[-1].text + text)
    else:
        segments.append(Segment(kind, text))
