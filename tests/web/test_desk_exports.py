"""'Export this list': exactly the questions of a list, which come back in as unchanged."""

from __future__ import annotations

import csv
import io
import json

import pytest
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from cms.formats import FORMATS
from cms.formats.incoming import Upload
from cms.models import Question
from cms.services.corrections import open_correction
from cms.services.imports.importing import plan_file
from cms.vocabulary import CorrectionKind, RowAction
from tests.factories import AT, make_published, make_question
from tests.web.pages import notes_of
from tests.web.test_desk_lists import LIST, SHOWN, bank, desk

__all__ = ["bank", "desk"]


def exported(desk: FlaskClient, address: str) -> list[str]:
    """The stems that an export of a list holds, sorted."""
    response = desk.get(f"{address}&format=jsonl")
    assert response.status_code == 200, response.text
    return sorted(json.loads(line)["stem"] for line in response.data.splitlines())


@pytest.mark.parametrize("address", [each for each, stems in SHOWN.items() if stems])
def test_an_export_holds_what_the_list_shows(
    desk: FlaskClient, bank: dict[str, Question], address: str
) -> None:
    response = desk.get(f"{LIST}export{address}&format=jsonl")
    found = {json.loads(line)["stem"] for line in response.data.splitlines()}
    assert found == SHOWN[address]


@pytest.mark.parametrize(
    "format", [name for name, each in FORMATS.items() if each.read and each.write]
)
def test_an_export_goes_across_pages_and_comes_back_in_as_unchanged(
    desk: FlaskClient, session: Session, format: str
) -> None:
    for number in range(60):
        make_question(session, f"Number {number}?", tags=["many"])
    make_question(session, "Other?")
    response = desk.get(f"{LIST}export?tag=many&page=1&format={format}&what=drafts")
    name = f"questions-drafts.{FORMATS[format].extension}"
    assert response.headers["Content-Disposition"] == f'attachment; filename="{name}"'
    plan = plan_file(session, Upload(name, response.data), FORMATS[format])
    found = {action: count for action, count in plan.totals().items() if count}
    assert found == {RowAction.unchanged: 60}
    session.rollback()


def test_the_shelf_is_exported_as_readers_have_it(
    desk: FlaskClient, session: Session, bank: dict[str, Question]
) -> None:
    assert exported(desk, f"{LIST}export?what=shelf") == ["Changed?", "Published?"]
    assert exported(desk, f"{LIST}export?tag=http&what=shelf") == ["Published?"]


@pytest.mark.parametrize(
    ("table", "query", "stems"),
    [
        ("answers", "sources=some&search=tea", ["Tea?"]),
        ("answers", "search=coffee", ["Coffee?"]),
        ("corrections", "status=open", ["Coffee?"]),
        ("tags", "search=drinks/hot", ["Coffee?", "Tea?"]),
    ],
)
def test_other_lists_export_the_questions_of_their_rows(
    desk: FlaskClient, session: Session, table: str, query: str, stems: list[str]
) -> None:
    make_question(session, "Tea?", tags=["drinks/hot"])
    coffee = make_question(session, "Coffee?", tags=["drinks/hot"])
    make_question(session, "Water?", tags=["drinks"])
    open_correction(session, coffee, kind=CorrectionKind.factual, claim="No.", by=None, at=AT)
    session.commit()
    assert exported(desk, f"/admin/{table}/export?{query}") == stems
    page = desk.get(f"/admin/{table}/?{query}").text
    assert f'action="/admin/{table}/export"' in page


def test_an_empty_export_says_so_instead_of_sending_an_empty_file(
    desk: FlaskClient, session: Session
) -> None:
    make_question(session, "Draft?")
    response = desk.get(f"{LIST}export?status=draft&what=shelf&format=csv")
    assert response.status_code == 303
    assert "status=draft" in response.location
    assert notes_of(desk.get(response.location).text) == [
        "None of these questions is published, so readers have nothing of them to export."
    ]
    response = desk.get(f"{LIST}export?status=retired&format=csv")
    assert notes_of(desk.get(response.location).text) == [
        "No question belongs to this list, so there is nothing to export."
    ]


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("format=doc", "There is no format &#39;doc&#39;."),
        ("format=article", "can be imported, not exported"),
        ("format=csv&what=all", "Export either &#39;drafts&#39; or the &#39;shelf&#39;."),
        ("format=csv&status=nonsense", "There is no status ‘nonsense’."),
    ],
)
def test_an_export_that_cannot_be_says_why(
    desk: FlaskClient, session: Session, query: str, problem: str
) -> None:
    make_published(session)
    response = desk.get(f"{LIST}export?{query}")
    assert response.status_code == 400
    assert problem in response.text


def test_a_formats_switches_work_here_too(desk: FlaskClient, session: Session) -> None:
    make_question(session, "=Formula?")
    raw = desk.get(f"{LIST}export?format=csv&raw=1").text
    assert next(csv.DictReader(io.StringIO(raw)))["stem"] == "=Formula?"
    safe = desk.get(f"{LIST}export?format=csv").text
    assert next(csv.DictReader(io.StringIO(safe)))["stem"] != "=Formula?"
