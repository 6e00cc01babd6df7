"""Options as a browser without scripts writes them, tries them, and as machines read them."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from msgspec.structs import replace
from sqlalchemy.orm import Session

from cms.formats.item import OptionItem
from cms.models import Question
from cms.services.content import content_of
from cms.services.corrections import open_correction
from cms.services.deciding import accept
from cms.services.questions import save
from cms.vocabulary import CorrectionKind, Role
from tests.factories import AT, CHOICES, make_published, make_question
from tests.web.htmlpages import HtmlPage
from tests.web.pages import fields_of, reread, submit
from tests.web.vocabulary import faults

AsRole = Callable[[Role | None], FlaskClient]
STEM = "Where is the session kept?"


@pytest.fixture
def desk(as_role: AsRole) -> FlaskClient:
    return as_role(Role.editor)


def editor_of(question: Question) -> str:
    return f"/admin/questions/{question.id}/"


def options_in(page: str) -> list[str]:
    fields = fields_of(page)
    return [text for name, text in fields.items() if re.fullmatch(r"options\[\d\]\.text", name)]


# --- the desk -------------------------------------------------------------------


def test_options_are_saved_as_they_are_typed(desk: FlaskClient, session: Session) -> None:
    question = make_question(session, STEM)
    page = desk.get(editor_of(question)).text
    assert re.search(r'<details class="fold" data-options\s*>', page)
    done = submit(
        desk,
        editor_of(question),
        **{
            "options[0].text": "In a cookie\r\n",
            "options[0].correct": "yes",
            "options[0].feedback": "Signed.",
            "options[1].text": " ",
            "options[3].text": "On the server",
        },
    )
    assert done.status_code == 303
    assert content_of(reread(session, question)).options == [
        OptionItem(text="In a cookie", correct=True, feedback="Signed."),
        OptionItem(text="On the server"),
    ]
    page = desk.get(editor_of(question)).text
    assert "2 options, 1 right" in page
    assert re.search(r'name="options\[0\]\.correct" value="yes" checked', page)


@pytest.mark.parametrize(
    ("step", "left"),
    [
        ("add-option", ["A", "B", "C", ""]),
        ("options[0].down", ["B", "A", "C"]),
        ("options[2].up", ["A", "C", "B"]),
        ("options[1].remove", ["A", "C"]),
        ("options[7].remove", ["A", "B", "C"]),
        ("options[0].add-source", ["A", "B", "C"]),
    ],
)
def test_each_step_works_without_scripts(
    desk: FlaskClient, session: Session, step: str, left: list[str]
) -> None:
    question = make_question(session, STEM, options=[OptionItem(text=text) for text in "ABC"])
    page = submit(desk, editor_of(question), op=step).text
    assert options_in(page) == left


def test_accepted_claims_are_offered_as_common_wrong_answers(
    desk: FlaskClient, session: Session
) -> None:
    question = make_question(session, STEM, options=CHOICES)
    for kind, claim in (
        (CorrectionKind.factual, "It is kept on the *server*."),
        (CorrectionKind.editorial, "A comma is missing."),
        (CorrectionKind.outdated, "On the server"),
    ):
        found = open_correction(
            session,
            question,
            kind=kind,
            claim=claim,
            explanation="The browser keeps it.",
            by=None,
            at=AT,
        )
        accept(session, found, fixed_in=1, by=None, at=AT)
    open_correction(
        session, question, kind=CorrectionKind.factual, claim="Undecided.", by=None, at=AT
    )
    session.commit()
    offered = r'name="op" value="(distractor:\d+)"'
    page = desk.get(editor_of(question)).text
    [step] = re.findall(offered, page)
    page = submit(desk, editor_of(question), op=step).text
    assert options_in(page)[-1] == "It is kept on the *server*."
    assert fields_of(page)["options[3].feedback"] == "The browser keeps it."
    assert re.findall(offered, page) == []
    # A correction of another question is none of this one's.
    other = make_question(session, "Another?")
    assert options_in(submit(desk, editor_of(other), op=step).text) == []


def test_what_is_wrong_with_an_option_stands_beside_it(desk: FlaskClient, session: Session) -> None:
    question = make_question(session, STEM)
    long = {"options[0].text": "x" * 4_001, "options[1].feedback": "Why?"}
    page = submit(desk, editor_of(question), **long).text
    assert '<a href="#options[0].text">Option 1, text</a>: It has 4,001 bytes' in page
    assert '<a href="#options[1].text">Option 2, text</a>: It is empty. Write the option' in page
    many = {f"options[{n}].text": f"Option {n}" for n in range(21)}
    page = submit(desk, editor_of(question), **many).text
    assert '<a href="#options">Options</a>: It has 21 options, the limit is 20.' in page


def test_an_answer_saved_by_itself_leaves_options_alone(
    desk: FlaskClient, session: Session
) -> None:
    question = make_question(session, STEM, options=CHOICES)
    page = f"/admin/answers/{question.answers[0].id}/"
    session.commit()
    done = submit(desk, page, to=editor_of(question), **{"answers[0].body": "Other."})
    assert done.status_code == 303
    content = content_of(reread(session, question))
    assert (content.options, content.answers[0].body) == (CHOICES, "Other.")


def test_two_who_changed_the_options_see_both_and_can_keep_both(
    desk: FlaskClient, session: Session
) -> None:
    question = make_question(session, STEM, options=CHOICES)
    fields = fields_of(desk.get(editor_of(question)).text) | {
        "options[0].correct": "yes",
        "options[1].text": "Nowhere",
    }
    theirs = replace(content_of(question), options=[*CHOICES, OptionItem(text="In a file")])
    save(session, question, theirs, seen_version=1, by=None, at=AT + timedelta(hours=1))
    session.commit()
    page = desk.post(editor_of(question), data=fields).text
    assert "Nothing was overwritten" in page
    assert options_in(page)[1] == "Nowhere"
    [both] = re.findall(r'value="(both:options#[0-9a-f]{12})"', page)
    fields = fields_of(page) | {"options[0].correct": "yes", "op": both}
    page = desk.post(editor_of(question), data=fields).text
    assert options_in(page) == [*(each.text for each in theirs.options), "Nowhere"]


def test_options_that_wait_for_a_log_in_are_on_the_page(
    client: FlaskClient, session: Session
) -> None:
    question = make_question(session, STEM)
    sent = {"stem": STEM, "options[0].text": "In a cookie", "options[0].correct": "yes"}
    page = client.post(editor_of(question), data=sent).text
    assert "In a cookie (right)" in page
    assert 'name="options[0].correct" value="yes"' in page


# --- the public pages ---------------------------------------------------------------


def test_a_question_shows_its_options_with_marks_in_words(
    client: FlaskClient, session: Session
) -> None:
    make_published(session, STEM, options=CHOICES, slug="kept")
    page = client.get("/questions/kept").text
    assert re.findall(r'<input type="(\w+)" name="option"[^>]*?( data-right)?>', page) == [
        ("radio", " data-right"),
        ("radio", ""),
        ("radio", ""),
    ]
    assert re.findall(r'class="choice-mark [\w-]+">([^<]+)<', page) == [
        *("✓ Right", "✗ Wrong", "✗ Wrong")
    ]
    assert "The server keeps the key alone." in page
    assert "One of 3 is right, marked above." in page
    make_published(session, "Which?", options=[replace(CHOICES[1], correct=True), *CHOICES])
    page = client.get("/questions/which").text
    assert "Choose all that are right" in page
    assert page.count('type="checkbox" name="option"') == 4


def test_linked_data_has_a_multiple_choice_question(client: FlaskClient, session: Session) -> None:
    make_published(session, STEM, body="In a cookie.", options=CHOICES, slug="kept")
    path = "/questions/kept"
    quiz, _ = HtmlPage(client.get(path).text, f"http://localhost{path}").linked_data()
    [question] = quiz["hasPart"]
    assert list(faults(quiz)) == []
    assert (question["eduQuestionType"], question["answerCount"]) == ("Multiple choice", 3)
    [right] = question["acceptedAnswer"]
    assert (right["text"], right["position"]) == ("In a signed cookie", 1)
    assert right["comment"]["text"] == "It can be read, but not forged."
    assert right["answerExplanation"]["text"] == "In a cookie."
    assert [each["text"] for each in question["suggestedAnswer"]] == [
        "On the server",
        "Where this says:\napp.config",
    ]


def test_cards_have_their_options(client: FlaskClient, session: Session) -> None:
    make_published(session, STEM, options=CHOICES, slug="kept")
    for address in ("/questions/study", "/study/cards/kept", "/study/interview?any=1&seed=1"):
        page = client.get(address).text
        assert page.count('<input type="radio" name="option-kept"') == 3, address
