"""The main job at the desk, from a damaged draft to the public page, as an editor does it."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from cms.models import Question
from tests.browser.conftest import Open, Site
from tests.factories import make_question, make_warning

DAMAGED = "The default local host of the server is , and the port is 5000."
MENDED = "The default local host of the server is 127.0.0.1, and the port is 5000."


def damaged_question(site: Site) -> Question:
    question = make_question(site.session, "What is the default host?", DAMAGED, tags=["flask"])
    make_warning(site.session, question, "server is , and the port")
    return question


def body(page: Page, index: int = 0) -> object:
    return page.locator(f"[id='answers[{index}].body']")


def test_an_editor_mends_a_damaged_draft_and_publishes_it(site: Site, open_page: Open) -> None:
    question = damaged_question(site)
    page = open_page("Edith")
    page.goto("/admin/")
    page.get_by_role("link", name="Import warnings 1").first.click()
    page.get_by_role("link", name=question.stem).click()

    # The warning leads to the passage, once the page's scripts are there.
    page.wait_for_url(re.compile(rf"/admin/questions/{question.id}/"))
    page.get_by_role("link", name="Mend").click()
    text = page.get_by_label("Answer text")
    expect(text).to_be_focused()
    selected = text.evaluate("area => area.value.slice(area.selectionStart, area.selectionEnd)")
    assert selected == "server is , and the port"

    # A correction is filed …
    page.locator("#rail").get_by_role("link", name="File a correction").click()
    page.get_by_label("What was claimed").fill("The host is missing.")
    page.get_by_label("In fact").fill("It is `127.0.0.1`.")
    page.get_by_label("Fixed").fill("The address is there now.")
    page.get_by_label("Source, address").fill("https://flask.palletsprojects.com/")
    page.get_by_role("button", name="File it").click()
    expect(page.get_by_text("Filed. It waits for an editor's decision.")).to_be_visible()

    # … the text is mended, with a source and a tag, and looked at …
    text.fill(MENDED)
    expect(page.locator("#preview")).to_contain_text("server is 127.0.0.1, and")
    page.get_by_role("button", name="Add a source").click()
    address = page.get_by_role("textbox", name="Address").last
    page.get_by_label("Tags").fill("flask/cli,")
    expect(page.get_by_role("button", name="Take off flask/cli")).to_be_visible()
    address.fill("https://flask.palletsprojects.com/cli/")

    # … saving closes the warning as mended; the correction is decided on its page …
    expect(page.get_by_text("No longer in the text: saving closes")).to_be_visible()
    page.get_by_role("button", name="Save", exact=False).first.click()
    expect(
        page.get_by_text("Saved as revision 2. It closes 1 import warning as mended.")
    ).to_be_visible()
    expect(page.get_by_text("1 dealt with")).to_be_visible()
    page.locator("#corrections").get_by_role("link", name="Decide").click()
    page.get_by_role("button", name="Accept Ctrl S").click()
    expect(page.get_by_text("Accepted in revision 2.")).to_be_visible()
    expect(page.locator("#corrections")).to_contain_text("accepted in r2")

    # … and all of it is published.
    page.get_by_role("button", name="Publish").click()
    expect(page.get_by_text("Published in release 1.")).to_be_visible()
    expect(page.locator("#state")).to_have_text("published")
    page.locator("summary", has_text="More").click()
    page.get_by_role("link", name="Public page").click()
    expect(page.get_by_role("main")).to_contain_text("server is 127.0.0.1, and the port is 5000.")
    expect(page.get_by_role("main")).to_contain_text("The host is missing.")
    page.goto("/corrections/")
    expect(page.get_by_role("main")).to_contain_text("The host is missing.")

    # The old text stays in the history.
    page.goto(f"/admin/questions/{question.id}/revisions/1/")
    expect(page.get_by_role("main")).to_contain_text("server is , and the port")
    page.goto(f"/admin/questions/{question.id}/revisions/2/")
    expect(page.locator("ins", has_text="127.0.0.1")).to_be_visible()


def test_a_second_editor_with_a_stale_form_gets_both_texts(site: Site, open_page: Open) -> None:
    question = damaged_question(site)
    address = f"/admin/questions/{question.id}/"
    edith, emil = open_page("Edith"), open_page("Emil")
    for page in (edith, emil):
        page.goto(address)
    edith.get_by_label("Answer text").fill(MENDED)
    edith.get_by_role("button", name="Save").first.click()
    expect(edith.get_by_text("Saved as revision 2.")).to_be_visible()

    emil.get_by_label("Answer text").fill("The host is localhost.")
    emil.get_by_label("Stem").fill("Which host is the default?")
    emil.get_by_role("button", name="Save").first.click()
    expect(emil.get_by_role("heading", level=1)).to_have_text(
        "Edith saved this question while you were editing it"
    )
    expect(emil.get_by_role("alert")).to_be_focused()
    expect(emil.get_by_role("alert")).to_contain_text("Nothing was overwritten")
    # Nothing of either is lost; theirs is taken for the text, mine stays for the stem.
    expect(emil.get_by_label("Answer text")).to_have_value("The host is localhost.")
    part = emil.locator(".conflict", has_text="localhost")
    expect(part).to_contain_text("127.0.0.1")
    part.get_by_role("button", name="Take theirs").click()
    expect(emil.get_by_label("Answer text")).to_have_value(MENDED)
    expect(emil.get_by_label("Stem")).to_have_value("Which host is the default?")
    emil.get_by_role("button", name="Save both as one").click()
    expect(emil.get_by_text("Saved as revision 3.")).to_be_visible()
    emil.goto(f"{address}revisions/3/")
    expect(emil.locator(".change")).to_have_count(1)


def test_a_contributor_writes_and_an_editor_publishes(site: Site, open_page: Open) -> None:
    conrad = open_page("Conrad")
    conrad.goto("/admin/")
    conrad.get_by_role("link", name="New question").click()
    conrad.get_by_label("Stem").fill("What does `url_for` return?")
    conrad.get_by_label("Answer text").fill("An address.")
    conrad.get_by_role("button", name="Submit").click()
    expect(conrad.get_by_text("Submitted for review.")).to_be_visible()
    expect(conrad.get_by_role("button", name="Publish")).to_have_count(0)

    edith = open_page("Edith")
    edith.goto("/admin/")
    edith.get_by_role("link", name="In review 1").first.click()
    edith.get_by_role("checkbox", name="Tick ‘What does url_for return?’").check()
    expect(edith.get_by_text("With the 1 ticked")).to_be_visible()
    edith.get_by_label("What to do").select_option("Publish")
    edith.get_by_role("button", name="Go on").click()
    expect(edith.get_by_role("heading", level=1)).to_have_text("Publish 1 question?")
    edith.get_by_role("button", name="Publish 1 question").click()
    expect(edith.get_by_text("Published: 1 question.")).to_be_visible()

    conrad.reload()
    expect(conrad.get_by_text("Only an editor may change a question")).to_be_visible()
    expect(conrad.get_by_role("button", name="Save")).to_have_count(0)
