"""Options in a real browser: written by keyboard, tried by readers, quizzed in study mode."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, Page, expect

from cms.models import Question
from cms.services.content import content_of
from cms.services.corrections import open_correction
from cms.services.deciding import accept
from cms.vocabulary import CorrectionKind
from tests.browser.conftest import Open, Site, faults_of
from tests.factories import AT, CHOICES, make_published, make_question
from tests.web.pages import reread

QUIZ = "/questions/study"


@pytest.fixture
def question(site: Site) -> Question:
    return make_published(
        site.session, "Where is the session kept?", body="In a cookie.", options=CHOICES
    )


def option(page: Page, number: int) -> Locator:
    return page.get_by_role("group", name=f"Option {number}")


def texts(page: Page) -> list[str]:
    return page.locator("[data-option-text]").evaluate_all("all => all.map((each) => each.value)")


def test_options_are_written_moved_and_saved_at_the_keyboard(site: Site, open_page: Open) -> None:
    question = make_question(site.session, "Where is the session kept?", "In a cookie.")
    wrong = open_correction(
        site.session,
        question,
        kind=CorrectionKind.factual,
        claim="It is kept on the server.",
        explanation="The browser keeps it.",
        by=None,
        at=AT,
    )
    accept(site.session, wrong, fixed_in=1, by=None, at=AT)
    site.session.commit()
    page = open_page("Edith")
    page.goto(f"/admin/questions/{question.id}/")
    page.locator("[data-options] > summary").press("Enter")
    page.get_by_role("button", name="Add an option").press("Enter")
    expect(page.get_by_label("Option text")).to_be_focused()
    page.keyboard.type("In the cache")
    page.get_by_role("button", name="Add an option").press("Enter")
    page.keyboard.type("In a signed cookie")
    facts = page.locator("[data-options-facts]")
    expect(facts).to_have_text("2 options, 0 right")
    expect(facts).to_have_class("hot")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Space")
    expect(facts).to_have_class("quiet")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.type("Readable, but not forged.")
    page.keyboard.press("Alt+ArrowUp")
    expect(option(page, 1).get_by_label("Feedback")).to_be_focused()
    assert texts(page) == ["In a signed cookie", "In the cache"]
    page.get_by_role("button", name="It is kept on the server.").press("Enter")
    expect(page.get_by_text("3 options, 1 right")).to_be_visible()
    preview = page.locator("#preview")
    expect(preview.get_by_text("✓ Right")).to_be_visible()
    expect(preview.get_by_text("The browser keeps it.")).to_be_visible()
    option(page, 2).get_by_role("button", name="Remove").press("Enter")
    page.get_by_role("button", name="Undo").press("Enter")
    page.get_by_role("button", name="Add an option").press("Enter")
    assert faults_of(page) == []
    page.keyboard.press("Control+s")
    expect(page.get_by_text("Saved as revision 2.")).to_be_visible()
    content = content_of(reread(site.session, question))
    assert [(each.text, each.correct, each.feedback) for each in content.options] == [
        ("In a signed cookie", True, "Readable, but not forged."),
        ("In the cache", False, ""),
        ("It is kept on the server.", False, "The browser keeps it."),
    ]


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
@pytest.mark.parametrize("width", [1400, 390])
def test_a_reader_tries_the_options_before_looking(
    open_page: Open, question: Question, width: int, scripts: bool
) -> None:
    page = open_page(width=width, scripts=scripts)
    page.goto(f"/questions/{question.slug}")
    choices = page.locator("#options")
    expect(choices.get_by_text("Wrong").first).to_be_hidden()
    choices.get_by_text("On the server").click()
    expect(page.get_by_role("radio", name="On the server")).to_be_checked()
    choices.get_by_text("Check", exact=True).press("Enter")
    expect(choices.get_by_text("✓ Right")).to_be_visible()
    expect(choices.get_by_text("The server keeps the key alone.")).to_be_visible()
    if scripts:
        assert faults_of(page) == []
    choices.get_by_text("Check", exact=True).press("Enter")
    page.emulate_media(media="print")
    expect(choices.get_by_text("✓ Right")).to_be_visible()
    expect(choices.get_by_text("Check", exact=True)).to_be_hidden()


def test_study_mode_quizzes_and_suggests_a_grade(
    site: Site, open_page: Open, question: Question
) -> None:
    make_published(site.session, "What is HTTP?", body="A protocol.")
    page = open_page()
    page.goto(QUIZ)
    stem = page.get_by_role("heading", name="Where is the session kept?")
    expect(page.get_by_role("heading", name="What is HTTP?")).to_be_visible()
    page.keyboard.press("Space")
    page.keyboard.press("4")
    expect(stem).to_be_focused()
    card = page.locator("#card")
    page.keyboard.press("2")
    expect(card.get_by_role("radio", name="On the server")).to_be_checked()
    expect(page.locator("#grades")).to_be_hidden()
    page.keyboard.press("Enter")
    expect(card.get_by_text("Not quite")).to_be_visible()
    expect(card.get_by_text("The server keeps the key alone.")).to_be_visible()
    expect(page.get_by_role("button", name="Again")).to_contain_text("suggested")
    assert faults_of(page) == []
    page.keyboard.press("1")
    expect(card.get_by_text("Not quite")).to_be_hidden()
    expect(stem).to_be_focused()
    expect(card.locator("input:checked")).to_have_count(0)
    page.keyboard.press("1")
    page.keyboard.press("Enter")
    expect(card.get_by_text("That is right.")).to_be_visible()
    expect(page.get_by_role("button", name="Good")).to_contain_text("suggested")
    page.keyboard.press("3")
    expect(card.get_by_text("That is right.")).to_be_hidden()


def test_shuffled_cards_have_shuffled_options(site: Site, open_page: Open) -> None:
    many = [*CHOICES, *(type(CHOICES[0])(text=f"Choice {number}") for number in range(9))]
    make_published(site.session, "Where is the session kept?", body="In a cookie.", options=many)
    page = open_page()
    page.goto(QUIZ)
    choices = page.locator("#card .choice-text")
    expect(choices).to_have_count(len(many))
    assert choices.first.inner_text().startswith("In a `signed`".replace("`", ""))
    in_order = choices.all_inner_texts()
    page.get_by_text("Settings", exact=True).press("Enter")
    page.get_by_label("Shuffle").check()
    page.reload()
    expect(choices).to_have_count(len(many))
    shuffled = choices.all_inner_texts()
    assert shuffled != in_order
    assert sorted(shuffled) == sorted(in_order)


def test_a_card_is_a_quiz_without_scripts(open_page: Open, question: Question) -> None:
    page = open_page(scripts=False)
    page.goto(QUIZ)
    page.get_by_role("radio", name="On the server").check()
    page.locator(".choice-check summary").press("Enter")
    expect(page.get_by_text("✗ Wrong").first).to_be_visible()
    expect(page.get_by_text("In a cookie.")).to_be_hidden()
