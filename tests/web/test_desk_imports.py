"""Imports at the desk: files and pasted text, row by row, before and after anything is written."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import Any

import msgspec
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict
from werkzeug.test import TestResponse

from cms.extensions import db
from cms.formats import FORMATS
from cms.formats.archive import Archive
from cms.formats.incoming import Upload
from cms.models import Answer, Deck, ImportBatch, ImportRow, Job, Question
from cms.services.content import content_of
from cms.services.exporting import Head, Selection, export_shelf
from cms.services.imports import import_undo
from cms.services.jobs import work_one
from cms.services.questions import save
from cms.services.work import HANDLERS
from cms.vocabulary import JobState, Role
from tests.conftest import ROOT
from tests.factories import AT, content, make_bank, make_question
from tests.web.conftest import AsRole, Csrf

DAMAGED = (ROOT / "fixtures" / "samples" / "damaged-article.txt").read_text()


class Desk:
    """An editor's browser, and a worker that does what waits when it is told to."""

    def __init__(self, client: FlaskClient, app: Flask, session: Session, csrf: Csrf) -> None:
        self.client = client
        self.app = app
        self.session = session
        self.csrf = csrf

    def work(self) -> None:
        self.session.rollback()
        with self.app.app_context():
            while work_one(db.engine, HANDLERS):
                pass

    def post(self, address: str, **fields: object) -> TestResponse:
        data = MultiDict([("csrf_token", self.csrf(self.client))])
        for name, value in fields.items():
            values = value if isinstance(value, list) else [value]
            for each in values:
                data.add(name, each)
        return self.client.post(f"/admin/imports/{address}", data=data, follow_redirects=True)

    def upload(self, *files: tuple[str, bytes], **fields: str) -> str:
        """Send files, have them read, and return the page of the import."""
        sent = [(io.BytesIO(data), name) for name, data in files]
        page = self.post("new/", file=sent, **fields)
        assert page.status_code == 200
        self.work()
        return self.client.get(page.request.path).text

    @property
    def batch(self) -> ImportBatch:
        self.session.rollback()
        found = self.session.scalars(select(ImportBatch).order_by(ImportBatch.id.desc())).first()
        assert found is not None
        return self.apart([found])[0]

    def rows(self) -> list[ImportRow]:
        statement = select(ImportRow).filter_by(batch_id=self.batch.id).order_by(ImportRow.id)
        return self.apart(list(self.session.scalars(statement)))

    def apart(self, found: list[Any]) -> list[Any]:
        """Take rows out of the session: it must not hold the lock that requests need."""
        self.session.expunge_all()
        self.session.rollback()
        return found


@pytest.fixture
def desk(as_role: AsRole, app: Flask, session: Session, csrf: Csrf) -> Desk:
    return Desk(as_role(Role.editor), app, session, csrf)


def bodies(session: Session) -> list[str]:
    found = list(session.scalars(select(Answer.body).order_by(Answer.id)))
    session.rollback()
    return found


def bank(*stems: str) -> bytes:
    questions = [{"stem": stem, "answers": [{"body": "Yes."}]} for stem in stems]
    return msgspec.json.encode({"format": "question-bank", "version": 1, "questions": questions})


def test_pasted_text_is_shown_row_by_row_and_written_when_somebody_says_so(desk: Desk) -> None:
    page = desk.upload(text=DAMAGED, name="A pasted article")
    assert "waits for you" in page
    assert "Import 16 questions" in page
    assert "looks damaged" in page
    assert "notes about the file" in page
    assert bodies(desk.session) == []
    desk.post(f"{desk.batch.id}/write")
    assert "writing" in desk.client.get(f"/admin/imports/{desk.batch.id}/").text
    desk.work()
    done = desk.client.get(f"/admin/imports/{desk.batch.id}/").text
    assert "Undo this import" in done
    assert len(bodies(desk.session)) == 16


def test_a_page_that_works_tells_how_far_it_has_come(desk: Desk, session: Session) -> None:
    page = desk.post("new/", text=DAMAGED)
    assert "Waiting for a worker" in page.text
    assert '<meta http-equiv="refresh"' in page.text
    job = session.scalars(select(Job)).one()
    job.state, job.progress, job.total = JobState.running, 1_500, 10_000
    session.commit()
    text = desk.client.get(page.request.path).text
    assert "Compared 1,500 of 10,000 questions with the bank" in text
    assert 'value="1500" max="10000"' in text


