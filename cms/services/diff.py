"""What differs between two texts, word by word, for people to read. Pure text logic."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from cms.formats.item import AnswerItem, Content

# Comparing costs the square of the pieces at worst: longer stretches count as wholly replaced.
COMPARED_PIECES = 2_000

_PIECES = re.compile(r"\w+|\n|[^\S\n]+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of text: 'same', 'removed' (only in the old text) or 'added' (only in the new)."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class FieldDiff:
    """One field that differs. `path` is that of the new content, or of the old if it is gone."""

    path: str
    label: str
    old: str
    new: str

    @property
    def segments(self) -> list[Segment]:
        return words(self.old, self.new)


def words(old: str, new: str) -> list[Segment]:
    """Return how `old` becomes `new`: joined, 'same' and 'removed' give `old`, the others `new`.

    Lines are matched first, then the words of lines that changed.
    """
    found: list[Segment] = []
    for kind, before, after in _matched(_lines(old), _lines(new)):
        if kind == "same":
            _extend(found, "same", before)
            continue
        for inner, removed, added in _matched(_PIECES.findall(before), _PIECES.findall(after)):
            if inner == "same":
                _extend(found, "same", removed)
            else:
                _extend(found, "removed", removed)
                _extend(found, "added", added)
    return found


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True) if "\r" not in text else [text]


def _matched(old: Sequence[str], new: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """Yield ('same' or 'changed', old stretch, new stretch), in order."""
    start = 0
    while start < min(len(old), len(new)) and old[start] == new[start]:
        start += 1
    end = 0
    while end < min(len(old), len(new)) - start and old[-1 - end] == new[-1 - end]:
        end += 1
    if start:
        yield "same", "".join(old[:start]), "".join(new[:start])
    left, right = old[start : len(old) - end], new[start : len(new) - end]
    if max(len(left), len(right)) > COMPARED_PIECES:
        yield "changed", "".join(left), "".join(right)
    else:
        for tag, i, j, k, m in SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
            kind = "same" if tag == "equal" else "changed"
            yield kind, "".join(left[i:j]), "".join(right[k:m])
    if end:
        yield "same", "".join(old[len(old) - end :]), "".join(new[len(new) - end :])


def _extend(segments: list[Segment], kind: str, text: str) -> None:
    if not text:
        return
    if segments and segments[-1].kind == kind:
        segments[-1] = Segment(kind, segments[-1].text + text)
    else:
        segments.append(Segment(kind, text))


def fields(old: Content, new: Content) -> list[FieldDiff]:
    """Return the fields in which two contents differ; answers are matched by uid.

    Tags are compared as they stand: give slugs for people to read.
    """
    found = [
        FieldDiff(name, label, before, after)
        for name, label, before, after in (
            ("stem", "Stem", old.stem, new.stem),
            ("slug", "Address", old.slug or "", new.slug or ""),
            ("context", "Context", old.context, new.context),
            ("difficulty", "Difficulty", old.difficulty or "", new.difficulty or ""),
            ("tags", "Tags", ", ".join(sorted(old.tags)), ", ".join(sorted(new.tags))),
        )
        if before != after
    ]
    before_order = [answer.uid for answer in old.answers]
    after_order = [answer.uid for answer in new.answers]
    kept = [uid for uid in after_order if uid in before_order]
    if kept != [uid for uid in before_order if uid in after_order]:
        found.append(
            FieldDiff("answers", "Order of the answers", _names(old.answers), _names(new.answers))
        )
    earlier = {answer.uid: answer for answer in old.answers}
    for index, answer in enumerate(new.answers):
        before = earlier.get(answer.uid) if answer.uid else None
        found += _answer(f"answers[{index}]", _name(answer, index), before, answer)
    for index, answer in enumerate(old.answers):
        if answer.uid not in after_order:
            found += _answer(f"answers[{index}]", _name(answer, index), answer, None)
    return found


def _answer(
    path: str, name: str, old: AnswerItem | None, new: AnswerItem | None
) -> Iterator[FieldDiff]:
    blank = AnswerItem()
    before, after = old or blank, new or blank
    state = "" if old and new else " (new)" if new else " (removed)"
    for field, label, left, right in (
        ("label", "label", before.label, after.label),
        ("applies_to", "applies to", before.applies_to, after.applies_to),
        ("body", "text", before.body, after.body),
        ("sources", "sources", _sources(before), _sources(after)),
    ):
        if left != right:
            yield FieldDiff(f"{path}.{field}", f"{name}{state}: {label}", left, right)


def _name(answer: AnswerItem, index: int) -> str:
    return f"Answer {index + 1}" + (f" ‘{answer.label}’" if answer.label else "")


def _names(answers: Sequence[AnswerItem]) -> str:
    return "\n".join(answer.label or answer.body[:60] or "—" for answer in answers)


def _sources(answer: AnswerItem) -> str:
    return "\n".join(
        " · ".join(
            part
            for part in (
                source.title,
                source.url,
                source.accessed_on.isoformat() if source.accessed_on else "",
            )
            if part
        )
        for source in answer.sources
    )
