"""How a row of a file meets a question of the bank: overlay, base, update or conflict."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from msgspec.structs import replace

from cms.formats.html import to_html
from cms.formats.item import AnswerItem, Content, SourceItem, answer_drops
from cms.vocabulary import RowAction


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do with a row: `content` is what an update would save."""

    action: RowAction
    content: Content
    message: str = ""


def judge(
    row: Content,
    drops: frozenset[str],
    *,
    current: Content,
    base: Callable[[], Content | None],
    earlier: Callable[[], list[Content]],
    through_html: bool = False,
) -> Verdict:
    """Compare a row with the bank's text and with the base that the row was made from.

    All contents carry tags as slugs. `base` and `earlier` fetch what the row
    was made from and the question's revisions; they are called only where the
    row differs from the bank. A row that came `through_html` differs where its texts
    say something else, however their Markdown is spelled.
    """

    def laid_over(under: Content) -> Content:
        return overlay(under, spelled_like(under, row) if through_html else row, drops)

    wanted = laid_over(current)
    if wanted == current:
        return Verdict(RowAction.unchanged, current)
    origin = base()
    if origin is not None:
        if laid_over(origin) == origin:
            return Verdict(RowAction.unchanged, current, "The file says nothing new.")
        if overlay(origin, current, drops) == origin:
            return Verdict(RowAction.update, wanted)
    if any(laid_over(revision) == revision for revision in earlier()):
        return Verdict(RowAction.unchanged, current, "The bank had this text before.")
    return Verdict(
        RowAction.conflict,
        wanted,
        "Both the file and the bank changed this question; the bank's text stays. "
        "Compare both at the desk.",
    )


def spelled_like(under: Content, row: Content) -> Content:
    """Return `row` with the texts of `under` in the place of its own that give the same HTML."""
    held = {_said(text): text for text in _texts(under)}

    def spelled(text: str) -> str:
        return held.get(_said(text), text)

    return replace(
        row,
        context=spelled(row.context),
        answers=[replace(answer, body=spelled(answer.body)) for answer in row.answers],
        options=[
            replace(option, text=spelled(option.text), feedback=spelled(option.feedback))
            for option in row.options
        ],
    )


def _texts(content: Content) -> Iterator[str]:
    yield content.context
    for answer in content.answers:
        yield answer.body
    for option in content.options:
        yield from (option.text, option.feedback)


@lru_cache(maxsize=256)
def _said(markdown: str) -> str:
    """Return what a text says: its HTML, in which each image is still the one that it is."""
    return to_html(markdown, "asset:{}".format)


def overlay(under: Content, row: Content, drops: frozenset[str]) -> Content:
    """Return `under` with everything that `row` states; what it drops stays as it is."""
    changes = {
        name: getattr(row, name) for name in ("stem", "context", "difficulty") if name not in drops
    }
    if "slug" not in drops and row.slug is not None:
        changes["slug"] = row.slug
    if "tags" not in drops:
        changes["tags"] = sorted(set(row.tags))
    if "options" not in drops:
        changes["options"] = row.options
    if "answers" not in drops:
        changes["answers"] = _overlay_answers(under.answers, row.answers, drops)
    return replace(under, **changes)


def _overlay_answers(
    under: list[AnswerItem], stated: list[AnswerItem], drops: frozenset[str]
) -> list[AnswerItem]:
    """Pair answers by uid, or else by position, and lay one over the other."""
    by_uid = {answer.uid: answer for answer in under}
    named = {answer.uid for answer in stated if answer.uid is not None}
    free = [answer for answer in under if answer.uid not in named]
    result: list[AnswerItem] = []
    for index, answer in enumerate(stated):
        by_position = free.pop(0) if answer.uid is None and free else None
        held = by_uid.get(answer.uid) if answer.uid is not None else by_position
        if held is None and answer_drops(drops, index, "body"):
            # Sources alone, without a column for the text, make no answer.
            continue
        result.append(_overlay_answer(held, answer, index, drops))
    if "answers[1:]" in drops:
        result += under[max(1, len(stated)) :]
    return result


def _overlay_answer(
    held: AnswerItem | None, stated: AnswerItem, index: int, drops: frozenset[str]
) -> AnswerItem:
    if held is None:
        return stated
    kept = {
        name: getattr(held, name)
        for name in ("label", "body", "applies_to", "sources")
        if answer_drops(drops, index, name)
    }
    if "sources" not in kept:
        kept["sources"] = _overlay_sources(held.sources, stated.sources, drops)
    return replace(stated, uid=held.uid, **kept)


def _overlay_sources(
    held: list[SourceItem], stated: list[SourceItem], drops: frozenset[str]
) -> list[SourceItem]:
    by_url = {source.url: source for source in held}
    result: list[SourceItem] = []
    for source in stated:
        known = by_url.get(source.url)
        kept = {
            name: getattr(known, name)
            for name in ("title", "accessed_on")
            if known is not None and f"answers.sources.{name}" in drops
        }
        result.append(replace(source, **kept))
    return result
