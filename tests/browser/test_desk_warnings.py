"""Import warnings in the editor: to the passage and back, and nothing typed is lost."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, Page, expect

from cms.formats.item import AnswerItem
from cms.models import Question
from cms.services.warnings import acknowledge
from tests.browser.conftest import Open, Site, faults_of, open_about
from tests.factories import AT, make_question, make_warning

HOLE = "The host is , and the port is 5000."
MENDED = "The host is ::1, and the port is 5000."
# Lines that wrap, before and after: the passage is far from both ends.
LONG = "\n\n".join(["One of many paragraphs before the passage that is meant here."] * 60)


def damaged(site: Site, body: str = HOLE) -> Question:
    question = make_question(
        site.session,
        "Which host is the default?",
        answers=[AnswerItem(label="Short", body="A local one."), AnswerItem(body=body)],
    )
    make_warning(site.session, question)
    make_warning(site.session, question, message="Look at the port, too.")
    make_warning(site.session, question, "port is 5000")
    return question


def address(question: Question) -> str:
    return f"/admin/questions/{question.id}/"


def text_of(page: Page, index: int = 1) -> Locator:
    return page.locator(f"[id='answers[{index}].body']")


def selected(area: Locator) -> object:
    return area.evaluate("area => area.value.slice(area.selectionStart, area.selectionEnd)")


def first_note(page: Page) -> Locator:
    return page.locator(".warning").first


@pytest.mark.parametrize("width", [1400, 390])
def test_mend_leads_to_exactly_the_passage_and_shows_it(
    site: Site, open_page: Open, width: int
) -> None:
    question = damaged(site, f"{LONG}\n\n{HOLE}\n\n{LONG}")
    page = open_page("Edith", width=width)
    page.goto(address(question))
    page.get_by_role("button", name="Fold this answer").last.click()
    open_about(page)
    page.get_by_role("link", name="3 open").click()
    area = text_of(page)
    # The note unfolded its answer and has the focus: Tab goes on to its first control.
    expect(first_note(page)).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(area).to_be_focused()
    assert selected(area) == "is , and"
    # The caret is in view: typing there does not scroll the page.
    before = page.evaluate("scrollY")
    page.keyboard.type("is ::1, and")
    assert abs(page.evaluate("scrollY") - before) < 5
    assert "The host is ::1, and the port" in area.input_value()


def test_a_passage_is_found_where_its_lines_break_now(site: Site, open_page: Open) -> None:
    question = damaged(site, "The host is\n, and the port is 5000.")
    page = open_page("Edith")
    page.goto(address(question))
    first_note(page).get_by_role("link", name="Mend").click()
    assert selected(text_of(page)) == "is\n, and"


def test_a_note_tells_what_becomes_of_its_passage_while_one_types(
    site: Site, open_page: Open
) -> None:
    page = open_page("Edith")
    page.goto(address(damaged(site)))
    note, area = first_note(page), text_of(page)
    gone = note.get_by_text("No longer in the text: saving closes this warning as mended.")
    expect(gone).to_be_hidden()
    expect(page.locator("#preview mark")).to_have_count(2)
    area.fill(f"More.\n\n{HOLE}")
    expect(note.get_by_text("Line 3")).to_be_visible()
    area.fill(MENDED)
    expect(gone).to_be_visible()
    expect(note.get_by_role("link", name="Mend")).to_be_hidden()
    expect(page.locator("#preview mark")).to_have_text(["port is 5000"])
    area.fill(HOLE)
    expect(gone).to_be_hidden()
    # An answer that moves takes its notes along.
    page.get_by_role("button", name="Move this answer up").last.click()
    note.get_by_role("link", name="Mend").click()
    expect(text_of(page, 0)).to_be_focused()
    assert selected(text_of(page, 0)) == "is , and"
    text_of(page, 0).fill(MENDED)
    page.keyboard.press("Control+s")
    expect(
        page.get_by_text("Saved as revision 2. It closes 2 import warnings as mended.")
    ).to_be_visible()
    expect(page.locator(".warning")).to_have_count(1)


def test_a_mark_in_the_preview_leads_to_its_note(site: Site, open_page: Open) -> None:
    page = open_page("Edith")
    page.goto(address(damaged(site)))
    page.get_by_role("button", name="Fold this answer").last.click()
    expect(first_note(page)).to_be_hidden()
    page.locator("#preview mark a", has_text="is , and").click()
    expect(first_note(page)).to_be_focused()


def test_acknowledging_happens_in_place_and_can_be_taken_back(site: Site, open_page: Open) -> None:
    page = open_page("Edith")
    page.goto(address(damaged(site)))
    area = text_of(page)
    area.fill(f"{HOLE} Typed, not saved.")
    page.evaluate("window.stayed = true")
    port = page.locator(".warning", has_text="port is 5000").last
    port.get_by_role("button", name="Acknowledge").click()
    expect(page.get_by_text("Acknowledged.")).to_be_attached()
    expect(page.locator(".warning")).to_have_count(1)
    expect(page.get_by_role("link", name="2 open")).to_be_visible()
    # The focus goes on to the next note; what was typed is there, and still not saved.
    expect(first_note(page)).to_be_focused()
    expect(area).to_have_value(f"{HOLE} Typed, not saved.")
    expect(page.locator("#saved")).to_contain_text("not saved")
    page.locator("summary", has_text="1 dealt with").click()
    expect(page.locator("#rail")).to_contain_text("acknowledged by Edith")
    page.get_by_role("button", name="Take it back").click()
    expect(page.locator(".warning")).to_have_count(2)
    expect(page.get_by_text("Taken back: the warning is open again.")).to_be_attached()
    assert page.evaluate("window.stayed")
    # A draft of this tab outlives it: the warning was dealt with, the text was not saved.
    page.on("dialog", lambda dialog: dialog.accept())
    page.goto(address(site.session.get_one(Question, 1)))
    expect(page.get_by_text("that was not saved")).to_be_visible()


def test_an_answers_own_page_does_the_same(site: Site, open_page: Open) -> None:
    question = damaged(site)
    page = open_page("Edith")
    page.goto(f"/admin/answers/{question.answers[1].id}/")
    first_note(page).get_by_role("link", name="Mend").click()
    assert selected(text_of(page)) == "is , and"
    text_of(page).fill(f"{HOLE} Typed.")
    page.get_by_role("button", name="Acknowledge").last.click()
    expect(page.locator(".warning")).to_have_count(1)
    expect(text_of(page)).to_have_value(f"{HOLE} Typed.")
    text_of(page).fill(MENDED)
    page.keyboard.press("Control+s")
    expect(page.get_by_text("Saved as revision 2. It closes 2 import warnings")).to_be_visible()


def test_publishing_leads_to_the_first_warning(site: Site, open_page: Open) -> None:
    page = open_page("Edith")
    page.goto(address(damaged(site)))
    page.get_by_role("button", name="Publish").click()
    page.get_by_role("link", name="Go to the first one").click()
    expect(first_note(page)).to_be_focused()


def test_all_of_it_works_without_scripts(site: Site, open_page: Open) -> None:
    page = open_page("Edith", scripts=False)
    page.goto(address(damaged(site)))
    first_note(page).get_by_role("link", name="Mend").click()
    assert page.url.endswith("#answers[1].body")
    text_of(page).fill(f"{HOLE} Typed.")
    page.get_by_role("button", name="Acknowledge").last.click()
    expect(page.get_by_text("Acknowledged.")).to_be_visible()
    expect(text_of(page)).to_have_value(f"{HOLE} Typed.")
    page.locator("summary", has_text="1 dealt with").click()
    page.get_by_role("button", name="Take it back").click()
    expect(page.locator(".warning")).to_have_count(2)
    expect(text_of(page)).to_have_value(f"{HOLE} Typed.")
    text_of(page).fill(MENDED)
    page.get_by_role("button", name="Save").first.click()
    expect(page.get_by_text("Saved as revision 2. It closes 2 import warnings")).to_be_visible()


@pytest.mark.parametrize(("scheme", "width"), [("light", 1400), ("dark", 390)])
def test_notes_of_every_kind_have_no_serious_fault(
    site: Site, open_page: Open, scheme: str, width: int
) -> None:
    question = damaged(site, f"{HOLE}\n\n```python\ndef f():\nreturn 1\n```")
    make_warning(site.session, question, "def f():\nreturn 1", "indentation")
    make_warning(site.session, question, "Which host")
    make_warning(site.session, question, f"gone {'verylong' * 30}")
    done = make_warning(site.session, question, "A local one.")
    acknowledge(site.session, done, by=site.people["Edith"], at=AT)
    site.session.commit()
    page = open_page("Edith", scheme=scheme, width=width)
    page.goto(address(question))
    open_about(page)
    page.locator("summary", has_text="1 dealt with").click()
    text_of(page).fill("def f():\nreturn 1")
    expect(first_note(page)).to_be_visible()
    assert faults_of(page) == []
