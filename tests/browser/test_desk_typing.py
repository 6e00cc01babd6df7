"""Typing at the desk: keys, answers that move, text that is not lost; and all without scripts."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from cms.formats.item import AnswerItem
from cms.models import Question
from cms.services.questions import submit
from tests.browser.conftest import Open, Site, faults_of
from tests.factories import AT, make_question
from tests.web.pages import reread


@pytest.fixture
def question(site: Site) -> Question:
    return make_question(site.session, "What is a view?", "A function.", tags=["flask"])


@pytest.fixture
def page(site: Site, open_page: Open, question: Question) -> Page:
    page = open_page("Edith")
    page.goto(f"/admin/questions/{question.id}/")
    return page


def text_of(page: Page, index: int = 0) -> Locator:
    return page.locator(f"[id='answers[{index}].body']")


def labels(page: Page) -> list[str]:
    return page.locator("[data-answer-label]").evaluate_all("all => all.map((each) => each.value)")


def test_ctrl_s_saves_and_ctrl_enter_publishes(page: Page) -> None:
    text_of(page).focus()
    page.keyboard.press("Control+a")
    page.keyboard.type("A callable.")
    page.keyboard.press("Control+s")
    expect(page.get_by_text("Saved as revision 2.")).to_be_visible()
    text_of(page).focus()
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("Published in release 1.")).to_be_visible()
    expect(page.get_by_text("Saved as revision")).to_have_count(0)


def test_whoever_passes_through_by_tab_changes_nothing(page: Page) -> None:
    area = text_of(page)
    before = area.input_value()
    page.get_by_label("Applies to").last.focus()
    page.keyboard.press("Tab")
    expect(area).to_be_focused()
    page.keyboard.press("Tab")
    expect(area).not_to_be_focused()
    page.keyboard.press("Shift+Tab")
    expect(area).to_be_focused()
    expect(area).to_have_value(before)
    page.keyboard.press("End")
    page.keyboard.press("Tab")
    expect(area).not_to_have_value(before)
    expect(area).to_have_accessible_description(re.compile("Esc Tab leaves it"))


def test_tab_indents_and_escape_lets_it_leave(page: Page) -> None:
    area = text_of(page)
    area.fill("one\ntwo\nthree")
    area.evaluate("area => area.setSelectionRange(4, 9)")
    page.keyboard.press("Tab")
    expect(area).to_have_value("one\n    two\n    three")
    page.keyboard.press("Shift+Tab")
    expect(area).to_have_value("one\ntwo\nthree")
    page.keyboard.press("Control+z")
    expect(area).to_have_value("one\n    two\n    three")
    page.keyboard.press("Escape")
    page.keyboard.press("Tab")
    expect(area).not_to_be_focused()
    page.keyboard.press("Shift+Tab")
    expect(area).to_be_focused()


def test_answers_are_added_moved_removed_and_brought_back_by_keyboard(
    site: Site, page: Page, question: Question
) -> None:
    page.locator("[data-answer-label]").first.fill("First")
    page.get_by_role("button", name="Add an answer").focus()
    page.keyboard.press("Enter")
    expect(text_of(page, 1)).to_be_focused()
    page.keyboard.type("Second text")
    page.locator("[data-answer-label]").nth(1).fill("Second")
    text_of(page, 1).focus()
    page.keyboard.press("Alt+ArrowUp")
    assert labels(page) == ["Second", "First"]
    expect(text_of(page, 0)).to_be_focused()
    page.get_by_role("button", name="Move this answer down").first.press("Enter")
    assert labels(page) == ["First", "Second"]
    page.get_by_role("button", name="Remove this answer").first.click()
    assert labels(page) == ["Second"]
    page.get_by_role("button", name="Undo").click()
    assert labels(page) == ["First", "Second"]
    fold = page.get_by_role("button", name="Fold this answer").first
    fold.click()
    expect(text_of(page, 0)).to_be_hidden()
    expect(fold).to_have_attribute("aria-expanded", "false")
    page.keyboard.press("Control+s")
    expect(page.get_by_text("Saved as revision 2.")).to_be_visible()
    saved = reread(site.session, question)
    assert [(a.label, a.body) for a in saved.answers] == [
        ("First", "A function."),
        ("Second", "Second text"),
    ]


def test_sources_are_added_and_removed(site: Site, page: Page, question: Question) -> None:
    add = page.get_by_role("button", name="Add a source")
    add.click()
    page.keyboard.type("https://example.org/second")
    add.click()
    page.keyboard.type("https://example.org/third")
    page.get_by_role("button", name="Remove this source").nth(1).click()
    page.get_by_role("button", name="Save").first.click()
    expect(page.get_by_text("Saved as revision 2.")).to_be_visible()
    (answer,) = reread(site.session, question).answers
    assert [source.url for source in answer.sources] == [
        "https://example.org/views",
        "https://example.org/third",
    ]


def test_tags_are_chips_that_the_keyboard_makes(site: Site, page: Page, question: Question) -> None:
    make_question(site.session, "Another?", tags=["flask/blueprints"])
    entry = page.get_by_label("Tags")
    entry.press_sequentially("flask/bl")
    expect(page.locator("#tag-paths option")).to_have_count(1)
    assert page.locator("#tag-paths option").get_attribute("value") == "flask/blueprints"
    entry.fill("")
    entry.press_sequentially("Brand-New")
    entry.press("Enter")
    entry.press_sequentially("http,")
    expect(page.get_by_role("button", name="Take off http")).to_be_visible()
    entry.press("Backspace")
    expect(page.get_by_role("button", name="Take off http")).to_have_count(0)
    page.get_by_role("button", name="Take off flask").click()
    entry.press_sequentially("unfinished")
    page.keyboard.press("Control+s")
    expect(page.get_by_text("Saved as revision 2.")).to_be_visible()
    saved = reread(site.session, question)
    assert [tag.slug for tag in saved.tags] == ["brand-new", "unfinished"]


def test_the_preview_follows_the_typing(page: Page) -> None:
    text_of(page).fill("Now **bold**.\n\n```python\nimport os\n```")
    expect(page.locator("#preview strong")).to_have_text("bold")
    expect(page.locator("#preview .code .k")).to_be_visible()
    page.get_by_label("Stem").fill("What is `x`?")
    expect(page.locator("#preview .stem code")).to_have_text("x")


def test_leaving_changed_text_asks_first(page: Page) -> None:
    text_of(page).fill("Not saved.")
    asked: list[str] = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.dismiss()))
    page.get_by_role("link", name="Dashboard").click()
    assert asked == ["beforeunload"]
    expect(text_of(page)).to_have_value("Not saved.")


def test_unchanged_text_is_left_without_a_question(page: Page) -> None:
    asked: list[str] = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.dismiss()))
    text_of(page).fill("Changed")
    text_of(page).fill("A function.")
    page.get_by_role("link", name="Dashboard").click()
    page.wait_for_url("**/admin/")
    assert asked == []


def test_text_that_was_saved_is_not_offered_again(site: Site, open_page: Open) -> None:
    page = open_page("Edith")
    page.goto("/admin/questions/new/")
    page.get_by_label("Stem").fill("New?")
    text_of(page).fill("Saved at once.")
    expect(page.locator("#saved")).to_contain_text("kept at")
    page.get_by_role("button", name="Save").first.click()
    expect(page.get_by_text("Saved as revision 1.")).to_be_visible()
    page.goto("/admin/questions/new/")
    expect(page.locator("#restorable")).to_be_hidden()
    expect(text_of(page)).to_have_value("")


def test_a_faulty_form_leads_to_its_fields(page: Page) -> None:
    page.get_by_label("Stem").fill("")
    page.get_by_role("button", name="Add a source").click()
    page.keyboard.type("not an address")
    page.keyboard.press("Control+s")
    summary = page.get_by_role("alert")
    expect(summary).to_be_focused()
    summary.get_by_role("link", name="Answer 1, source 2, address").click()
    field = page.locator("[id='answers[0].sources[1].url']")
    expect(field).to_be_focused()
    expect(field).to_have_attribute("aria-invalid", "true")
    summary.get_by_role("link", name="Stem").press("Enter")
    expect(page.get_by_label("Stem")).to_be_focused()


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without"])
def test_without_scripts_everything_can_be_done(
    site: Site, open_page: Open, question: Question, scripts: bool
) -> None:
    page = open_page("Edith", scripts=scripts)
    page.goto(f"/admin/questions/{question.id}/")
    page.get_by_role("button", name="Add an answer").click()
    text_of(page, 1).fill("Second.")
    page.get_by_role("button", name="Move this answer up").nth(1).click()
    expect(text_of(page, 0)).to_have_value("Second.")
    page.get_by_role("button", name="Add a source").first.click()
    page.locator("[id='answers[0].sources[0].url']").fill("https://example.org/")
    if not scripts:
        page.get_by_role("button", name="Preview").click()
        expect(page.locator("#preview")).to_contain_text("Second.")
    page.get_by_role("button", name="Save").first.click()
    expect(page.get_by_text("Saved as revision 2.")).to_be_visible()
    saved = reread(site.session, question)
    assert [answer.body for answer in saved.answers] == ["Second.", "A function."]
    page.goto("/admin/questions/")
    page.get_by_role("checkbox", name="What is a view?").check()
    page.get_by_label("What to do").select_option("Publish")
    page.get_by_role("button", name="Go on").click()
    page.get_by_role("button", name="Publish 1 question").click()
    expect(page.get_by_text("Published: 1 question.")).to_be_visible()


def test_a_page_of_a_phone_opens_its_menu_without_scripts(
    open_page: Open, question: Question
) -> None:
    page = open_page("Edith", width=390, scripts=False)
    page.goto("/admin/")
    link = page.get_by_role("navigation", name="Desk").get_by_role("link", name="Tags")
    expect(link).to_be_hidden()
    page.get_by_role("button", name="Menu").click()
    link.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Tags")


def test_the_slash_goes_to_the_search(page: Page) -> None:
    page.goto("/admin/questions/")
    page.keyboard.press("/")
    page.keyboard.type("view")
    page.keyboard.press("Enter")
    expect(page.get_by_text("1 found")).to_be_visible()


def test_a_question_is_found_opened_and_sent_on_by_keyboard_alone(
    site: Site, open_page: Open, question: Question
) -> None:
    page = open_page("Edith")
    page.goto("/admin/")
    keys = page.keyboard
    keys.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    keys.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()
    page.get_by_role("link", name="Questions", exact=True).press("Enter")
    keys.press("/")
    keys.type("function")
    keys.press("Enter")
    page.get_by_role("link", name=question.stem).press("Enter")
    menu = page.locator("summary", has_text="More")
    menu.press("Enter")
    expect(page.get_by_role("button", name="Submit for review")).to_be_visible()
    keys.press("Tab")
    keys.press("Escape")
    expect(menu).to_be_focused()
    expect(page.get_by_role("button", name="Submit for review")).to_be_hidden()
    menu.press("Enter")
    keys.press("Tab")
    keys.press("Enter")
    expect(page.get_by_text("Submitted for review.")).to_be_visible()
    expect(page.locator("#state")).to_have_text("in review")


def test_while_a_stem_is_typed_what_reads_like_it_is_shown(site: Site, open_page: Open) -> None:
    make_question(site.session, "What is a blueprint?")
    site.session.commit()
    page = open_page("Conrad")
    page.goto("/admin/questions/new/")
    page.get_by_role("textbox", name="Stem").press_sequentially("What is a Blueprint")
    likes = page.locator("#likes")
    expect(likes).to_contain_text("A question reads like this one")
    expect(likes.get_by_role("link")).to_contain_text("What is a blueprint?")
    assert faults_of(page) == []
    page.get_by_role("textbox", name="Stem").fill("What is a cookie?")
    expect(likes).to_be_empty()


def test_a_queue_is_worked_off_by_keys_and_saving_keeps_the_place(
    site: Site, open_page: Open
) -> None:
    answers = [AnswerItem(label=name, body=f"{name}.\n" * 30) for name in ("Short", "Long")]
    for number in (1, 2):
        made = make_question(site.session, f"Number {number}?", answers=answers)
        submit(site.session, made, by=None, at=AT)
    site.session.commit()
    page = open_page("Edith")
    page.goto("/admin/questions/?queue=review")
    page.get_by_role("link", name="Number 2?").click()
    page.get_by_role("button", name="Fold all").click()
    expect(text_of(page, 1)).to_be_hidden()
    page.get_by_role("button", name="Fold this answer").nth(1).click()
    text_of(page, 1).focus()
    page.keyboard.press("Control+End")
    page.keyboard.type("More.")
    page.keyboard.press("Control+s")
    expect(page.get_by_text("Saved as revision 2.")).to_be_in_viewport()
    expect(text_of(page, 0)).to_be_hidden()
    expect(text_of(page, 1)).to_be_focused()
    page.keyboard.type(" And more.")
    expect(text_of(page, 1)).to_have_value(re.compile(r"More\. And more\.$"))
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("Published in release 1.")).to_be_visible()
    expect(page.get_by_role("link", name="Next →")).to_be_focused()
    page.keyboard.press("Alt+PageDown")
    expect(page.get_by_label("Stem")).to_have_value("Number 1?")
    expect(page.locator(".where")).to_have_text("1 of 1 in In review; none after it")


def test_a_source_is_checked_in_place(page: Page) -> None:
    page.locator("[data-source] summary").click()
    address = page.get_by_label("Address", exact=True)
    address.fill("ftp://example.org/")
    page.get_by_role("button", name="Check this source").click()
    said = page.locator("[data-check]")
    expect(said).to_contain_text("It is no address of http or https.")
    assert faults_of(page) == []
    address.fill("")
    expect(said).to_be_empty()
