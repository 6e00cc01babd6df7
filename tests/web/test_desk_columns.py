"""An import of somebody's table: its columns are shown, and read as an editor says."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import select

from cms.models import Question
from tests.web.test_desk_imports import Desk, desk

__all__ = ["desk"]

WORDS = "Vorn;Rückseite;Nr\nWas ist a?;Ein Buchstabe.;1\nWas ist b?;Noch einer.;2\n".encode()


def chosen(page: str) -> list[str]:
    """Return what each column of a page is chosen to hold."""
    selects = re.findall(r'<select class="input" id="column-\d+".*?</select>', page, re.DOTALL)
    return [re.findall(r'value="(\w+)" selected', each)[0] for each in selects]


def test_a_table_stops_at_its_columns_and_is_read_on_as_somebody_says(desk: Desk) -> None:
    page = desk.upload(("words.csv", WORDS))
    assert "asks for columns" in page
    for words in ("Vorn", "Rückseite", "Nr", "Was ist a?", "Ein Buchstabe."):
        assert words in page
    assert chosen(page) == ["stem", "answer", "external_id"]
    assert 'name="header" value="1" checked' in page
    assert "asks for columns" in desk.client.get("/admin/imports/").text
    fields = {"column-1": "stem", "column-2": "answer", "column-3": "ignore", "header": "1"}
    sent = desk.post(f"{desk.batch.id}/columns", **fields)
    assert "Waiting for a worker" in sent.text
    desk.work()
    page = desk.client.get(f"/admin/imports/{desk.batch.id}/").text
    assert "Import 2 questions" in page
    assert "Left out, as no meaning was given to it: Nr." in page
    desk.post(f"{desk.batch.id}/write")
    desk.work()
    stems = list(desk.session.scalars(select(Question.stem).order_by(Question.id)))
    desk.session.rollback()
    assert stems == ["Was ist a?", "Was ist b?"]


def test_a_table_without_a_header_is_read_from_its_first_row(desk: Desk) -> None:
    page = desk.upload(("cards.txt", b"What is a?\tA.\nWhat is b?\tB.\n"))
    assert "Column 1" in page
    assert chosen(page) == ["stem", "answer"]
    assert 'name="header" value="1" checked' not in page
    desk.post(f"{desk.batch.id}/columns", **{"column-1": "answer", "column-2": "stem"})
    desk.work()
    assert [row.stem for row in desk.rows()] == ["A.", "B."]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"column-1": "answer"}, "No column is said to hold the question."),
        ({"column-1": "stem", "column-2": "stem"}, "2 columns are said to hold the question."),
        ({"column-1": "nonsense"}, "No column is said to hold the question."),
    ],
)
def test_columns_that_do_not_fit_are_shown_again_with_what_is_wrong(
    desk: Desk, fields: dict[str, str], said: str
) -> None:
    desk.upload(("words.csv", WORDS))
    page = desk.post(f"{desk.batch.id}/columns", **fields)
    assert said in page.text
    assert chosen(page.text)[0] == fields["column-1"].replace("nonsense", "ignore")
    assert "asks for columns" in desk.client.get(f"/admin/imports/{desk.batch.id}/").text


def test_columns_are_asked_for_once_and_the_import_can_be_discarded(desk: Desk) -> None:
    desk.upload(("bank.csv", b"stem,answer\nWhat?,Yes.\n"))
    late = desk.post(f"{desk.batch.id}/columns", **{"column-1": "stem"})
    assert "This import does not ask for columns now." in late.text
    desk.upload(("words.csv", WORDS))
    gone = desk.post(f"{desk.batch.id}/discard")
    assert "Discarded ‘words.csv’; nothing was written." in gone.text


def test_what_is_read_as_a_table_and_is_none_says_so(desk: Desk) -> None:
    page = desk.upload(("notes.txt", b"Only prose.\nMore of it.\n"), format="table")
    assert "not read" in page
    assert "This is no table" in page
