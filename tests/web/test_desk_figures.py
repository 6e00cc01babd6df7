"""The dashboard's figures: every number is that of the list to which it leads."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from itertools import product

import pytest
from flask.testing import FlaskClient
from msgspec.structs import replace
from sqlalchemy import delete
from sqlalchemy.orm import Session

from cms.models import Figures
from cms.services import figures
from cms.services.content import content_of
from cms.services.corrections import open_correction
from cms.services.deciding import reject
from cms.services.publishing import retire
from cms.services.questions import save, submit
from cms.vocabulary import CorrectionKind, Role
from tests.factories import make_published, make_question
from tests.web.pages import notes_of

pytestmark = pytest.mark.each_database

AsRole = Callable[[Role | None], FlaskClient]
Send = Callable[..., object]


class Links(HTMLParser):
    """Collects the links of the figures: (address, name, text)."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, str, str]] = []
        self._link: tuple[str, str] | None = None
        self._text = ""
        self._silent = False
        self.feed(page.partition('id="figures"')[2].partition('id="lately"')[0])

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._silent = tag == "title"
        if tag == "a":
            given = dict(attrs)
            self._link, self._text = (given["href"] or "", given.get("aria-label") or ""), ""

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self._text += f" {data}"

    def handle_endtag(self, tag: str) -> None:
        self._silent = False
        if tag == "a" and self._link:
            self.found.append((*self._link, " ".join(self._text.split())))
            self._link = None


def make_varied_bank(session: Session) -> None:
    """Questions of every status under tags of three depths, corrections of many weeks."""
    now = datetime.now(UTC)
    tags = [["flask/cli", "flask/views"], ["flask"], ["http", "flask/cli/run"], []]
    levels = ["easy", "hard", None]
    made = []
    for number, (paths, level) in enumerate(product(tags, levels)):
        made.append(make_published(session, f"Public {number}?", tags=paths, difficulty=level))
        make_question(session, f"Draft {number}?", tags=paths, difficulty=level)
    for question in made[::3]:
        changed = replace(content_of(question), context="Changed.")
        save(session, question, changed, seen_version=1, by=None, at=now)
    submit(session, made[0], by=None, at=now)
    submit(session, make_question(session, "In review?", tags=["only/drafts"]), by=None, at=now)
    retire(session, made[-2:], by=None, at=now)
    for weeks in (0, 0, 1, 5, 11, 12):
        opened = open_correction(
            session,
            made[1],
            kind=CorrectionKind.factual,
            claim="No.",
            by=None,
            at=now - timedelta(weeks=weeks),
        )
        if weeks != 1:
            reject(session, opened, reason="It is right.", by=None, at=now)
    session.commit()


def test_every_number_is_that_of_its_list(as_role: AsRole, session: Session) -> None:
    make_varied_bank(session)
    desk = as_role(Role.contributor)
    page = desk.get("/admin/").text
    links = Links(page).found
    found, expected = {}, {}
    for address, name, text in links:
        told = re.search(r"([\d,]+) (?:published )?(?:question|correction)", name)
        assert told, name
        assert told[1] in text.split(), "what is read aloud is what is seen"
        shown = re.search(r'<span class="quiet number">([\d,]+)', desk.get(address).text)
        expected[name, address] = told[1]
        found[name, address] = shown[1] if shown else None
    assert found == expected
    assert {number for _, number in found.items()} >= {"0", "1", "12", "25"}
    for part in ("status=changed", "tag=flask&", "untagged=yes", "opened=", "decided="):
        assert any(part in address for address, *_ in links), part
    assert "gaps: no published question of that difficulty" in page
    assert "style=" not in page


def test_a_bank_without_tags_and_corrections_has_no_charts_of_them(
    as_role: AsRole, session: Session
) -> None:
    desk = as_role(Role.editor)
    assert "in figures" not in desk.get("/admin/").text, "an empty bank has no charts at all"
    make_question(session)
    page = desk.get("/admin/").text
    assert "by status" in page
    assert "None was opened or decided in the last twelve weeks." in page
    assert "by tag" not in page


def test_a_large_bank_says_when_it_was_counted(
    as_role: AsRole, session: Session, send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures, "COUNTED_AT_ONCE", 0)
    make_question(session, "One?")
    desk = as_role(Role.contributor)
    assert "Nobody has counted this bank yet" in desk.get("/admin/").text
    send(desk, "/admin/count")
    page = desk.get("/admin/").text
    assert notes_of(page) == ["Counted."]
    assert re.search(r"Counted <time[^>]+>just now</time>\.", page)
    assert "1 question</a> by status" in page
    make_question(session, "Two?")
    page = desk.get("/admin/").text
    assert "something was done since" in page
    assert "1 question</a> by status" in page
    send(desk, "/admin/count")
    assert notes_of(desk.get("/admin/").text) == [
        "The figures are up to date, or were counted less than a minute ago."
    ]
    session.execute(delete(Figures))
    session.commit()
    send(desk, "/admin/count")
    assert "2 questions</a> by status" in desk.get("/admin/").text


@pytest.mark.parametrize("value", ["2026-W60", "x", "9999-W52"])
def test_a_week_that_is_none_is_named_and_ignored(as_role: AsRole, value: str) -> None:
    page = as_role(Role.editor).get(f"/admin/corrections/?opened={value}").text
    assert notes_of(page) == [f"‘{value}’ is not a week. Write it like 2026-W47; it was ignored."]