def test_rows_are_ticked_off_and_whole_kinds_chosen(desk: Desk, session: Session) -> None:
    make_question(session, "What is held?")
    desk.upload(("bank.json", bank("First?", "Second?", "What is held?")))
    first, second, twin = desk.rows()
    assert [row.chosen for row in (first, second, twin)] == [True, True, False]
    page = desk.post(f"{desk.batch.id}/choose", shown=[first.id, second.id], chosen=[second.id])
    assert "Import 1 question " in page.text
    page = desk.post(f"{desk.batch.id}/choose", all="take:duplicate")
    assert "Import 2 questions" in page.text
    assert [row.chosen for row in desk.rows()] == [False, True, True]
    page = desk.post(f"{desk.batch.id}/choose", all="leave:create", show="create")
    assert [row.chosen for row in desk.rows()] == [False, False, True]
    assert page.request.args["show"] == "create"


def test_a_conflict_is_shown_three_ways_and_decided_on_its_page(
    desk: Desk, session: Session
) -> None:
    question = make_question(session, "What is held?", "It began so.")
    changed = content_of(question)
    changed.answers[0].body = "The bank went on."
    save(session, question, changed, seen_version=1, by=None, at=AT)
    sheet = f"uid,revision,answer\r\n{question.uid},1,The file went on.\r\n"
    session.commit()
    desk.upload(("sheet.csv", sheet.encode()))
    [row] = desk.rows()
    page = desk.client.get(f"/admin/imports/{desk.batch.id}/rows/{row.id}").text
    plain = re.sub(r"<[^>]+>", "", page)
    for heading in ("Both began with", "The bank now", "The file"):
        assert heading in plain
    for text in ("It began so.", "The bank", "The file"):
        assert text in plain
    assert "<del>" in page
    page = desk.post(f"{desk.batch.id}/choose", shown=row.id, chosen=row.id, row=row.id).text
    assert "will be imported" in page
    assert "Keep the bank’s text" in page
    desk.post(f"{desk.batch.id}/write")
    desk.work()
    assert bodies(session) == ["The file went on."]


def test_an_update_shows_its_difference(desk: Desk, session: Session) -> None:
    question = make_question(session, "What is held?", "One word is wrong.")
    sheet = f"uid,revision,answer\r\n{question.uid},1,One word is right.\r\n"
    session.rollback()
    desk.upload(("sheet.csv", sheet.encode()))
    [row] = desk.rows()
    page = desk.client.get(f"/admin/imports/{desk.batch.id}/rows/{row.id}").text
    assert "<del>wrong</del><ins>right</ins>" in page


def test_a_likely_duplicate_is_shown_beside_its_twin_and_mended(
    desk: Desk, session: Session
) -> None:
    make_question(session, "What is held?", "Another answer.")
    session.rollback()
    desk.upload(("bank.json", bank("What is held?")))
    [row] = desk.rows()
    page = desk.client.get(f"/admin/imports/{desk.batch.id}/rows/{row.id}").text
    assert "How it differs from the bank’s question" in page
    assert "<del>Another answer</del><ins>Yes</ins>." in page
    assert "<h3>Address</h3>" not in page
    assert "Order of the answers" not in page
    [seen] = re.findall(r'name="seen_version" value="(\d+)"', page)
    mended = {"stem": "What is not held?", "answers[0].body": "No.", "seen_version": seen}
    page = desk.post(f"{desk.batch.id}/rows/{row.id}", op="save", **mended).text
    assert "Mended. The import will write this text." in page
    assert [(row.action, row.stem) for row in desk.rows()] == [("create", "What is not held?")]


def test_a_row_is_mended_on_its_page_and_what_is_wrong_is_said_beside_the_field(
    desk: Desk,
) -> None:
    desk.upload(text=DAMAGED)
    row = next(row for row in desk.rows() if row.warnings)
    address = f"{desk.batch.id}/rows/{row.id}"
    page = desk.client.get(f"/admin/imports/{address}").text
    assert 'class="warning"' in page
    assert "data-mend" in page
    assert "acknowledge:" not in page
    seen = re.findall(r'name="seen_version" value="(\d+)"', page)
    refused = desk.post(
        address, op="save", seen_version=seen, stem="", **{"answers[0].body": "Kept?"}
    ).text
    assert "Nothing was saved yet" in refused
    assert "Kept?" in refused
    grown = desk.post(address, op="add-answer", stem="Mended?").text
    assert 'name="answers[0].body"' in grown
    mended = {"op": "save", "stem": "Mended?", "tags": "new/tag", "answers[0].body": "Whole."}
    page = desk.post(address, seen_version=seen, **mended).text
    assert "Mended. The import will write this text." in page
    assert 'class="warning"' not in page
    assert "Whole." in page


