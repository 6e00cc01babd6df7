"""A question's past: which revisions say the same, and what changed, thing by thing."""

from __future__ import annotations

from sqlalchemy.orm import Session

from cms.formats.item import AnswerItem, Content, SourceItem
from cms.services.history import differences, first_alike, history
from cms.services.questions import restore, save
from tests.factories import AT, content, make_question


def two(*answers: AnswerItem, stem: str = "Stem?", tags: tuple[str, ...] = ("a",)) -> Content:
    return Content(stem=stem, tags=list(tags), answers=list(answers))


ONE = AnswerItem(uid="1" * 8, body="One")
SHORT = AnswerItem(uid="2" * 8, label="Short", body="Two")
THREE = AnswerItem(uid="3" * 8, body="Three", sources=[SourceItem(url="https://x.org")])


def told(old: Content, new: Content) -> list[tuple[str, str, list[tuple[str, str]]]]:
    return [
        (each.label, each.what, [(part.old, part.new) for part in each.parts])
        for each in differences(old, new)
    ]


def test_an_answer_that_came_went_or_moved_is_told_as_a_whole() -> None:
    assert told(two(ONE, SHORT), two(ONE, SHORT)) == []
    assert told(two(ONE, SHORT), two(THREE, ONE, stem="New?", tags=("a", "b"))) == [
        ("Stem", "", [("Stem?", "New?")]),
        ("Tags", "", [("a", "a, b")]),
        ("Answer 1", "added", [("", "Three"), ("", "https://x.org")]),
        ("Answer 2 ‘Short’", "removed", [("Two", "")]),
    ]


def test_places_that_only_shifted_are_no_move() -> None:
    assert told(two(ONE, SHORT), two(THREE, ONE, SHORT)) == [
        ("Answer 1", "added", [("", "Three"), ("", "https://x.org")])
    ]
    changed = AnswerItem(uid=THREE.uid, body="3", sources=THREE.sources)
    assert told(two(ONE, SHORT, THREE), two(changed, ONE, SHORT)) == [
        ("Answer 1", "moved from place 3 to 1", [("Three", "3")])
    ]


def test_a_restored_revision_names_the_first_that_says_the_same(session: Session) -> None:
    question = make_question(session)
    changed = content("Other?", uid=question.uid, slug=question.slug)
    save(session, question, changed, seen_version=1, by=None, at=AT)
    restored = restore(
        session, question, 1, seen_version=2, by=None, at=AT, summary=" It was\nright. "
    )
    assert restored is not None
    assert restored.summary == "Restored revision 1: It was right."
    restore(session, question, 2, seen_version=3, by=None, at=AT, summary="x" * 1_000)
    revisions = history(session, question)
    assert first_alike(session, revisions) == {4: 2, 3: 1}
    assert first_alike(session, revisions[:1]) == {4: 2}
