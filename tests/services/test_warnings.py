"""Import warnings: where the damage is, and how it is dealt with."""

from __future__ import annotations

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from cms.errors import NotAllowed, WrongState
from cms.formats import FORMATS
from cms.formats.incoming import Upload
from cms.formats.item import AnswerItem, Content
from cms.models import AuditEvent, ImportWarning, Question, User
from cms.services.blockers import DAMAGED
from cms.services.imports.importing import apply, plan_file
from cms.services.publishing import blockers, publish
from cms.services.questions import restore, save
from cms.services.warnings import (
    Place,
    acknowledge,
    closed_warnings,
    count_mended,
    located,
    open_warnings,
    take_back,
    texts_of,
)
from cms.vocabulary import Role
from tests.factories import AT, content, make_question, make_warning

CODE = "def f():\nreturn 1"


def warning(passage: str, kind: str = "hole") -> ImportWarning:
    return ImportWarning(kind=kind, message="A word is missing.", passage=passage)


def places(made: ImportWarning, held: Content) -> list[tuple[str, int, int]]:
    """Where a passage stands: field, first line, last line."""
    return [
        (place.field, place.first_line, place.last_line) for place in located(made, texts_of(held))
    ]


def rewrite(session: Session, question: Question, body: str, by: User | None = None) -> int:
    """Save a new first answer; return the number of the revision."""
    answers = [AnswerItem(uid=question.answers[0].uid, body=body)] if body else []
    changed = content(question.stem, answers=answers)
    save(session, question, changed, seen_version=question.latest_number, by=by, at=AT)
    return question.latest_number


def events(session: Session) -> list[tuple[str, int | None]]:
    """What the audit says of warnings: the verb and the revision."""
    rows = session.scalars(
        select(AuditEvent).where(AuditEvent.action.startswith("warning.")).order_by(AuditEvent.id)
    )
    return [(row.action.removeprefix("warning."), row.data.get("revision")) for row in rows]


def still_open(session: Session, question: Question) -> list[str]:
    return [each.passage for each in open_warnings(session, question)]


# --- where it is ------------------------------------------------------------------------


def test_a_passage_is_located_by_field_lines_and_characters() -> None:
    held = Content(
        stem="Is it is , and?",
        context="Before.\n\nIt is , and\nmore.",
        answers=[
            AnswerItem(body="Sound."),
            AnswerItem(body="The host\nis , and the port is , and"),
        ],
    )
    assert places(warning("is , and"), held) == [
        ("stem", 1, 1),
        ("context", 3, 3),
        ("answers[1].body", 2, 2),
        ("answers[1].body", 2, 2),
    ]
    [first, *_] = located(warning("host\nis , and"), texts_of(held))
    assert first == Place("answers[1].body", start=4, end=17, first_line=1, last_line=2)


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("The host is , and the port.", [(1, 1)]),
        ("The host\nis , and\nthe port.", [(1, 3)]),
        ("> The host is ,\n  and the port.", [(1, 2)]),
        ("The host is localhost, and the port.", []),
        ("", []),
    ],
)
def test_lines_may_break_elsewhere_than_on_import(body: str, found: list[tuple[int, int]]) -> None:
    held = Content(stem="Why?", answers=[AnswerItem(body=body)])
    lines = [place[1:] for place in places(warning("host is ,\r\nand the"), held)]
    assert lines == found


def test_a_lost_indentation_is_found_only_as_it_was() -> None:
    lost = warning(CODE, "indentation")
    assert places(lost, content(body=f"```python\n{CODE}\n```")) == [("answers[0].body", 2, 3)]
    assert places(lost, content(body="def f():\n    return 1")) == []


def test_a_warning_without_a_passage_has_no_place() -> None:
    assert places(warning("", "empty"), content()) == []


# --- mending ------------------------------------------------------------------------------


def test_a_save_that_takes_the_passage_away_closes_its_warning(
    session: Session, editor: User
) -> None:
    question = make_question(session, body="The host is , and the port.")
    made = make_warning(session, question)
    other = make_warning(session, question, "the port")
    number = rewrite(session, question, "The host is `::1`, and the port.", by=editor)
    assert still_open(session, question) == ["the port"]
    assert (made.mended_in, other.mended_in) == (number, None)
    assert count_mended(session, question, number) == 1
    [closed] = closed_warnings(session, question)
    assert closed.mended is not None
    assert (closed.mended.author, closed.mended.created_at) == (editor, AT)
    assert events(session) == [("mend", 2)]
    assert blockers(session, question) == [DAMAGED]
    rewrite(session, question, "The host is `::1`, and the gate.")
    assert publish(session, [question], by=None, at=AT).refused == []


@pytest.mark.parametrize(
    "body",
    ["More. The host is , and the port.", "The host\nis ,\nand the port.", "A gate.\n\nis , and"],
)
def test_a_save_that_leaves_the_passage_somewhere_closes_nothing(
    session: Session, body: str
) -> None:
    question = make_question(session, body="The host is , and the port.")
    make_warning(session, question)
    rewrite(session, question, body)
    assert still_open(session, question) == ["is , and"]
    assert events(session) == []


def test_a_passage_that_moved_to_another_field_is_not_mended(session: Session) -> None:
    question = make_question(session, body="It is , and.")
    make_warning(session, question)
    moved = content(question.stem, "Sound.", context="It is , and.")
    save(session, question, moved, seen_version=1, by=None, at=AT)
    assert still_open(session, question) == ["is , and"]


