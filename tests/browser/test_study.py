"""Study mode, its progress, the interview and hidden answers in a real browser."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from playwright.sync_api import Locator, Page, Request, expect
from sqlalchemy import select

from cms.formats.item import DeckFilter, DeckItem
from cms.models import Question
from cms.services.content import content_of
from cms.services.decks import save_deck
from cms.services.publishing import publish, retire
from cms.services.questions import save
from tests.browser.conftest import Open, Site, axe_faults
from tests.browser.test_public_pages import KEPT
from tests.factories import AT, make_bank

STUDY = "/decks/first/study"
GRADE = """
async ([uid, grade, at]) => {
  const { writeGrade } = await import('/static/progress.js');
  return writeGrade({ uid, slug: 'what-is-http', revision: 1 }, grade, at);
}
"""
REVIEWS = """
async (uid) => {
  const { find } = await import('/static/progress.js');
  return (await find(uid))?.reviews ?? [];
}
"""


@pytest.fixture(autouse=True)
def bank(site: Site) -> None:
    make_bank(site.session)
    item = DeckItem(slug="first", title="First steps", filter=DeckFilter(any=["flask", "http"]))
    save_deck(site.session, None, item, by=None, at=AT)
    site.session.commit()


def question(site: Site, slug: str) -> Question:
    return site.session.scalars(select(Question).where(Question.slug == slug)).one()


def progress(page: Page) -> Locator:
    return page.locator("#progress")


def answer(page: Page, grade: str) -> None:
    expect(page.locator("#card .reveal:not([open])")).to_be_visible()
    page.keyboard.press("Space")
    expect(page.locator("#grades")).to_be_visible()
    page.keyboard.press(grade)


def test_a_deck_is_learnt_at_the_keyboard_and_nothing_is_sent(site: Site, open_page: Open) -> None:
    page = open_page()
    sent: list[Request] = []
    page.on("request", lambda request: sent.append(request))
    page.goto(STUDY)
    expect(progress(page)).to_have_text("0 due · 3 new · 0 done")
    page.keyboard.press("4")
    expect(progress(page)).to_have_text("0 due · 3 new · 0 done")
    page.keyboard.press("Space")
    expect(page.get_by_text("In a cookie.").last).to_be_visible()
    expect(page.get_by_role("group", name="How well did you know it?")).to_have_text(
        "Again 1 min 1 Hard 6 min 2 Good 10 min 3 Easy 8 days 4", use_inner_text=True
    )
    page.keyboard.press("4")
    expect(page.get_by_role("heading", name="What is a view?")).to_be_focused()
    expect(progress(page)).to_have_text("0 due · 2 new · 1 done")
    page.keyboard.press("u")
    expect(page.get_by_role("heading", name="Where does Flask keep")).to_be_focused()
    expect(progress(page)).to_have_text("0 due · 3 new · 0 done")
    answer(page, "4")
    expect(progress(page)).to_have_text("0 due · 2 new · 1 done")
    page.reload()
    expect(progress(page)).to_have_text("0 due · 2 new · 0 done")

    # Without single keys all is there by Tab and Enter.
    page.get_by_text("Settings", exact=True).press("Enter")
    page.get_by_label("New cards a day").press_sequentially("4")
    page.get_by_label("Single-key shortcuts").first.press("Space")
    page.reload()
    # The cards are in order by now, and none takes the focus later.
    expect(progress(page)).to_have_text("0 due · 2 new · 0 done")
    page.get_by_role("heading", name="What is a view?").focus()
    page.keyboard.press("u")
    page.keyboard.press("Space")
    expect(page.locator("#grades")).to_be_hidden()
    page.locator("#card summary").press("Enter")
    expect(page.locator("#grades")).to_be_visible()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Again")).to_be_focused()
    page.get_by_role("button", name="Easy").press("Enter")
    expect(progress(page)).to_have_text("0 due · 1 new · 1 done")
    page.locator("#card summary").press("Enter")
    page.get_by_role("button", name="Easy").press("Enter")
    expect(page.get_by_role("heading", name="Done for now")).to_be_focused()
    expect(page.locator("#end-due")).to_contain_text("3 cards")

    # A release changes one card and takes another away; a week and a day later the rest is due.
    kept = question(site, KEPT.rpartition("/")[2])
    changed = replace(content_of(kept), context="Think of *three* browsers.")
    save(site.session, kept, changed, seen_version=1, by=None, at=AT)
    publish(site.session, [kept], by=None, at=AT)
    retire(site.session, [question(site, "what-is-http")], by=None, at=AT)
    site.session.commit()
    page.clock.set_fixed_time(datetime.now(UTC) + timedelta(days=8))
    page.reload()
    expect(progress(page)).to_have_text("2 due · 0 new · 0 done")
    expect(page.get_by_text("Changed since you learned it")).to_be_visible()
    assert {request.method for request in sent} == {"GET"}
    assert {request.post_data for request in sent} == {None}


def test_progress_goes_into_a_file_and_comes_back_card_by_card(
    site: Site, open_page: Open, tmp_path: Path
) -> None:
    uids = [question(site, slug).uid for slug in ("what-is-http", "what-is-a-view")]
    site.session.rollback()
    one, now = open_page(), int(datetime.now(UTC).timestamp() * 1000)
    one.goto("/study/")
    # Two tabs at once: neither grade is lost.
    other = one.context.new_page()
    other.goto("/study/")
    one.evaluate(GRADE, [uids[0], 1, now])
    other.evaluate(GRADE, [uids[0], 3, now - 5])
    assert one.evaluate(REVIEWS, uids[0]) == [[now, 1], [now, 3]]
    one.evaluate(GRADE, [uids[1], 4, now])
    one.reload()
    expect(one.locator("[data-count=all]")).to_have_text("2")
    with one.expect_download() as download:
        one.get_by_role("button", name="Save as a file").click()
    path = tmp_path / download.value.suggested_filename
    download.value.save_as(path)
    saved: dict[str, Any] = json.loads(path.read_text())
    assert saved["format"] == "question-bank-progress"
    cards = {card["uid"]: card for card in saved["cards"]}
    assert [each["grade"] for each in cards[uids[0]]["reviews"]] == ["again", "good"]

    # Another browser: one card is newer here, one newer in the file.
    two = open_page()
    two.goto("/study/")
    two.evaluate(GRADE, [uids[0], 4, now + 60_000])
    two.evaluate(GRADE, [uids[1], 1, now - 60_000])
    bring(two, path.read_bytes())
    expect(two.locator("#said")).to_have_text(
        "0 cards added, 1 taken from the file because they were reviewed later there, "
        "1 kept as they are here."
    )
    assert two.evaluate(REVIEWS, uids[0]) == [[now + 60_000, 4]]
    assert two.evaluate(REVIEWS, uids[1]) == [[now, 4]]
    broken = {**saved, "cards": [*saved["cards"], {**saved["cards"][0], "due": "soon"}]}
    for file, said in (
        (path.read_bytes()[:-40], "it is no JSON, or a part of it is missing"),
        (b'{"format": "question-bank"}', "holds no progress that was saved here"),
        (json.dumps({**saved, "version": 2}).encode(), "is of version 2"),
        (json.dumps(broken).encode(), "Card 3 of the file has no time as its ‘due’"),
    ):
        bring(two, file)
        expect(two.locator("#said")).to_contain_text(said)
        expect(two.locator("#said")).to_contain_text("Nothing was changed.")
    assert two.evaluate(REVIEWS, uids[1]) == [[now, 4]]

    for button, left in (("Keep it", "2"), ("Forget all", "0")):
        two.get_by_role("button", name="Forget all").click()
        two.get_by_role("dialog").get_by_role("button", name=button).click()
        expect(two.locator("[data-count=all]")).to_have_text(left)


def bring(page: Page, content: bytes) -> None:
    file = {"name": "progress.json", "mimeType": "application/json", "buffer": content}
    page.locator("#import").set_input_files(file)  # type: ignore[arg-type]


def test_an_interview_ends_with_the_clock_and_its_misses_are_studied(open_page: Open) -> None:
    page = open_page()
    page.clock.install()
    page.goto("/study/interview?any=3&minutes=9&seed=1")
    page.get_by_role("button", name="Start the clock").press("Enter")
    expect(progress(page)).to_have_text("Question 1 of 3")
    page.get_by_label("Notes").fill("I think 3 things.")
    page.locator("#card .stem").focus()
    page.clock.fast_forward("02:00")
    page.keyboard.press("Space")
    answer_shown = page.locator("#card .reveal > div").last
    expect(answer_shown).to_be_visible()
    # Who folds the answer and opens it again sees it again.
    page.locator("#card .reveal > summary").press("Enter")
    expect(answer_shown).to_be_hidden()
    page.locator("#card .reveal > summary").press("Enter")
    expect(answer_shown).to_be_visible()
    page.locator("#card .stem").focus()
    expect(page.get_by_role("group", name="How did you do?")).to_be_visible()
    page.keyboard.press("1")
    expect(progress(page)).to_have_text("Question 2 of 3")
    page.reload()
    expect(progress(page)).to_have_text("Question 2 of 3")
    page.clock.fast_forward("08:00")
    expect(page.locator("#alarm")).to_contain_text("Time is up.")
    page.keyboard.press("Space")
    expect(page.get_by_role("group", name="How did you do?")).to_be_visible()
    page.keyboard.press("3")
    expect(page.get_by_role("heading", name="How it went")).to_be_focused()
    # The clock goes on by itself between the jumps, by a second or two.
    expect(page.locator("#after-lead")).to_have_text(
        re.compile(r"^2 questions in 10:0\d: 1 well, 0 partly, 1 missed; 1 not reached\.$")
    )
    rows = page.locator("#by-question tr")
    expect(rows.nth(0)).to_contain_text("I think 3 things.")
    expect(rows.nth(0)).to_contain_text(re.compile(r"2:0\d"))
    expect(rows.nth(2)).to_contain_text("not reached")
    expect(page.locator("#by-difficulty")).to_contain_text("easy")
    expect(page.locator("#by-tag tr").first).to_be_visible()
    page.get_by_role("button", name="Study the 1 missed question").press("Enter")
    expect(page.locator("#said")).to_contain_text("study mode asks them first")
    page.goto("/questions/study")
    expect(progress(page)).to_have_text("1 due · 2 new · 0 done")


@pytest.mark.parametrize(("scheme", "width"), [("light", 1400), ("dark", 390)])
def test_study_is_complete_without_scripts_and_axe_finds_no_fault_with_them(
    open_page: Open, scheme: str, width: int
) -> None:
    plain = open_page(scheme=scheme, width=width, scripts=False)
    plain.goto(STUDY)
    expect(plain.locator(".flashcard")).to_have_count(3)
    expect(plain.get_by_text("Signed by")).to_be_hidden()
    plain.get_by_text("Show the answer").first.click()
    expect(plain.get_by_text("Signed by")).to_be_visible()
    expect(plain.get_by_text("Hide answers").first).to_be_hidden()
    expect(plain.get_by_text("New cards a day")).to_be_hidden()

    page = open_page(scheme=scheme, width=width)
    page.goto(STUDY)
    expect(progress(page)).to_have_text("0 due · 3 new · 0 done")
    page.keyboard.press("Space")
    for button in page.locator("#grades button").all():
        box = button.bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) >= 44
        assert box["y"] + box["height"] <= 900, "a thumb reaches it"
    assert axe_faults(page) == []
    page.keyboard.press("4")
    for _ in range(2):
        answer(page, "4")
    expect(page.get_by_role("heading", name="Done for now")).to_be_visible()
    page.get_by_text("Settings", exact=True).click()
    assert axe_faults(page) == []
    page.goto("/study/interview?any=1&seed=1")
    page.get_by_role("button", name="Start the clock").click()
    page.keyboard.press("Space")
    assert axe_faults(page) == []
    page.keyboard.press("2")
    expect(page.get_by_role("heading", name="How it went")).to_be_visible()
    assert axe_faults(page) == []

    # Answers stay hidden on every page, and no page shows one first.
    page.goto(KEPT)
    page.get_by_label("Hide answers").first.check()
    page.reload()
    expect(page.get_by_text("In a cookie.").first).to_be_hidden()
    expect(page.get_by_text("It is kept on the server.")).to_be_hidden()
    assert axe_faults(page) == []
    page.get_by_text("Show the answer").click()
    expect(page.get_by_text("It is kept on the server.")).to_be_visible()
    page.goto("/questions/")
    expect(page.locator(".list .summary").first).to_be_hidden()
