"""Import warnings on the page of a question: beside the passage that they mean."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from cms.formats.item import AnswerItem
from cms.models import ImportWarning, Question, User
from cms.services.warnings import acknowledge, open_warnings, texts_of
from cms.vocabulary import Role
from cms.web.admin.forms import QuestionForm
from tests.factories import AT, content, make_question, make_warning
from tests.web.pages import fields_of, notes_of, reread, submit
from tests.web.test_desk_lists import counted_queries

AsRole = Callable[[Role | None], FlaskClient]

HOLE = "The host is , and the port is 5000."
MENDED = "The host is `127.0.0.1`, and the port is 5000."


@pytest.fixture
def desk(as_role: AsRole) -> FlaskClient:
    return as_role(Role.editor)


def editor_of(question: Question) -> str:
    return f"/admin/questions/{question.id}/"


def damaged(session: Session, passage: str = "is , and") -> tuple[Question, ImportWarning]:
    """A draft whose second answer has a hole, and its warning."""
    question = make_question(
        session,
        "Which host is the default?",
        answers=[AnswerItem(label="Short", body="A local one."), AnswerItem(body=HOLE)],
    )
    return question, make_warning(session, question, passage)


def regions(page: str) -> dict[str, list[str]]:
    """Return the ids of the notes under each field that has some; '' for those without a field."""
    _, *parts = re.split(r'id="([^"]*)warnings" data-warnings>', page)
    held = {
        name.removesuffix("-"): re.findall(r'id="(warning-\d+)"', html)
        for name, html in zip(parts[::2], parts[1::2], strict=True)
    }
    return {name: ids for name, ids in held.items() if ids}


def note(page: str, made: ImportWarning) -> str:
    """Return the HTML of one note."""
    found = re.search(rf'<div class="warning" id="warning-{made.id}".*?\n</div>', page, re.DOTALL)
    assert found, "the page has no such note"
    return found[0]


def shown(html: str, part: str) -> bool:
    """Whether a part of a note, named by its attribute, is there and not hidden."""
    return bool(re.search(rf"<[^>]*\bdata-{part}>", html))


def closed_on(session: Session, question: Question) -> list[str]:
    found = [each.passage for each in open_warnings(session, question)]
    session.rollback()
    return found


# --- where a warning stands ---------------------------------------------------------------


def test_a_warning_stands_under_the_field_that_has_its_passage(
    desk: FlaskClient, session: Session
) -> None:
    question, made = damaged(session)
    stem = make_warning(session, question, "Which host")
    page = desk.get(editor_of(question)).text
    assert regions(page) == {
        "stem": [f"warning-{stem.id}"],
        "answers[1].body": [f"warning-{made.id}"],
    }
    # The bar says how many there are, and leads to the first.
    assert f'<a class="pill warm" href="#warning-{stem.id}">2 warnings</a>' in page
    html = note(page, made)
    assert "A word is missing." in html
    assert "<blockquote>is , and</blockquote>" in html
    assert 'href="#answers[1].body" data-mend>Mend</a>' in html
    assert shown(html, "there")
    assert not shown(html, "gone")


def test_one_passage_has_one_note_for_all_that_is_said_of_it(
    desk: FlaskClient, session: Session
) -> None:
    question, made = damaged(session)
    other = make_warning(session, question, message="And the quotes are wrong.")
    page = desk.get(editor_of(question)).text
    assert regions(page) == {"answers[1].body": [f"warning-{made.id}"]}
    html = note(page, made)
    assert html.count("<blockquote>") == 1
    for warning in (made, other):
        assert warning.message in html
        assert f'value="acknowledge:{warning.id}"' in html


def test_a_passage_in_several_places_says_so(desk: FlaskClient, session: Session) -> None:
    question = make_question(session, body=f"Well.\n\n{HOLE}\n\n{HOLE}")
    made = make_warning(session, question)
    html = note(desk.get(editor_of(question)).text, made)
    assert "Line <span data-line>3</span>, and in 1 other place" in html


def test_what_has_no_place_stands_above_the_text(desk: FlaskClient, session: Session) -> None:
    question = make_question(session, answers=[])
    empty = make_warning(session, question, "", "empty", "The article has no answer: write one.")
    gone = make_warning(session, question, "never here")
    page = desk.get(editor_of(question)).text
    assert regions(page) == {"": [f"warning-{empty.id}", f"warning-{gone.id}"]}
    assert "No longer in the text." in note(page, gone)
    assert "data-mend" not in note(page, gone)
    assert "No longer" not in note(page, empty)


def test_a_note_follows_its_answer_and_its_passage_in_a_form_that_is_not_saved(
    desk: FlaskClient, session: Session
) -> None:
    question, made = damaged(session)
    url = editor_of(question)
    moved = submit(desk, url, op="answers[1].up", **{"answers[1].body": f"More.\n\n{HOLE}"})
    assert regions(moved.text) == {"answers[0].body": [f"warning-{made.id}"]}
    assert "<span data-line>3</span>" in note(moved.text, made)
    typed = submit(desk, url, op="answers[1].up", **{"answers[1].body": MENDED})
    assert regions(typed.text) == {"answers[0].body": [f"warning-{made.id}"]}
    html = note(typed.text, made)
    assert shown(html, "gone")
    assert not shown(html, "there")
    assert not shown(html, "mend")
    removed = submit(desk, url, op="answers[1].remove")
    assert regions(removed.text) == {"": [f"warning-{made.id}"]}


def test_an_answers_own_page_has_its_warnings_too(desk: FlaskClient, session: Session) -> None:
    question, made = damaged(session)
    short, full = (answer.id for answer in question.answers)
    session.rollback()
    page = desk.get(f"/admin/answers/{full}/").text
    assert regions(page) == {"answers[1].body": [f"warning-{made.id}"]}
    assert regions(desk.get(f"/admin/answers/{short}/").text) == {}


# --- the preview ------------------------------------------------------------------------------


def test_the_preview_marks_the_passage_and_leads_to_its_note(
    desk: FlaskClient, session: Session
) -> None:
    question, made = damaged(session)
    wanted = (
        f'<mark><a href="#warning-{made.id}" title="A word is missing.">is , and</a></mark> the'
    )
    assert wanted in desk.get(editor_of(question)).text
    fields = fields_of(desk.get(editor_of(question)).text)
    url = f"/admin/questions/preview?question={question.id}"
    # An answer before it that has no text is not in the preview.
    assert wanted in desk.post(url, data=fields | {"answers[0].body": ""}).text
    mended = desk.post(url, data=fields | {"answers[1].body": MENDED}).text
    assert "127.0.0.1" in mended
    assert "<mark>" not in mended


def test_the_preview_of_a_text_that_is_too_long_says_so(
    desk: FlaskClient, session: Session
) -> None:
    question, _ = damaged(session)
    url = editor_of(question)
    long = submit(desk, url, op="preview", **{"answers[1].body": "long " * 50_000})
    assert "There is no preview: the text is longer than" in long.text


def test_text_in_a_passage_is_never_read_as_markup(desk: FlaskClient, session: Session) -> None:
    hostile = '"><script>alert(1)</script> , and'
    question = make_question(session, body=f"Is {hostile}.")
    made = make_warning(session, question, hostile, message=f"Bad {hostile}")
    page = desk.get(editor_of(question)).text
    assert "<script>alert" not in page
    assert f'<mark><a href="#warning-{made.id}"' in page


# --- dealing with them ---------------------------------------------------------------------------


def test_acknowledging_keeps_what_is_typed(desk: FlaskClient, session: Session) -> None:
    question, made = damaged(session)
    typed = {"answers[0].body": "Typed, not saved.", "summary": "Half done"}
    done = submit(desk, editor_of(question), op=f"acknowledge:{made.id}", **typed)
    assert done.status_code == 200
    assert notes_of(done.text) == ["Acknowledged."]
    fields = fields_of(done.text)
    assert {name: fields[name] for name in typed} == typed
    assert " data-unsaved" in done.text
    assert regions(done.text) == {}
    assert reread(session, question).latest_number == 1
    assert closed_on(session, question) == []


def test_acknowledging_without_a_change_leads_back_to_the_page(
    desk: FlaskClient, session: Session
) -> None:
    question, made = damaged(session)
    done = submit(desk, editor_of(question), op=f"acknowledge:{made.id}")
    assert done.status_code == 303
    page = desk.get(done.location).text
    assert notes_of(page) == ["Acknowledged."]
    assert "1 dealt with" in page
    assert re.search(r"acknowledged by The editor,\s*<time", page)


def test_an_acknowledgement_is_taken_back(desk: FlaskClient, session: Session) -> None:
    question, made = damaged(session)
    url = editor_of(question)
    acknowledge(session, made, by=None, at=AT)
    session.commit()
    assert re.search(r"acknowledged by the command line,\s*<time", desk.get(url).text)
    done = submit(desk, url, op=f"take-back:{made.id}", stem="Typed?")
    assert notes_of(done.text) == ["Taken back: the warning is open again."]
    assert fields_of(done.text)["stem"] == "Typed?"
    assert regions(done.text) == {"answers[1].body": [f"warning-{made.id}"]}
    again = submit(desk, url, op=f"take-back:{made.id}", stem="Typed?")
    assert notes_of(again.text) == [
        "This warning is not acknowledged, so there is nothing to take back."
    ]


def test_a_save_that_mends_says_so_and_keeps_it_on_record(
    desk: FlaskClient, session: Session
) -> None:
    question, _ = damaged(session)
    url = editor_of(question)
    done = submit(desk, url, **{"answers[1].body": MENDED})
    page = desk.get(done.location).text
    assert notes_of(page) == ["Saved as revision 2. It closes 1 import warning as mended."]
    assert regions(page) == {}
    assert "1 dealt with" in page
    assert re.search(r'mended in <a href="[^"]*/revisions/2/">r2</a> by The editor', page)
    assert "take-back" not in page
    again = submit(desk, url, stem="Another?")
    assert notes_of(desk.get(again.location).text) == ["Saved as revision 3."]


def test_an_answers_own_page_mends_too(desk: FlaskClient, session: Session) -> None:
    question, _ = damaged(session)
    answer = question.answers[1].id
    session.rollback()
    submit(desk, f"/admin/answers/{answer}/", to=editor_of(question), **{"answers[1].body": MENDED})
    assert closed_on(session, question) == []


def test_a_restore_that_brings_the_passage_back_shows_its_warning_again(
    desk: FlaskClient, session: Session
) -> None:
    question, made = damaged(session)
    url = editor_of(question)
    submit(desk, url, **{"answers[1].body": MENDED})
    past = f"{url}revisions/1/"
    done = submit(desk, past, form="restore", to=f"{past}restore")
    assert regions(desk.get(done.location).text) == {"answers[1].body": [f"warning-{made.id}"]}


def test_a_refused_publishing_keeps_the_save_and_leads_to_the_first_warning(
    desk: FlaskClient, session: Session
) -> None:
    question, _ = damaged(session)
    first = make_warning(session, question, "Which host")
    done = submit(desk, editor_of(question), op="publish", context="Kept.")
    page = desk.get(done.location).text
    assert notes_of(page) == [
        "Saved as revision 2.",
        "Not published. Import warnings are open. Mend or acknowledge them. Go to the first one.",
    ]
    assert f'<a href="#warning-{first.id}">Go to the first one</a>' in page
    assert f'id="warning-{first.id}"' in page
    assert (reread(session, question).context, question.published_number) == ("Kept.", None)


def test_a_publishing_that_is_refused_for_another_reason_leads_nowhere(
    desk: FlaskClient, session: Session
) -> None:
    question = make_question(session, answers=[])
    done = submit(desk, editor_of(question), op="publish")
    assert notes_of(desk.get(done.location).text) == ["Not published. It has no answer. Write one."]


@pytest.mark.parametrize("verb", ["acknowledge", "take-back"])
def test_contributors_mend_but_leave_the_rest_to_editors(
    as_role: AsRole, session: Session, verb: str
) -> None:
    question, made = damaged(session)
    url = editor_of(question)
    desk = as_role(Role.contributor)
    page = desk.get(url).text
    assert "data-mend" in note(page, made)
    assert "Acknowledge" not in page
    refused = submit(desk, url, op=f"{verb}:{made.id}", stem="Typed?")
    [words] = notes_of(refused.text)
    assert words.startswith("Only an editor may ")
    assert fields_of(refused.text)["stem"] == "Typed?"
    assert closed_on(session, question) == ["is , and"]
    submit(desk, url, **{"answers[1].body": MENDED})
    assert closed_on(session, question) == []


def test_only_a_warning_of_the_question_can_be_dealt_with(
    desk: FlaskClient, session: Session
) -> None:
    question, _ = damaged(session)
    wrong = make_warning(session, make_question(session, "Another?"))
    for key, words in (
        (wrong.id, "This question has no such warning."),
        (987_654_321, "There is no such warning. It may have been deleted."),
    ):
        refused = submit(desk, editor_of(question), op=f"acknowledge:{key}")
        assert refused.status_code == 404
        assert words in refused.text


def test_many_warnings_cost_no_more_queries_than_few(
    app: Flask, desk: FlaskClient, session: Session, editor: User
) -> None:
    question, made = damaged(session)
    acknowledge(session, made, by=editor, at=AT)
    session.commit()
    url = editor_of(question)
    with counted_queries(app) as few:
        desk.get(url)
    for number in range(20):
        more = make_warning(session, question, f"passage {number}")
        if number % 2:
            acknowledge(session, more, by=editor, at=AT)
            session.commit()
    with counted_queries(app) as many:
        page = desk.get(url).text
    assert "11 dealt with" in page
    assert len(many) == len(few)


def test_a_form_names_its_texts_as_the_services_do() -> None:
    held = content(body="A.\nB.", context="C.")
    assert QuestionForm.of(held, seen_version=1).texts() == texts_of(held)
