"""The audit at the desk: filters that combine, things as people call them, words, the export."""

from __future__ import annotations

import ast
import csv
import io
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from cms.models import Question
from cms.services import accounts
from cms.services.audit import record
from cms.services.corrections import open_correction
from cms.services.deciding import accept
from cms.services.questions import delete_draft
from cms.vocabulary import CorrectionKind, Role
from cms.web.admin import audit
from cms.web.admin.audit import words_of
from tests.factories import AT, make_published, make_question
from tests.web.pages import notes_of

ROOT = Path(__file__).resolve().parents[2]
AUDIT = "/admin/audit/"


@pytest.fixture
def desk(as_role: Callable[[Role | None], FlaskClient]) -> FlaskClient:
    return as_role(Role.editor)


def told(page: str) -> list[str]:
    """What the listed events are about, in order."""
    cells = re.findall(r'<td class="main"[^>]*>(.*?)</td>', page, re.S)
    return [
        " ".join(re.sub(r"<[^>]+>", " ", cell).split()).removesuffix(" its events")
        for cell in cells
    ]


@pytest.fixture
def question(session: Session) -> Question:
    """A question with events on three days, by two people, and a published correction."""
    grace = accounts.add_user(session, "Grace Hopper", Role.editor, by=None, at=AT)
    made = make_published(session, "Is it?", at=datetime(2026, 3, 1, 23, 59, tzinfo=UTC))
    correction = open_correction(
        session, made, kind=CorrectionKind.factual, claim="It is.", by=grace, at=AT
    )
    accept(session, correction, fixed_in=1, by=grace, at=AT)
    for day in (2, 3):
        at = datetime(2026, 3, day, tzinfo=UTC)
        record(
            session,
            by=grace,
            at=at,
            action="question.assign",
            about=f"question:{made.uid}",
            day=day,
        )
    session.commit()
    return made


def test_filters_combine_and_days_are_inclusive(desk: FlaskClient, question: Question) -> None:
    def count(address: str) -> int:
        return len(told(desk.get(AUDIT + address).text))

    found = {
        address: count(address)
        for address in (
            "?object=Is-It&from=2026-03-01&until=2026-03-01",
            "?object=is-it&from=2026-03-02&until=2026-03-03",
            "?object=is-it&from=2026-03-02&until=2026-03-02&who=grace hopper",
            "?object=is-it&who=-",
            "?object=is-it&action=question.assign",
            "?action=account.add&who=-&object=Grace Hopper",
            "?who=me&action=question.assign",
            "?who=Nobody",
            "?object=is-it&from=2026-03-01&until=9999-12-31",
            "?from=9999-12-31",
        )
    }
    assert list(found.values()) == [1, 2, 1, 2, 2, 1, 0, 0, 4, 0]


def test_a_question_is_found_by_whatever_people_call_it(
    desk: FlaskClient, question: Question
) -> None:
    calls = [
        str(question.id),
        f"#{question.id}",
        question.uid,
        question.uid.upper(),
        f"question:{question.uid}",
        "is-it",
        "/questions/is-it",
        "https://example.org/questions/is-it?x=1",
        f"http://localhost/admin/questions/{question.id}/revisions/",
    ]
    for call in calls:
        page = desk.get(AUDIT, query_string={"object": call}).text
        assert told(page) == ["Is it?"] * 4, call
    page = desk.get(AUDIT, query_string={"object": "/corrections/1"}).text
    assert told(page) == ["correction: It is."] * 2


def test_what_names_nothing_is_said_kindly(desk: FlaskClient, question: Question) -> None:
    for call in ("nothing-such", "99999", "' OR 1=1 --", "9" * 30, "/corrections/77"):
        [note] = notes_of(desk.get(AUDIT, query_string={"object": call}).text)
        assert note.startswith(f"‘{call}’ names nothing: give a question's number"), call
    [note] = notes_of(desk.get(f"{AUDIT}?from=soon").text)
    assert note == "‘soon’ is not a day. Write it like 2027-01-31; it was ignored."
    [note] = notes_of(desk.get(f"{AUDIT}?action=%27%3B").text)
    assert note == "There is no action ‘';’; it was ignored."
    assert desk.get(f"{AUDIT}export?from=soon").status_code == 400


def test_the_filtered_events_are_exported_and_no_cell_is_a_formula(
    desk: FlaskClient, session: Session, question: Question, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "ROUND", 2)
    record(session, by=None, at=AT, action="question.create", about="question:=HYPERLINK(1)", by_=1)
    spy = make_question(session, "=1+1")
    session.commit()
    answer = desk.get(f"{AUDIT}export?who=-&action=question.create")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert re.search(
        r'filename="audit-\d{4}-\d\d-\d\d\.csv"', answer.headers["Content-Disposition"]
    )
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["what"] for row in rows] == ["'=1+1", "", "Is it?"]
    assert rows[0]["object"] == f"question:{spy.uid}"
    assert {row["did"] for row in rows} == {"wrote"}
    assert rows[1]["data"] == '{"by_": 1}'
    assert rows[0]["at"] == "2026-11-22T10:00:00Z"
    every = list(csv.DictReader(io.StringIO(desk.get(f"{AUDIT}export").text)))
    assert "account.add" in {row["action"] for row in every}


def test_pages_lead_to_the_audit_of_what_they_show(
    desk: FlaskClient, session: Session, question: Question
) -> None:
    page = desk.get(f"/admin/questions/{question.id}/").text
    assert f'href="{AUDIT}?object=question:{question.uid}"' in page.replace("%3A", ":")
    assert "Who did what to it" in desk.get("/admin/corrections/1/").text


def test_a_deleted_draft_is_named_by_what_it_said(desk: FlaskClient, session: Session) -> None:
    gone = make_question(session, "Gone?")
    delete_draft(session, gone, by=None, at=AT)
    session.commit()
    assert told(desk.get(f"{AUDIT}?action=question.delete").text) == ["‘Gone?’, which is deleted"]


def test_every_action_that_is_written_has_words() -> None:
    written: set[str] = set()
    for path in (ROOT / "cms").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not (isinstance(node, ast.Call) and getattr(node.func, "id", "") == "record"):
                continue
            for each in node.keywords:
                if each.arg == "action" and isinstance(each.value, ast.Constant):
                    written.add(str(each.value.value))
    assert len(written) > 15
    wordless = sorted(action for action in written if words_of(action) == action)
    assert wordless == [], "say what people read of it in audit.WORDS or lately.DEEDS"
