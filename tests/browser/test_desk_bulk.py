"""Many questions at once, as an editor does it in a browser: by keyboard, and back by one click."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import func, select

from cms.models import Question
from cms.services.operations import bulk
from tests.browser.conftest import Open, Site, faults_of
from tests.factories import AT, make_published, make_question


def tagged(site: Site, slug: str) -> int:
    wanted = select(func.count()).select_from(Question).where(Question.tags.any(slug=slug))
    count = site.session.scalar(wanted)
    site.session.rollback()
    return count or 0


def tab_to(page: Page, locator: str) -> None:
    """Press Tab until something has the focus, as somebody without a mouse does."""
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.locator(f"{locator}:focus").count():
            return
    raise AssertionError(f"Tab does not lead to {locator}")


def test_a_whole_filtered_list_gets_a_tag_by_keyboard_and_loses_it_by_one_click(
    site: Site, open_page: Open
) -> None:
    for number in range(55):
        make_question(site.session, f"Number {number}?", tags=["many"])
    make_published(site.session, "Other?", tags=["other"])
    page = open_page("Edith")
    page.goto("/admin/questions/?tag=many")
    tab_to(page, "a[href='#main']")
    page.keyboard.press("Enter")
    tab_to(page, "a[href='#together']")
    page.keyboard.press("Enter")
    tab_to(page, "[data-whole]")
    page.keyboard.press("Space")
    tab_to(page, "select[name=action]")
    page.keyboard.type("Add a tag")
    tab_to(page, ".bulk button")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Add a tag to 55 questions?")
    expect(page.locator("#tag")).to_be_focused()
    page.keyboard.type("fresh")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Added the tag fresh: 55 questions.")).to_be_visible()
    assert tagged(site, "fresh") == 55

    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("Undone: Added the tag fresh.")).to_be_visible()
    expect(page).to_have_url(re.compile(r"/admin/questions/\?tag=many"))
    assert tagged(site, "fresh") == 0


def test_it_works_without_scripts(site: Site, open_page: Open) -> None:
    questions = [make_question(site.session, f"Number {n}?") for n in range(2)]
    page = open_page("Edith", scripts=False)
    page.goto("/admin/questions/")
    page.get_by_role("checkbox", name="Tick ‘Number 0?’").check()
    page.get_by_label("What to do").select_option("Set the difficulty")
    page.get_by_role("button", name="Go on").click()
    page.get_by_label("Difficulty").select_option("hard")
    page.get_by_role("button", name="Set the difficulty of 1 question").click()
    expect(page.get_by_text("Set the difficulty to hard: 1 question.")).to_be_visible()
    page.get_by_role("link", name="What was done").click()
    expect(page.get_by_role("row", name=questions[0].stem)).to_contain_text("revision 2")


def test_the_questions_of_a_list_are_downloaded(site: Site, open_page: Open) -> None:
    make_question(site.session, "Tea?", tags=["drinks"])
    make_question(site.session, "Other?")
    page = open_page("Edith")
    page.goto("/admin/questions/?tag=drinks")
    page.locator("summary", has_text="Export").click()
    page.get_by_label("Format").select_option("csv")
    with page.expect_download() as found:
        page.locator(".menu").get_by_role("button", name="Export").click()
    assert found.value.suggested_filename == "questions-drafts.csv"
    written = found.value.path().read_text()
    assert "Tea?" in written
    assert "Other?" not in written


def test_a_worker_s_operation_is_followed_until_it_is_done(site: Site, open_page: Open) -> None:
    from cms.extensions import db
    from cms.services import jobs
    from cms.services.work import HANDLERS

    question = make_question(site.session)
    begun = bulk.begin(site.session, "submit", [question.id], {}, by=None, at=AT)
    bulk.hand_over(site.session, begun, by=None, at=AT)
    site.session.commit()
    page = open_page("Edith")
    page.goto(f"/admin/operations/{begun.id}/")
    expect(page.get_by_text("A worker will begin soon: 1 question.")).to_be_visible()
    with site.app.app_context():
        assert jobs.work_one(db.engine, HANDLERS)
    expect(page.get_by_role("main")).to_contain_text("done 1")
    expect(page.locator("[data-busy]")).to_have_count(0)


@pytest.mark.parametrize(("scheme", "width"), [("light", 1400), ("dark", 390)])
def test_the_pages_of_bulk_work_have_no_faults(
    site: Site, open_page: Open, scheme: str, width: int
) -> None:
    questions = [make_published(site.session, f"Number {n}?", tags=["many"]) for n in range(51)]
    ids = [question.id for question in [*questions, make_question(site.session, "Draft?")]]
    made = bulk.begin(site.session, "retire", ids, {}, by=None, at=AT)
    bulk.perform(site.session, made, at=AT)
    site.session.commit()
    page = open_page("Edith", scheme=scheme, width=width)
    found: dict[str, list[str]] = {}
    page.goto("/admin/questions/")
    page.locator("summary", has_text="Export").click()
    found["list"] = faults_of(page)
    menu = page.locator(".carry .menu").bounding_box()
    assert menu
    assert menu["x"] >= 0
    assert menu["x"] + menu["width"] <= width
    page.locator("summary", has_text="Export").click()
    page.locator("[data-whole]").check()
    page.get_by_label("What to do").select_option("Replace a tag")
    page.get_by_role("button", name="Go on").click()
    page.get_by_role("button", name="Replace a tag of 52 questions").click()
    expect(page.get_by_role("alert")).to_be_focused()
    found["confirmation"] = faults_of(page)
    page.goto("/admin/operations/")
    found["operations"] = faults_of(page)
    page.get_by_role("link", name="Retired").click()
    page.locator("summary", has_text="Undo").click()
    found["operation"] = faults_of(page)
    page.get_by_role("button", name="Undo this operation").click()
    expect(page.get_by_text("Undone: Retired.")).to_be_visible()
    page.goto("/admin/questions/?search=draft")
    page.get_by_role("checkbox", name="Tick ‘Draft?’").check()
    page.get_by_label("What to do").select_option("Submit for review")
    page.get_by_role("button", name="Go on").click()
    page.get_by_role("button", name="Submit 1 question for review").click()
    expect(page.get_by_role("button", name="Undo")).to_be_visible()
    found["done"] = faults_of(page)
    assert found == {name: [] for name in found}
