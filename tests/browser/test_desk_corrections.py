"""Corrections in a browser: filed, decided and published by keyboard, on a phone too; axe."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from cms.models import Question
from cms.services.content import content_of
from cms.services.corrections import open_correction
from cms.services.questions import save
from cms.vocabulary import CorrectionKind, TextPart
from tests.browser.conftest import Open, Site, faults_of, open_about
from tests.factories import AT, make_published

BODY = "The port is 8000. It can be changed.\n\nThe host is local."


def press_until(page: Page, key: str, name: str) -> None:
    """Press a key until the control of this accessible name has the focus."""
    for _ in range(80):
        page.keyboard.press(key)
        focused = page.locator(":focus")
        if focused.count() and name in focused.evaluate(
            "e => e.ariaLabel || e.labels?.[0]?.textContent || e.textContent"
        ):
            return
    raise AssertionError(f"{key} never came to {name!r}")


@pytest.mark.parametrize("width", [1400, 390])
def test_a_correction_is_filed_decided_and_published_by_keyboard(
    site: Site, open_page: Open, width: int
) -> None:
    question = make_published(site.session, "Which port?", body=BODY)
    conrad = open_page("Conrad", width=width)
    conrad.goto(f"/admin/questions/{question.id}/")
    open_about(conrad)
    press_until(conrad, "Tab", "File a correction")
    conrad.keyboard.press("Enter")
    conrad.wait_for_url("**/corrections/new/**")
    press_until(conrad, "Tab", "Where")
    conrad.keyboard.type("answer 1")
    # The passage is selected on the page, and quoted.
    conrad.locator("[data-quotable] .prose p").first.evaluate(
        "p => getSelection().setBaseAndExtent(p.firstChild, 0, p.firstChild, 17)"
    )
    conrad.keyboard.press("Alt+q")
    expect(conrad.get_by_label("What was claimed")).to_be_focused()
    expect(conrad.get_by_label("What was claimed")).to_have_value("The port is 8000.")
    press_until(conrad, "Tab", "Proposed text of answer 1")
    conrad.keyboard.press("Control+a")
    conrad.keyboard.insert_text(BODY.replace("8000", "5000"))
    expect(conrad.get_by_label("Proposed text of the stem")).to_be_hidden()
    assert faults_of(conrad) == []
    conrad.keyboard.press("Control+s")
    expect(conrad.get_by_text("Filed. It waits for an editor's decision.")).to_be_visible()

    # Meanwhile another place of the answer changes; both changes are kept.
    changed = content_of(site.session.get_one(Question, question.id))
    changed.answers[0].body = BODY.replace("local", "127.0.0.1")
    save(site.session, question, changed, seen_version=1, by=None, at=AT)
    site.session.commit()

    edith = open_page("Edith", width=width, scheme="dark")
    edith.goto("/admin/corrections/next")
    expect(edith.get_by_text("Rebased: the question changed since")).to_be_visible()
    expect(edith.locator("ins", has_text="5000")).to_be_visible()
    assert faults_of(edith) == []
    press_until(edith, "Tab", "Reason")
    edith.keyboard.type("Checked with `flask run`.")
    edith.keyboard.press("Control+Enter")
    expect(edith.get_by_text("Accepted in revision 3.")).to_be_visible()
    expect(edith.get_by_text("Published in release 2.")).to_be_visible()

    reader = open_page(width=width)
    reader.goto("/corrections/1")
    main = reader.get_by_role("main")
    expect(main).to_contain_text("The port is 8000.")
    expect(main).to_contain_text("corrected in the version of")
    assert faults_of(reader) == []
    main.get_by_role("link", name="Which port?").click()
    expect(main).to_contain_text("The port is 5000.")
    expect(main).to_contain_text("The host is 127.0.0.1.")


def test_overlaps_are_shown_side_by_side_and_decided_without_scripts(
    site: Site, open_page: Open
) -> None:
    question = make_published(site.session, "Which port?", body=BODY)
    open_correction(
        site.session,
        question,
        kind=CorrectionKind.factual,
        claim="The port is 8000.",
        part=TextPart.body,
        answer_uid=question.answers[0].uid,
        proposed=BODY.replace("8000", "5000"),
        by=site.people["Conrad"],
        at=AT,
    )
    changed = content_of(question)
    changed.answers[0].body = BODY.replace("8000", "80")
    save(site.session, question, changed, seen_version=1, by=None, at=AT)
    site.session.commit()
    page = open_page("Edith", width=390, scripts=False)
    page.goto("/admin/corrections/next")
    overlap = page.locator(".overlap")
    expect(overlap.locator("dd").nth(0)).to_have_text("The port is 8000. ")
    expect(overlap.locator("dd").nth(1).locator("ins")).to_have_text("80")
    expect(overlap.locator("dd").nth(2).locator("ins")).to_have_text("5000")
    page.get_by_label("The text of answer 1").fill("Port 5000, or what you choose.")
    page.get_by_role("button", name="Accept", exact=True).click()
    expect(page.get_by_text("Accepted in revision 3.")).to_be_visible()
    site.session.expire_all()
    found = site.session.get_one(Question, question.id).answers[0].body
    assert found == "Port 5000, or what you choose."
    site.session.commit()


@pytest.fixture
def intake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CMS_PUBLIC_CORRECTIONS", "on")


@pytest.mark.parametrize(("width", "scripts"), [(1400, True), (390, True), (390, False)])
def test_a_reader_reports_an_error(
    intake: None, site: Site, open_page: Open, width: int, scripts: bool
) -> None:
    make_published(site.session, "Which port?", body=BODY)
    page = open_page(width=width, scripts=scripts)
    page.goto("/questions/which-port")
    page.get_by_role("link", name="Something wrong here?").click()
    page.get_by_role("button", name="Send it to the editors").click()
    expect(page.get_by_role("alert")).to_contain_text("It is empty. Say what was wrong.")
    if scripts:
        expect(page.get_by_role("alert")).to_be_focused()
        assert faults_of(page) == []
    page.get_by_label("The passage that is wrong").fill("The port is 8000.")
    page.get_by_text("Write how it should read").click()
    page.locator("summary", has_text="Answer 1").click()
    page.get_by_label("Proposed text of answer 1").fill(BODY.replace("8000", "5000"))
    page.get_by_label("Your name").fill("Grace")
    page.get_by_role("button", name="Send it to the editors").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Thank you")
    if scripts:
        assert faults_of(page) == []
