"""Imports in a real browser: pasted and mended, undone and done again; a folder edited by hand."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import func, select

from benchmarks.generated import bank as generated_bank
from cms.cli.folders import folder_target
from cms.extensions import db
from cms.formats import FORMATS
from cms.formats.incoming import Upload
from cms.models import Question
from cms.services.content import content_of
from cms.services.draftexports import export_drafts
from cms.services.exporting import Head, Selection
from cms.services.imports.importing import apply, plan_file
from cms.services.jobs import work_one
from cms.services.questions import save
from cms.services.work import HANDLERS
from tests.browser.conftest import Open, Site, faults_of
from tests.conftest import ROOT
from tests.factories import AT

DAMAGED = (ROOT / "fixtures" / "samples" / "damaged-article.txt").read_text()


@pytest.fixture(autouse=True)
def worker(site: Site) -> Iterator[None]:
    """A worker beside the server, as `serve` keeps one."""
    stop = threading.Event()
    with site.app.app_context():
        engine = db.engine

    def work() -> None:
        while not stop.is_set():
            if not work_one(engine, HANDLERS):
                stop.wait(0.1)

    thread = threading.Thread(target=work)
    thread.start()
    yield
    stop.set()
    thread.join()


def count(site: Site) -> int:
    found = site.session.scalar(select(func.count()).select_from(Question)) or 0
    site.session.rollback()
    return found


def state(page: Page, words: str) -> None:
    expect(page.locator(".bar .states")).to_have_text(re.compile(words), timeout=30_000)


def test_a_damaged_article_is_pasted_mended_imported_undone_and_imported_again(
    open_page: Open, site: Site
) -> None:
    page = open_page("Edith")
    page.goto("/admin/imports/")
    page.get_by_role("link", name="Import a file").first.click()
    page.get_by_label("Pasted text", exact=True).fill(DAMAGED)
    page.get_by_label("Name of the pasted text").fill("An article")
    page.keyboard.press("Control+Enter")
    state(page, "waits for you")
    assert count(site) == 0
    assert faults_of(page) == []

    page.get_by_role("link", name=re.compile("looks damaged")).click()
    mended = []
    for number in range(2):
        page.locator("td.main a").nth(number).click()
        page.wait_for_url(re.compile(r"/rows/\d+"))
        page.get_by_role("link", name="Mend").first.click()
        page.keyboard.type("what was lost is here again")
        mended.append(page.get_by_label("Stem").input_value())
        assert faults_of(page) == []
        page.keyboard.press("Control+s")
        expect(page.get_by_text("Mended. The import will write this text.")).to_be_visible()
        page.locator(".bar .back").click()

    page.get_by_role("checkbox", name=re.compile("^Import ‘")).last.uncheck()
    button = page.get_by_role("button", name=re.compile("Import 15 questions"))
    expect(button).to_be_visible()
    button.click()
    state(page, "imported")
    assert count(site) == 15
    bodies = " ".join(
        answer.body
        for question in site.session.scalars(select(Question).where(Question.stem.in_(mended)))
        for answer in question.answers
    )
    site.session.rollback()
    assert bodies.count("what was lost is here again") == 2

    page.get_by_text("Undo …").click()
    page.get_by_role("button", name="Undo this import").click()
    state(page, "undone")
    assert count(site) == 0
    page.get_by_role("button", name="Import again").click()
    state(page, "waits for you")
    page.get_by_role("button", name=re.compile("Import 16 questions")).click()
    state(page, "imported")
    assert count(site) == 16


def exported_folder(site: Site, path: Path) -> list[Path]:
    """The whole working copy as a folder of Markdown."""
    format = FORMATS["markdown"]
    assert format.folder is not None
    with folder_target(path, format.folder) as write:
        for chunk in export_drafts(site.session, format, Selection(), Head("Bank")).chunks:
            write(chunk)
    site.session.rollback()
    return sorted(path.iterdir())


def test_a_folder_that_was_edited_by_hand_comes_back_as_just_its_edits(
    open_page: Open, site: Site, tmp_path: Path, flask_bank: Upload
) -> None:
    plan = plan_file(site.session, flask_bank, FORMATS["markdown"])
    apply(site.session, plan, flask_bank, FORMATS["markdown"], by=None, at=AT)
    site.session.commit()
    files = exported_folder(site, tmp_path / "bank")
    questions = [path for path in files if path.suffix == ".md"]
    for path in questions[:11]:
        path.write_text(path.read_text() + "\nOne more thing.\n")
    # The eleventh was changed at the desk, too.
    both = site.session.scalars(select(Question).where(Question.slug == questions[10].stem)).one()
    desk = content_of(both)
    desk.answers[-1].body += "\n\nThe desk says so."
    save(site.session, both, desk, seen_version=both.latest_number, by=None, at=AT)
    site.session.commit()

    page = open_page("Edith")
    page.goto("/admin/imports/new/")
    page.get_by_label("Files").set_input_files([str(path) for path in files])
    page.get_by_role("button", name="Read and compare").click()
    state(page, "waits for you")
    tallies = page.locator("#tallies")
    expect(tallies).to_contain_text("update 10")
    expect(tallies).to_contain_text(f"unchanged {len(questions) - 11}")
    expect(tallies).to_contain_text("conflict 1")

    page.get_by_role("link", name=re.compile("^conflict")).click()
    page.locator("td.main a").first.click()
    for heading in ("Both began with", "The bank now", "The file"):
        expect(page.get_by_text(heading, exact=True)).to_be_visible()
    expect(page.locator(".three ins").filter(has_text="The desk says so.")).to_be_visible()
    expect(page.locator(".three ins").filter(has_text="One more thing.")).to_be_visible()
    assert faults_of(page) == []
    page.locator(".bar .back").click()
    page.get_by_role("button", name=re.compile("Import 10 questions")).click()
    state(page, "imported")
    site.session.expire_all()
    assert content_of(both).answers[-1].body.endswith("The desk says so.")
    site.session.rollback()


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (1400, "dark")])
def test_the_pages_of_an_import_have_no_fault_that_axe_finds(
    open_page: Open, width: int, scheme: str
) -> None:
    page = open_page("Edith", width=width, scheme=scheme)
    page.goto("/admin/imports/new/")
    assert faults_of(page) == []
    page.get_by_label("Pasted text", exact=True).fill(DAMAGED)
    page.get_by_role("button", name="Read and compare").click()
    state(page, "waits for you")
    assert faults_of(page) == []
    page.locator("td.main a").nth(2).click()
    assert faults_of(page) == []
    page.go_back()
    page.get_by_role("button", name=re.compile("Import 16")).click()
    state(page, "imported")
    assert faults_of(page) == []
    page.goto("/admin/imports/")
    assert faults_of(page) == []


def test_an_import_is_looked_through_and_dropped_by_keyboard(open_page: Open, site: Site) -> None:
    page = open_page("Edith")
    page.goto("/admin/imports/new/")
    page.get_by_label("Pasted text", exact=True).fill("stem,answer\nFirst?,Yes.\nSecond?,No.\n")
    page.keyboard.press("Control+Enter")
    state(page, "waits for you")
    box = page.get_by_role("checkbox", name="Import ‘First?’")
    box.press("Space")
    expect(page.get_by_role("button", name="Import 1 question")).to_be_visible()
    expect(box).to_be_focused()
    page.get_by_role("link", name="First?").press("Enter")
    expect(page.locator(".bar .states")).to_contain_text("left out")
    page.get_by_role("link", name="Next row").press("Enter")
    expect(page.get_by_label("Stem")).to_have_value("Second?")
    page.get_by_role("button", name="Leave it out").press("Enter")
    expect(page.locator(".bar .states")).to_contain_text("left out")
    page.locator(".bar .back").press("Enter")
    expect(page.get_by_role("button", name="Import 0 questions")).to_be_disabled()
    page.locator("summary", has_text="Discard").press("Enter")
    page.get_by_role("button", name="Discard this import").press("Enter")
    expect(page.get_by_text("Discarded ‘Pasted text’; nothing was written.")).to_be_visible()
    assert count(site) == 0


def test_an_import_goes_without_scripts(open_page: Open, site: Site) -> None:
    page = open_page("Edith", scripts=False)
    page.goto("/admin/imports/new/")
    page.get_by_label("Files").set_input_files(
        {"name": "bank.json", "mimeType": "application/json", "buffer": generated_bank(3)}
    )
    page.get_by_role("button", name="Read and compare").click()
    # The page looks again by itself: it says so in its head.
    state(page, "waits for you")
    page.get_by_role("checkbox").first.uncheck()
    page.get_by_role("button", name="Keep these choices").click()
    page.get_by_role("button", name=re.compile("Import 2 questions")).click()
    state(page, "imported")
    assert count(site) == 2


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (390, "light"), (1400, "light")])
def test_the_columns_of_a_table_are_chosen_by_keyboard_and_on_a_phone(
    open_page: Open, site: Site, width: int, scheme: str
) -> None:
    page = open_page("Edith", width=width, scheme=scheme)
    page.goto("/admin/imports/new/")
    table = "Ask,Tell,Part\n" + "".join(f"What is {n}?,A number.,Numbers\n" for n in range(4))
    page.get_by_label("Pasted text", exact=True).fill(table)
    page.get_by_role("button", name="Read and compare").click()
    state(page, "asks for columns")
    assert faults_of(page) == []
    expect(page.get_by_label("Ask")).to_have_value("stem")
    expect(page.get_by_text("What is 2?")).to_be_visible()
    page.get_by_label("Part").select_option("tag")
    page.keyboard.press("Control+Enter")
    state(page, "waits for you")
    expect(page.get_by_role("button", name=re.compile("Import 4 questions"))).to_be_visible()


def test_the_columns_of_a_table_are_chosen_without_scripts(open_page: Open, site: Site) -> None:
    page = open_page("Edith", scripts=False)
    page.goto("/admin/imports/new/")
    page.get_by_label("Pasted text", exact=True).fill("What is a?\tA.\nWhat is b?\tB.\n")
    page.get_by_role("button", name="Read and compare").click()
    state(page, "asks for columns")
    page.get_by_role("button", name="Read on").click()
    state(page, "waits for you")
    expect(page.get_by_role("button", name=re.compile("Import 2 questions"))).to_be_visible()
