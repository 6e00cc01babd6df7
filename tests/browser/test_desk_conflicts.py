"""Two people at one question, and text that outlives its window."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect
from sqlalchemy import select

from cms.models import LoginSession, Question
from cms.services.content import content_of
from tests.browser.conftest import Open, Site, faults_of
from tests.conftest import PASSWORD
from tests.factories import AT, make_question
from tests.web.pages import reread

BODY = "The host is 127.0.0.1.\n\nThe port is 5000.\n\nBoth can be changed."


@pytest.fixture
def question(site: Site) -> Question:
    return make_question(site.session, "Where does it listen?", BODY)


def opened(page: Page, question: Question) -> Page:
    page.goto(f"/admin/questions/{question.id}/")
    return hurried(page)


def hurried(page: Page) -> Page:
    """The page, whose scripts keep text and ask for others sooner than people need it."""
    page.locator("#editor").evaluate("form => { form.dataset.keepAfter = 50; }")
    page.locator("#company").evaluate("company => { company.dataset.every = 200; }")
    page.evaluate("dispatchEvent(new Event('focus'))")
    return page


def text_of(page: Page) -> Locator:
    return page.locator("[id='answers[0].body']")


def save(page: Page, says: str) -> None:
    # The key is the scripts' own: a page that is shown need not have run them yet.
    page.wait_for_load_state()
    page.keyboard.press("Control+s")
    expect(page.get_by_text(says)).to_be_visible()


def body_of(site: Site, question: Question) -> str:
    return content_of(reread(site.session, question)).answers[0].body


def test_two_editors_see_each_other_and_their_texts_become_one(
    site: Site, open_page: Open, question: Question
) -> None:
    edith, emil = opened(open_page("Edith"), question), opened(open_page("Emil"), question)
    expect(edith.locator("#company")).to_be_empty()
    text_of(emil).fill(BODY.replace("5000", "8000"))
    expect(emil.locator("#company")).to_have_text("Edith has it open")
    expect(edith.locator("#company")).to_have_text("Emil is writing")
    assert faults_of(edith) == []
    text_of(edith).fill(BODY.replace("Both", "All of it"))
    save(emil, "Saved as revision 2.")
    expect(edith.locator("#news")).to_contain_text("Emil saved revision 2 just now")
    expect(edith.get_by_role("link", name="What it changed")).to_have_attribute(
        "href", re.compile(rf"/admin/questions/{question.id}/revisions/2/\?against=1$")
    )
    save(edith, "Emil saved this question while you were editing it")
    expect(text_of(edith)).to_have_value(BODY.replace("5000", "8000").replace("Both", "All of it"))
    expect(edith.get_by_text("merged: your changes and theirs")).to_be_visible()
    assert faults_of(edith) == []
    expect(hurried(edith).locator("#company")).to_have_text("Emil has it open")
    emil.goto("/admin/")
    expect(edith.locator("#company")).to_be_empty()
    edith.get_by_role("button", name="Save both as one").click()
    expect(edith.get_by_text("Saved as revision 3.")).to_be_visible()
    assert body_of(site, question) == BODY.replace("5000", "8000").replace("Both", "All of it")


def test_what_both_changed_is_decided_by_keyboard_on_a_phone(
    site: Site, open_page: Open, question: Question
) -> None:
    edith, emil = (
        opened(open_page("Edith", width=390), question),
        opened(open_page("Emil"), question),
    )
    text_of(emil).fill("The host is ::1.\n\nThe port is theirs.")
    save(emil, "Saved as revision 2.")
    text_of(edith).fill("The host is localhost.\n\nThe port is mine.")
    save(edith, "Emil saved this question while you were editing it")
    expect(edith.get_by_role("alert")).to_be_focused()
    assert faults_of(edith) == []

    def press(words: str) -> None:
        for _ in range(10):
            edith.keyboard.press("Tab")
            if edith.evaluate("document.activeElement.textContent.trim()") == words:
                break
        edith.keyboard.press("Enter")

    press("Take both")
    # The focus is where the next decision is asked for.
    asked = edith.get_by_role("region", name="Answer 1")
    expect(asked).to_be_focused()
    expect(asked.locator("ins").first).to_have_text("theirs")
    press("Take theirs")
    expect(edith.get_by_role("alert")).to_contain_text("everything is decided")
    expect(edith.get_by_role("alert")).to_be_focused()
    save(edith, "Saved as revision 3.")
    both = "The host is ::1.\nThe host is localhost.\n\nThe port is theirs."
    assert body_of(site, question) == both


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without"])
def test_text_of_a_window_that_died_is_offered_in_another_browser(
    site: Site, open_page: Open, question: Question, scripts: bool
) -> None:
    first = opened(open_page("Edith"), question)
    text_of(first).fill("Typed before the crash.")
    expect(first.locator("#saved")).to_contain_text("not saved; kept at ")
    first.context.close()
    page = open_page("Edith", scripts=scripts)
    page.goto(f"/admin/questions/{question.id}/")
    expect(text_of(page)).to_have_value(BODY)
    if scripts:
        assert faults_of(page) == []
    page.get_by_role("link", name="All your unsaved texts").click()
    if scripts:
        assert faults_of(page) == []
    page.get_by_role("button", name="Bring it back: Where does it listen?").click()
    expect(text_of(page)).to_have_value("Typed before the crash.")
    page.get_by_role("button", name="Save").first.click()
    expect(page.get_by_text("Saved as revision 2.")).to_be_visible()
    page.reload()
    expect(page.get_by_text("You typed text that was never saved.")).to_have_count(0)


def test_discarding_what_is_offered_leaves_what_is_typed_meanwhile(
    open_page: Open, question: Question
) -> None:
    first = opened(open_page("Edith"), question)
    text_of(first).fill("Of yesterday.")
    expect(first.locator("#saved")).to_contain_text("not saved; kept at ")
    first.context.close()
    second = open_page("Edith")
    second.goto(f"/admin/questions/{question.id}/")
    text_of(second).fill("Of today.")
    asked: list[str] = []
    second.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    second.get_by_role("button", name="Discard it").click()
    expect(second.get_by_text("Discarded.")).to_be_visible()
    assert asked == ["beforeunload"]
    second.locator("#restorable").get_by_role("button", name="Bring it back").click()
    expect(text_of(second)).to_have_value("Of today.")


def test_text_that_the_server_could_not_take_is_offered_by_its_tab(
    open_page: Open, question: Question
) -> None:
    # Nothing listens to the console of this window: that requests fail is what it is about.
    page = opened(open_page("Edith").context.new_page(), question)
    page.route("**/autosave", lambda route: route.abort())
    text_of(page).fill("Typed in a tunnel.")
    expect(page.locator("#saved")).to_have_text(
        "not saved; kept in this tab alone: the server does not answer"
    )
    page.on("dialog", lambda dialog: dialog.accept())
    page.reload()
    page.get_by_role("button", name="Bring it back").click()
    expect(text_of(page)).to_have_value("Typed in a tunnel.")
    save(page, "Saved as revision 2.")
    page.reload()
    expect(page.get_by_role("button", name="Bring it back")).to_have_count(0)


def test_whoever_logs_in_again_elsewhere_goes_on_typing_and_nobody_else(
    site: Site, open_page: Open, question: Question
) -> None:
    page = opened(open_page("Edith").context.new_page(), question)

    def log_in(name: str) -> None:
        for each in site.session.scalars(select(LoginSession)):
            each.ended_at = AT
        site.session.commit()
        tab = page.context.new_page()
        tab.goto("/login")
        tab.get_by_label("Name").fill(name)
        tab.get_by_label("Password").fill(PASSWORD)
        tab.get_by_role("button", name="Log in").click()
        tab.wait_for_url("**/admin/")
        tab.close()

    said = page.locator("#saved")
    log_in("Emil")
    text_of(page).fill("Edith's own.")
    expect(said).to_have_text(
        "not saved; kept in this tab alone: you logged in anew: save to go on"
    )
    log_in("Edith")
    text_of(page).fill("Edith's own text.")
    expect(said).to_contain_text("not saved; kept at ")
    save(page, "Saved as revision 2.")
    assert body_of(site, question) == "Edith's own text."
