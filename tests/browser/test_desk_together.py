"""Two people and a question: assigned, read in the inbox, talked about, settled; by keyboard."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from cms.services import comments
from cms.services.care import set_care
from cms.services.questions import return_to_draft, save, submit
from cms.services.queues import today
from tests.browser.conftest import Open, Site, faults_of, open_about
from tests.browser.test_desk_bulk import tab_to
from tests.factories import AT, content, make_published, make_question


def press(page: Page, locator: str, key: str = "Enter") -> None:
    tab_to(page, locator)
    page.keyboard.press(key)


def test_a_question_is_assigned_talked_about_and_settled_by_keyboard_on_a_phone(
    site: Site, open_page: Open
) -> None:
    question = make_question(site.session)
    edith = open_page("Edith", width=390)
    edith.goto(f"/admin/questions/{question.id}/")
    # What is typed in the text stays while the care is set beside it.
    edith.get_by_label("Stem").fill("What is a view, then?")
    open_about(edith)
    edith.locator("#care summary").focus()
    edith.keyboard.press("Enter")
    tab_to(edith, "#care-assignee")
    edith.keyboard.type("Conrad")
    press(edith, "#care form button")
    expect(edith.get_by_text("Saved who takes care of it.")).to_be_visible()
    expect(edith.locator("#care")).to_contain_text("Conrad")
    expect(edith.get_by_label("Stem")).to_have_value("What is a view, then?")

    conrad = open_page("Conrad", width=390)
    conrad.goto("/admin/")
    expect(conrad.locator(".pile").first).to_contain_text("What is a view?")
    conrad.goto("/admin/inbox/")
    press(conrad, ".inbox .link")
    expect(conrad).to_have_url(f"{site.url}/admin/questions/{question.id}/")
    open_about(conrad)
    press(conrad, "#comments a")
    tab_to(conrad, "#body")
    conrad.keyboard.type("Is it one, @ed")
    expect(conrad.get_by_role("option", name="Edith")).to_be_visible()
    conrad.keyboard.press("Enter")
    conrad.keyboard.type("or two?")
    expect(conrad.locator("#body")).to_have_value("Is it one, @Edith or two?")
    press(conrad, ".talk > form button")
    expect(conrad.get_by_text("Is it one, @Edith or two?")).to_be_visible()

    edith.on("dialog", lambda dialog: dialog.accept())
    edith.goto("/admin/inbox/?show=unread")
    expect(edith.locator(".inbox")).to_contain_text("Conrad named you in a comment")
    press(edith, ".inbox .link")
    expect(edith.locator(".comment:target")).to_be_visible()
    press(edith, ".thread-verbs summary")
    tab_to(edith, ".thread-verbs textarea")
    edith.keyboard.type("One.")
    press(edith, ".thread-verbs details button")
    expect(edith.locator(".replies")).to_contain_text("One.")
    press(edith, ".thread-verbs > form button")
    expect(edith.get_by_text("Resolved; the thread folds, and stays.")).to_be_visible()
    expect(edith.locator(".replies")).to_be_hidden()


def test_a_comment_that_is_typed_is_not_left_by_accident(site: Site, open_page: Open) -> None:
    question = make_question(site.session)
    page = open_page("Edith")
    page.goto(f"/admin/questions/{question.id}/comments")
    page.get_by_label("Begin a thread").fill("Half a thou")
    asked: list[str] = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.dismiss()))
    page.get_by_role("link", name="Public site").click()
    expect(page.get_by_label("Begin a thread")).to_have_value("Half a thou")
    assert asked == ["beforeunload"]


@pytest.mark.parametrize(("scheme", "width"), [("light", 1400), ("dark", 390)])
def test_the_pages_of_working_together_have_no_faults(
    site: Site, open_page: Open, scheme: str, width: int
) -> None:
    edith, conrad = site.people["Edith"], site.people["Conrad"]
    live = make_published(site.session, by=edith)
    changed = content("What is a view?", uid=live.uid, slug=live.slug, context="New.")
    save(site.session, live, changed, seen_version=1, by=None, at=AT)
    mine = make_question(site.session, "Mine?", by=edith)
    submit(site.session, mine, by=edith, at=AT)
    return_to_draft(site.session, mine, by=conrad, at=AT, reason="Cite a source.")
    set_care(
        site.session,
        live,
        assignee=edith,
        reviewer=edith,
        due_on=today().replace(year=2020),
        review_by=today(),
        by=None,
        at=AT,
    )
    first = comments.post(site.session, live, "Look, @Edith: `x`", by=conrad, at=AT)
    comments.post(site.session, live, "Yes.", thread=first, by=edith, at=AT)
    settled = comments.post(site.session, live, "Done?", by=edith, at=AT)
    comments.resolve(site.session, settled, by=conrad, at=AT)
    site.session.commit()
    page = open_page("Edith", scheme=scheme, width=width)
    page.goto("/admin/")
    found: dict[str, list[str]] = {"my work": faults_of(page)}
    page.goto("/admin/inbox/")
    found["inbox"] = faults_of(page)
    page.goto(f"/admin/questions/{live.id}/")
    open_about(page)
    page.locator("#care summary").click()
    found["editor"] = faults_of(page)
    page.goto(f"/admin/questions/{live.id}/comments")
    page.locator(".thread summary", has_text="resolved").click()
    page.locator(".thread summary", has_text="Reply").first.click()
    found["comments"] = faults_of(page)
    page.get_by_label("Begin a thread").press_sequentially("@")
    expect(page.get_by_role("listbox", name="People")).to_be_visible()
    found["a name that is typed"] = faults_of(page)
    page.on("dialog", lambda dialog: dialog.accept())
    page.goto(f"/admin/questions/{live.id}/revisions/")
    found["revisions"] = faults_of(page)
    page.get_by_role("button", name="Compare the chosen two").click()
    expect(page.get_by_text("What changed since revision 1")).to_be_visible()
    found["difference"] = faults_of(page)
    page.goto("/admin/questions/?assignee=me&due=overdue")
    found["list"] = faults_of(page)
    page.goto("/admin/audit/?object=what-is-a-view&from=2026-01-01")
    found["audit"] = faults_of(page)
    assert found == {name: [] for name in found}
