"""Pages as a browser without scripts has them, and the bank as it is after a request."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from cms.formats.item import Content
from cms.models import Question
from cms.services.content import WITH_CONTENT, revision_content
from cms.web.security import CONTENT_SECURITY_POLICY, HEADERS
from cms.web.sending import IMAGE_POLICY

Fields = dict[str, str]

GUARDS = {
    "Content-Security-Policy": {CONTENT_SECURITY_POLICY},
    "X-Content-Type-Options": {"nosniff"},
    "Referrer-Policy": {"same-origin", "no-referrer"},
    "Cross-Origin-Opener-Policy": {"same-origin"},
    "Permissions-Policy": {HEADERS["Permissions-Policy"]},
}


def unguarded(response: TestResponse) -> list[str]:
    """Return the headers that every response has to have, and this one has not, or wrong."""
    guards = GUARDS
    if response.status_code == 304 or (response.mimetype or "").startswith("image/"):
        # An image that is opened by itself loads nothing at all.
        guards = GUARDS | {"Content-Security-Policy": {CONTENT_SECURITY_POLICY, IMAGE_POLICY}}
    return [name for name, values in guards.items() if response.headers.get(name) not in values]


class _Forms(HTMLParser):
    """Collects the successful controls of every form (HTML, 4.10.21.4), buttons left out."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[tuple[dict[str, Any], Fields]] = []
        self._form: Fields | None = None
        self._area: str | None = None
        self._select: str | None = None
        self._ignored = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        name = given.get("name")
        if tag == "template":
            self._ignored += 1
        if self._ignored:
            return
        if tag == "form":
            self._form = {}
            self.forms.append((given, self._form))
        if self._form is None or not name or "disabled" in given:
            return
        if tag == "input" and given.get("type") not in {"checkbox", "radio", "submit"}:
            self._form[name] = given.get("value") or ""
        elif tag == "textarea":
            self._area = name
            self._form[name] = ""
        elif tag == "select":
            self._select = name
        if tag == "select":
            self._form.setdefault(name, "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "template":
            self._ignored -= 1
        elif tag == "form" and not self._ignored:
            self._form = None
        elif tag == "textarea" and self._area and self._form is not None:
            # The parser of HTML drops one newline after the tag.
            self._form[self._area] = self._form[self._area].removeprefix("\r").removeprefix("\n")
            self._area = None
        elif tag == "select":
            self._select = None

    def handle_data(self, data: str) -> None:
        if self._area and self._form is not None:
            self._form[self._area] += data


class _Options(HTMLParser):
    """Finds what each select has selected."""

    def __init__(self) -> None:
        super().__init__()
        self.chosen: Fields = {}
        self._select: str | None = None
        self._option: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "select":
            self._select = given.get("name")
        elif tag == "option" and self._select:
            value = given.get("value")
            if "selected" in given or self._select not in self.chosen:
                self.chosen[self._select] = value or ""
                self._option = self._select if value is None else None

    def handle_data(self, data: str) -> None:
        if self._option:
            self.chosen[self._option] += data.strip()

    def handle_endtag(self, tag: str) -> None:
        if tag == "option":
            self._option = None
        elif tag == "select":
            self._select = None


def fields_of(page: str, form: str = "editor") -> Fields:
    """Return the fields of the form with this id, or with this end of its action."""
    forms, options = _Forms(), _Options()
    # No form stands in another. What is around them costs time to read.
    for found in re.findall(r"<form\b.*?</form>", page, re.DOTALL):
        forms.feed(found)
        options.feed(found)
    for attributes, fields in forms.forms:
        action = attributes.get("action") or ""
        if attributes.get("id") == form or action.endswith(form):
            return {
                name: options.chosen.get(name, value) if name in options.chosen else value
                for name, value in fields.items()
            }
    raise AssertionError(f"the page has no form {form!r}")


def submit(
    client: FlaskClient, address: str, *, form: str = "editor", to: str = "", **changes: str
) -> TestResponse:
    """Open a page, change fields of a form and send it as a browser would.

    Field names with brackets are given through `changes` as a dict: `**{"answers[0].body": "…"}`.
    """
    page = client.get(address)
    assert page.status_code == 200, page.text[:400]
    fields = fields_of(page.text, form) | changes
    return client.post(to or address, data=fields)


def notes_of(page: str) -> list[str]:
    """Return the messages on a page, in order."""
    found: list[str] = []

    class Notes(HTMLParser):
        inside = False

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            if tag == "p" and (dict(attrs).get("class") or "").startswith("note "):
                self.inside = True
                found.append("")

        def handle_endtag(self, tag: str) -> None:
            if tag == "p":
                self.inside = False

        def handle_data(self, data: str) -> None:
            if self.inside:
                found[-1] += data

    Notes().feed(page)
    return found


def reread(session: Session, question: Question) -> Question:
    """Return a question with its content as it is now; no transaction stays open."""
    found = session.scalars(
        select(Question)
        .where(Question.id == question.id)
        .options(*WITH_CONTENT)
        .execution_options(populate_existing=True)
    ).one()
    session.commit()
    return found


def revision_of(session: Session, question: Question, number: int) -> Content:
    """Return what a revision holds; no transaction stays open."""
    content = revision_content(session, question, number)
    session.commit()
    return content