def test_code_that_is_indented_again_is_mended(session: Session) -> None:
    question = make_question(session, body=f"```python\n{CODE}\n```")
    make_warning(session, question, CODE, kind="indentation")
    rewrite(session, question, "```python\ndef f():\n    return 1\n```")
    assert still_open(session, question) == []


def test_an_answer_mends_what_had_none(session: Session) -> None:
    question = make_question(session, answers=[])
    make_warning(session, question, "", kind="empty")
    save(session, question, content("Why?", answers=[]), seen_version=1, by=None, at=AT)
    assert still_open(session, question) == [""]
    save(session, question, content("Why?", "So."), seen_version=2, by=None, at=AT)
    assert still_open(session, question) == []
    assert events(session) == [("mend", 3)]


def test_what_was_gone_before_waits_to_be_acknowledged(session: Session) -> None:
    question = make_question(session, body="Sound.")
    made = make_warning(session, question)
    rewrite(session, question, "As sound.")
    assert still_open(session, question) == ["is , and"]
    acknowledge(session, made, by=None, at=AT)
    assert still_open(session, question) == []


def test_a_restored_passage_opens_its_warning_again(session: Session) -> None:
    question = make_question(session, body="The host is , and the port.")
    make_warning(session, question)
    rewrite(session, question, "The host is `::1`.")
    restore(session, question, 1, seen_version=2, by=None, at=AT)
    assert still_open(session, question) == ["is , and"]
    assert blockers(session, question) == [DAMAGED]
    rewrite(session, question, "The host is `::1` again.")
    assert still_open(session, question) == []
    assert events(session) == [("mend", 2), ("reopen", 3), ("mend", 4)]


def test_what_is_acknowledged_stays_so_whatever_becomes_of_its_passage(session: Session) -> None:
    question = make_question(session, body="The host is , and the port.")
    made = make_warning(session, question)
    acknowledge(session, made, by=None, at=AT)
    rewrite(session, question, "The host is `::1`.")
    restore(session, question, 1, seen_version=2, by=None, at=AT)
    assert still_open(session, question) == []
    assert events(session) == [("acknowledge", None)]


def article(session: Session, answer: str) -> None:
    text = f"Q 1. What is a host?\nAnswer: {answer}\n\nQ 2. What is a port?\nAnswer: A number.\n"
    upload = Upload("hosts.txt", text.encode())
    format = FORMATS["article"]
    apply(session, plan_file(session, upload, format), upload, format, by=None, at=AT)
    session.commit()


def test_an_import_mends_too_and_tells_nothing_twice(session: Session) -> None:
    article(session, "The default address is, and the port is 5000.")
    question = session.scalars(select(Question).where(Question.stem == "What is a host?")).one()
    [first] = open_warnings(session, question)
    # The same hole in another text of the same article.
    article(session, "The default address is, and the port is 5000. It can be changed.")
    assert question.latest_number == 2
    assert open_warnings(session, question) == [first]
    article(session, "The default address is 127.0.0.1, and the port is 5000.")
    assert still_open(session, question) == []
    assert events(session) == [("mend", 3)]


# --- acknowledging --------------------------------------------------------------------------


def test_an_acknowledgement_can_be_taken_back(session: Session, editor: User) -> None:
    question = make_question(session, body="It is , and.")
    made = make_warning(session, question)
    acknowledge(session, made, by=editor, at=AT)
    [closed] = closed_warnings(session, question)
    assert (closed.acknowledged_by, closed.acknowledged_at) == (editor, AT)
    take_back(session, made, by=editor, at=AT)
    assert (made.acknowledged_by_id, made.acknowledged_at) == (None, None)
    assert open_warnings(session, question) == [made]
    assert closed_warnings(session, question) == []
    assert blockers(session, question) == [DAMAGED]
    assert [verb for verb, _ in events(session)] == ["acknowledge", "take_back"]


def test_what_is_done_already_is_refused(session: Session) -> None:
    question = make_question(session, body="It is , and.")
    made = make_warning(session, question)
    with pytest.raises(WrongState, match="is not acknowledged, so there is nothing to take back"):
        take_back(session, made, by=None, at=AT)
    acknowledge(session, made, by=None, at=AT)
    with pytest.raises(WrongState, match="Somebody acknowledged this warning already"):
        acknowledge(session, made, by=None, at=AT)
    other = make_warning(session, question, "It is")
    rewrite(session, question, "Mended.")
    with pytest.raises(WrongState, match="Revision 2 mended this passage already"):
        acknowledge(session, other, by=None, at=AT)


def test_only_editors_deal_with_warnings_but_anybody_may_mend(
    session: Session, contributor: User
) -> None:
    assert contributor.role == Role.contributor
    question = make_question(session, body="It is , and.", by=contributor)
    made = make_warning(session, question)
    with pytest.raises(NotAllowed, match="Only an editor may acknowledge import warnings"):
        acknowledge(session, made, by=contributor, at=AT)
    with pytest.raises(NotAllowed, match="Only an editor may take back an acknowledgement"):
        take_back(session, made, by=contributor, at=AT)
    rewrite(session, question, "It is here, and.", by=contributor)
    assert still_open(session, question) == []
    assert publish(session, [question], by=None, at=AT).refused == []


def test_forced_publishing_acknowledges_only_what_is_open(session: Session) -> None:
    question = make_question(session, body="It is , and. Fused.Here")
    mended = make_warning(session, question)
    left = make_warning(session, question, "Fused.Here", kind="fused")
    rewrite(session, question, "It is well. Fused.Here")
    publish(session, [question], by=None, at=AT, force=True)
    session.expire_all()
    assert (mended.mended_in, mended.acknowledged_at) == (2, None)
    assert (left.mended_in, left.acknowledged_at) == (None, AT)