def test_a_row_that_somebody_else_mended_is_saved_over_only_on_purpose(desk: Desk) -> None:
    desk.upload(("bank.json", bank("First?")))
    address = f"{desk.batch.id}/rows/{desk.rows()[0].id}"
    page = desk.client.get(f"/admin/imports/{address}").text
    seen = re.findall(r'name="seen_version" value="(\d+)"', page)
    theirs = {"op": "save", "stem": "Theirs?", "answers[0].body": "Theirs."}
    assert "Mended." in desk.post(address, seen_version=seen, **theirs).text
    mine = {"op": "save", "stem": "Mine?", "answers[0].body": "Mine."}
    page = desk.post(address, seen_version=seen, **mine).text
    assert "Somebody mended this row while you were at it" in page
    assert "Mine." in page
    assert desk.rows()[0].stem == "Theirs?"
    seen = re.findall(r'name="seen_version" value="(\d+)"', page)
    assert "Mended." in desk.post(address, seen_version=seen, **mine).text
    assert desk.rows()[0].stem == "Mine?"


def test_a_file_that_cannot_be_read_says_why_and_is_read_as_told(desk: Desk) -> None:
    page = desk.upload(("notes.json", b"uid,stem\r\n,Why?\r\n"), format="json")
    assert "The file could not be read" in page
    assert "notes.json" in page
    desk.post(f"{desk.batch.id}/read", format="csv")
    desk.work()
    assert "Import 1 question " in desk.client.get(f"/admin/imports/{desk.batch.id}/").text


def test_an_import_is_undone_and_done_again(desk: Desk, session: Session) -> None:
    desk.upload(("bank.json", bank("First?", "Second?")))
    first = desk.batch.id
    desk.post(f"{first}/write")
    desk.work()
    assert "Undone: the bank is as it was" in desk.post(f"{first}/undo").text
    assert bodies(session) == []
    page = desk.post(f"{first}/again")
    desk.work()
    assert desk.batch.id != first
    assert "Import 2 questions" in desk.client.get(page.request.path).text
    page = desk.post(f"{desk.batch.id}/discard")
    assert "Discarded ‘bank.json’" in page.text


def test_the_list_tells_what_would_become_and_what_became_of_the_rows(
    desk: Desk, session: Session
) -> None:
    def told(query: str = "") -> list[str]:
        page = desk.client.get(f"/admin/imports/{query}").text
        return re.findall(r'data-label="Result">([^<]*)</td>', page)

    make_question(session, "What is held?")
    session.rollback()
    desk.upload(("bank.json", bank("First?", "Second?", "What is held?", "")))
    assert told("?state=open") == ["2 to create, 1 likely duplicate, 1 error"]
    first, *_, twin, _ = desk.rows()
    batch = desk.batch.id
    desk.post(f"{batch}/choose", shown=[first.id, twin.id], chosen=[twin.id])
    desk.post(f"{batch}/write")
    desk.work()
    assert told("?state=imported") == ["2 created, 1 left out, 1 error"]
    page = desk.client.get(f"/admin/imports/{batch}/").text
    pills = re.findall(r'data-label="Result"><span class="pill ?\w*">([^<]*)</span>', page)
    assert pills == ["left out", "created", "created", "error"]
    assert told("?state=open") == told("?state=undone") == []


def test_an_undo_that_cannot_be_says_what_was_built_on_the_import(
    desk: Desk, session: Session
) -> None:
    desk.upload(("bank.json", bank("First?")))
    desk.post(f"{desk.batch.id}/write")
    desk.work()
    question = session.scalars(select(Question)).one()
    save(session, question, content("First?", "Built."), seen_version=1, by=None, at=AT)
    session.commit()
    page = desk.post(f"{desk.batch.id}/undo").text
    assert "cannot be undone, because something was built on it: ‘First?’ was edited" in page


def test_the_decks_of_a_file_are_shown_before_they_are_made(desk: Desk, session: Session) -> None:
    desk.upload(("bank.json", bank("First?")))
    desk.post(f"{desk.batch.id}/write")
    desk.work()
    held = json.loads(bank("First?")) | {"decks": [{"slug": "easy", "title": "Easy <ones>"}]}
    page = desk.upload(("bank.json", json.dumps(held).encode()))
    assert "has 1 deck that the bank lacks: Easy &lt;ones&gt;. Readers will have it" in page
    assert "Import 0 questions and 1 deck " in page
    desk.post(f"{desk.batch.id}/write")
    desk.work()
    assert session.scalars(select(Deck.slug)).all() == ["easy"]
    session.rollback()
    page = desk.upload(("bank.json", json.dumps(held).encode()))
    assert "that the bank lacks" not in page
    assert "No row is chosen" in desk.post(f"{desk.batch.id}/write").text


