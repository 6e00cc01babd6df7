"""Our own Anki package comes home: nothing changes but what was edited on a card."""

from __future__ import annotations

import sqlite3
import zipfile
from collections.abc import Callable
from io import BytesIO

import pytest
from sqlalchemy.orm import Session

from cms.formats import FORMATS
from cms.formats.archive import packed
from cms.formats.incoming import Upload
from cms.formats.item import AnswerItem, SourceItem
from cms.models import Question
from cms.services.content import content_of
from cms.services.exporting import Head, Selection, export_shelf
from cms.services.imports.importing import apply, plan_file
from cms.services.imports.planning import Plan
from cms.services.questions import save
from cms.vocabulary import RowAction
from tests.factories import AT, make_published
from tests.formats.test_anki import legacy_package

APKG = FORMATS["apkg"]
# Spelled as nothing that comes out of HTML is.
BODY = """* one
* two  \n  goes on

Setext
------

__Bold__ and _slanted_, `code`.

    indented code

~~~python run
print(1)
~~~
"""


@pytest.fixture
def question(session: Session) -> Question:
    answers = [
        AnswerItem(
            body=BODY,
            label="Long",
            applies_to="Flask >= 2.2",
            sources=[SourceItem(url="https://example.org/views", title="Views")],
        ),
        AnswerItem(label="Short", body="A *function*.", applies_to="Flask"),
        AnswerItem(label="Other", body="1) x"),
    ]
    return make_published(
        session, "What is a `view`?", answers=answers, tags=["flask/basics"], context="_Context._"
    )


def package(session: Session, edit: Callable[[str], str] = lambda fields: fields) -> Upload:
    """Return the bank's package with the fields of its notes edited."""
    stream = export_shelf(session, APKG, Selection(), Head("A bank", "https://bank.example"))
    with zipfile.ZipFile(BytesIO(b"".join(stream.chunks))) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    database = sqlite3.connect(":memory:")
    database.deserialize(files["collection.anki2"])
    database.create_function("edited", 1, edit)
    database.execute("UPDATE notes SET flds = edited(flds)")
    database.commit()
    files["collection.anki2"] = database.serialize()
    return Upload("bank.apkg", b"".join(packed(files.items())))


def planned(session: Session, upload: Upload) -> Plan:
    return plan_file(session, upload, APKG)


def test_a_package_that_nobody_edited_changes_nothing(session: Session, question: Question) -> None:
    make_published(session, "Another?", body="<b>no markup</b> &amp; \\*")
    plan = planned(session, package(session))
    assert {row.action for row in plan.rows} == {RowAction.unchanged}
    assert len(plan.rows) == 2


def test_an_edited_card_changes_the_edited_text_alone(session: Session, question: Question) -> None:
    before = content_of(question)
    upload = package(session, lambda fields: fields.replace("<em>function</em>", "<b>callable</b>"))
    plan = planned(session, upload)
    assert [row.action for row in plan.rows] == [RowAction.update]
    apply(session, plan, upload, APKG, by=None, at=AT)
    session.refresh(question)
    after = content_of(question)
    assert after.answers[1].body == "A **callable**."
    after.answers[1].body = before.answers[1].body
    assert after == before


def test_an_edit_of_both_sides_is_a_conflict(session: Session, question: Question) -> None:
    upload = package(session, lambda fields: fields.replace("function", "callable"))
    mine = content_of(question)
    mine.answers[2].body = "2) y"
    save(session, question, mine, seen_version=1, by=None, at=AT)
    plan = planned(session, upload)
    assert [row.action for row in plan.rows] == [RowAction.conflict]


def test_cards_of_somebody_else_come_in_once(session: Session) -> None:
    upload = legacy_package([("guid1", "Capital of France?", "<b>Paris</b>")])
    first = planned(session, upload)
    assert [row.action for row in first.rows] == [RowAction.create]
    apply(session, first, upload, APKG, by=None, at=AT)
    assert [row.action for row in planned(session, upload).rows] == [RowAction.unchanged]
    edited = legacy_package([("guid1", "Capital of France?", "<b>Paris</b>, of course")])
    assert [row.action for row in planned(session, edited).rows] == [RowAction.update]
