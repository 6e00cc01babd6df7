"""A question's way to the public and away from it, by keyboard and on a phone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace
from playwright.sync_api import Page, expect

from cms.services.content import content_of
from cms.services.duplicates import find_some
from cms.services.questions import save
from cms.services.scheduling import schedule
from tests.browser.conftest import Open, Site, faults_of
from tests.factories import AT, make_published, make_question


def tab_to(page: Page, name: str) -> None:
    """Press Tab until the control of this name has the focus."""
    for _ in range(60):
        page.keyboard.press("Tab")
        focused = page.evaluate(
            "(document.activeElement.labels?.[0] ?? document.activeElement).textContent.trim()"
        )
        if focused.startswith(name):
            return
    raise AssertionError(f"Tab does not come to {name!r}")


def test_a_change_is_looked_at_scheduled_and_published_by_keyboard_alone(
    site: Site, open_page: Open
) -> None:
    question = make_published(site.session, "What is a view?")
    changed = replace(content_of(question), stem="What is a good view?")
    save(site.session, question, changed, seen_version=1, by=None, at=AT)
    site.session.commit()
    page = open_page("Edith")
    page.goto(f"/admin/questions/{question.id}/")
    tab_to(page, "More")
    page.keyboard.press("Enter")
    tab_to(page, "What publishing will change")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Publish revision 2")).to_be_visible()
    expect(page.locator("ins")).to_have_text("good ")

    # Enter in the field of the time schedules, and never publishes at once.
    tab_to(page, "Publish at")
    page.keyboard.type("12312099")
    page.keyboard.press("Tab")
    page.keyboard.type("0900AM")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Revision 2 goes public 31 Dec 2099, 09:00 UTC.")).to_be_visible()
    expect(page.locator("#state")).to_contain_text(
        "goes public 31 Dec 2099, 09:00 UTC (revision 2)"
    )

    page.goto(f"/admin/questions/{question.id}/publish")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("Published in release 2.")).to_be_visible()
    expect(page.locator("#state")).not_to_contain_text("goes public")


def test_a_duplicate_is_found_merged_and_its_address_leads_on_by_keyboard_alone(
    site: Site, open_page: Open
) -> None:
    kept = make_published(site.session, "What is a blueprint?", tags=["flask"])
    gone = make_published(site.session, "What are blueprints?", tags=["http"])
    address, survivor = f"/questions/{gone.slug}", f"/questions/{kept.slug}"
    while find_some(site.session, at=AT):
        pass
    site.session.commit()
    page = open_page("Edith", width=390)
    page.goto("/admin/duplicates/")
    tab_to(page, "Keep this one …")
    page.keyboard.press("Enter")
    expect(page.get_by_text("http joins the tags of question")).to_be_visible()
    tab_to(page, "Merge")
    page.keyboard.press("Enter")
    expect(page.get_by_text("into this one in release 3.")).to_be_visible()
    page.goto(address)
    assert page.url.endswith(survivor)
    page.goto("/admin/duplicates/")
    expect(page.get_by_text("No two questions read alike.")).to_be_visible()


def test_an_earlier_text_is_compared_and_restored_by_keyboard_alone(
    site: Site, open_page: Open
) -> None:
    question = make_published(site.session, "What is a view?")
    for number, word in enumerate(("good", "better"), start=1):
        changed = replace(content_of(question), stem=f"What is a {word} view?")
        save(site.session, question, changed, seen_version=number, by=None, at=AT)
    site.session.commit()
    page = open_page("Edith")
    page.goto(f"/admin/questions/{question.id}/revisions/")
    page.get_by_role("radio", name="From revision 2").focus()
    page.keyboard.press("ArrowDown")
    tab_to(page, "Compare the chosen two")
    page.keyboard.press("Enter")
    expect(page.locator("ins")).to_have_text("better ")
    page.goto(f"/admin/questions/{question.id}/revisions/1/")
    tab_to(page, "Restore")
    page.keyboard.press("Enter")
    if page.get_by_label("Why").is_visible():
        tab_to(page, "Restore")
        page.keyboard.press("Enter")
    expect(page.get_by_text("Restored as revision 4.")).to_be_visible()
    expect(page.get_by_role("textbox", name="Stem")).to_have_value("What is a view?")


def test_a_question_is_retired_and_brought_back_by_keyboard_alone(
    site: Site, open_page: Open
) -> None:
    question = make_published(site.session, "What is a view?")
    slug = question.slug
    site.session.commit()
    page = open_page("Edith")
    page.goto(f"/admin/questions/{question.id}/")
    tab_to(page, "More")
    page.keyboard.press("Enter")
    tab_to(page, "Retire …")
    page.keyboard.press("Enter")
    tab_to(page, "Reason, for readers")
    page.keyboard.type("It is out of date.")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Retired: its address now says that it is gone.")).to_be_visible()
    assert page.request.get(f"/questions/{slug}").status == 410
    tab_to(page, "More")
    page.keyboard.press("Enter")
    tab_to(page, "Un-retire")
    page.keyboard.press("Enter")
    expect(page.get_by_text("A draft again.")).to_be_visible()
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("Published in release 3.")).to_be_visible()
    assert page.request.get(f"/questions/{slug}").status == 200


@pytest.mark.parametrize(("scheme", "width"), [("light", 1400), ("dark", 390)])
def test_the_pages_of_the_workflow_have_no_serious_fault(
    site: Site, open_page: Open, scheme: str, width: int
) -> None:
    question, other = make_published(site.session), make_question(site.session, "Other?")
    at = datetime.now(UTC)
    schedule(site.session, other, number=1, when=at + timedelta(days=1), by=None, at=at)
    site.session.commit()
    page = open_page("Ada", scheme=scheme, width=width)
    for address in (
        f"{other.id}/publish",
        f"{question.id}/merge?q=other",
        f"{question.id}/merge?into={other.id}",
        f"{question.id}/purge",
    ):
        page.goto(f"/admin/questions/{address}")
        assert faults_of(page) == [], address
    page.goto(f"/admin/questions/{other.id}/publish")
    page.get_by_role("button", name="Schedule anew").click()
    expect(page.get_by_role("alert")).to_be_focused()
    assert faults_of(page) == []