def test_the_files_of_a_folder_are_one_import(desk: Desk, session: Session, app: Flask) -> None:
    make_bank(session)
    with app.app_context(), Session(db.engine) as reading:
        stream = export_shelf(reading, FORMATS["markdown"], Selection(), Head("Bank"))
        archive = b"".join(stream.chunks)
    opened = Archive(Upload("bank.md.zip", archive))
    files = [(f"bank/{name}", opened.read(name).data) for name in opened.names]
    session.rollback()
    page = desk.upload(*files)
    assert {row.action.value for row in desk.rows()} == {"unchanged"}
    assert desk.batch.file_name == "bank"
    assert "There is nothing to write: the bank has all of these questions" in page
    assert 'id="write"' not in page


def test_several_files_are_several_imports_and_none_is_a_message(desk: Desk) -> None:
    page = desk.post(
        "new/", file=[(io.BytesIO(bank("A?")), "a.json"), (io.BytesIO(bank("B?")), "b.json")]
    ).text
    assert "2 files are being read" in page
    assert "Choose a file, or paste some text." in desk.post("new/", text=" ").text
    refused = desk.post("new/", text="What is kept?", format="word").text
    assert "There is no format &#39;word&#39;" in refused
    assert "What is kept?" in refused


def test_the_report_is_a_table_that_no_spreadsheet_runs(desk: Desk) -> None:
    desk.upload(("bank.json", bank("=1+1?", "Second?", "")))
    response = desk.client.get(f"/admin/imports/{desk.batch.id}/report.csv")
    assert response.headers["Content-Disposition"].startswith("attachment")
    rows = list(csv.DictReader(io.StringIO(response.text)))
    assert [(row["action"], row["imported"]) for row in rows] == [
        ("create", "yes"),
        ("create", "yes"),
        ("error", "no"),
    ]
    assert rows[0]["stem"] == "'=1+1?"


def test_addresses_of_other_rows_and_imports_are_not_found(desk: Desk) -> None:
    desk.upload(("bank.json", bank("First?")))
    id = desk.batch.id
    assert desk.client.get(f"/admin/imports/{id}/rows/99999").status_code == 404
    assert desk.client.get(f"/admin/imports/{id}/rows/x").status_code == 404
    assert desk.client.get("/admin/imports/99999/").status_code == 404


def test_the_questions_of_an_import_are_a_list_of_their_own(desk: Desk, session: Session) -> None:
    make_question(session, "Was it here before?")
    desk.upload(("bank.json", bank("First?", "Second?")))
    desk.post(f"{desk.batch.id}/write")
    desk.work()
    page = desk.client.get(f"/admin/imports/{desk.batch.id}/").text
    address = re.search(r'href="(/admin/questions/\?import=\d+)"', page)
    assert address
    listed = desk.client.get(address[1]).text
    assert "First?" in listed
    assert "Second?" in listed
    assert "Was it here before?" not in listed
    assert 'name="import"' in listed
    assert 'name="import"' not in desk.client.get("/admin/questions/").text


def test_a_large_import_is_undone_by_a_worker(
    desk: Desk, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_undo, "LARGE", 1)
    desk.upload(("bank.json", bank("First?", "Second?")))
    batch = desk.batch.id
    desk.post(f"{batch}/write")
    desk.work()
    page = desk.post(f"{batch}/undo").text
    assert "being undone" in page
    assert "All of it is taken back at once" in page
    assert "is being undone already" in desk.post(f"{batch}/undo").text
    assert len(bodies(session)) == 2
    desk.work()
    assert ">undone<" in desk.client.get(f"/admin/imports/{batch}/").text
    assert bodies(session) == []
    assert "was undone already" in desk.post(f"{batch}/undo").text


def test_a_worker_that_cannot_undo_says_so_on_the_page_of_the_import(
    desk: Desk, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_undo, "LARGE", 0)
    desk.upload(("bank.json", bank("First?")))
    batch = desk.batch.id
    desk.post(f"{batch}/write")
    desk.work()
    desk.post(f"{batch}/undo")
    question = session.scalars(select(Question)).one()
    save(session, question, content("First?", "Built."), seen_version=1, by=None, at=AT)
    session.commit()
    desk.work()
    page = desk.client.get(f"/admin/imports/{batch}/").text
    assert "Nothing was undone" in page
    assert "something was built on it: ‘First?’ was edited" in page
    assert bodies(session) == ["Built."]
